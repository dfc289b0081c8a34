"""The rows of the tables that need no clone: the pre-trained networks and the baselines."""

from pnc.methods._registry import METHODS, REGIMES, Method, MethodTask, method

__all__ = ["METHODS", "REGIMES", "Method", "MethodTask", "method"]
