"""The one warning of pnc: input that can be worked with, but that is hardly what was meant."""

import sys
import warnings


class PncWarning(UserWarning):
    """One line on input that pnc takes, and that will probably give a bad clone."""


def notice(line: str) -> None:
    """Warn of ``line``; it is the caller's program that is named, not a place inside pnc."""
    frame, depth = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(("pnc.", "torch.")):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(" ".join(line.split()), PncWarning, stacklevel=depth)
