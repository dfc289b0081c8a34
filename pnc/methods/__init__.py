"""Every row of the tables: the pre-trained networks, the baselines and PNC."""

from pnc.methods._joint import train_classifier
from pnc.methods._registry import METHODS, Method, MethodTask, method

__all__ = ["METHODS", "Method", "MethodTask", "method", "train_classifier"]
