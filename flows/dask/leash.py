"""Run ``python ARGUMENTS`` until standard input ends; then it ends too, with its whole process group.

Standard input is a pipe that only the one who started this holds open, so nothing outlives him, however he ends.
"""

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """The command's exit status, as a shell tells it: 128 and its number for a signal."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    status = subprocess.call([sys.executable, *sys.argv[1:]], stdin=subprocess.DEVNULL)
    return status if status >= 0 else 128 - status


def _end_with_input() -> None:
    os.read(0, 1)  # not through sys.stdin, whose lock would still be held at exit
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
