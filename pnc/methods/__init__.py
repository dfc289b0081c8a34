"""The rows of the tables that need no clone: the pre-trained networks and the baselines."""

from pnc.methods._choose import Choice, choose
from pnc.methods._registry import METHODS, REGIMES, Method, MethodTask, Rows, method, row_name

__all__ = ["METHODS", "REGIMES", "Choice", "Method", "MethodTask", "Rows", "choose", "method", "row_name"]
