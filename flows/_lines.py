"""Lines of a growing file, as they come; of a progress bar that redraws itself, its state every few seconds."""

import os
import re
import time
from collections.abc import Callable, Iterator

_BAR_SECONDS = 5.0
_CHUNK = 1 << 16
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours and cursor movements


class Lines:
    """Iterating gives the complete lines so far; ``current`` is what a terminal would show at the bottom."""

    def __init__(self, file: int, say: Callable[[str], None], bar_seconds: float = _BAR_SECONDS) -> None:
        self._file, self._say, self._bar_seconds = file, say, bar_seconds
        self._position = os.lseek(file, 0, os.SEEK_CUR)
        self._rest = b""
        self._lines: list[str] = []
        self._bar_said = time.monotonic()
        self.current = ""

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def read(self, last: bool = False) -> None:
        """Say what was written since the last call; a line without an end too if it is the ``last``."""
        # At a position of our own: whoever writes may share the file's one.
        while chunk := os.pread(self._file, _CHUNK, self._position):
            self._position += len(chunk)
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            for line in whole:
                self._add(_drawn(line))
        if last:
            self._add(_drawn(self._rest))
            self._rest = b""
        elif b"\r" in self._rest:
            self._draw_bar(_drawn(self._rest.rpartition(b"\r")[0]))

    def _add(self, line: str) -> None:
        if line.strip():
            self.current = line
            self._lines.append(line)
            self._say(line)

    def _draw_bar(self, state: str) -> None:
        self.current = state or self.current
        if state and time.monotonic() - self._bar_said > self._bar_seconds:
            self._bar_said = time.monotonic()
            self._say(state)


def _drawn(line: bytes) -> str:
    """What a terminal would show of a line: what follows its last return, without colours."""
    text = _CONTROL.sub("", line.decode(errors="replace")).rstrip("\r")
    return text.rpartition("\r")[2].rstrip()
