"""Lines of a growing file, as they come."""

import re
from collections.abc import Callable, Iterator
from io import FileIO

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours and cursor movements


class Lines:
    """Iterating gives the complete lines so far; ``current`` is what a terminal would show at its bottom."""

    def __init__(self, file: FileIO, say: Callable[[str], None]) -> None:
        self._file, self._say = file, say
        self._rest = b""
        self._lines: list[str] = []
        self.current = ""

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def read(self, last: bool = False) -> None:
        """Say what was written since the last call; a line without an end too if it is the ``last``."""
        *whole, self._rest = (self._rest + self._file.read() + b"\n" * last).split(b"\n")
        for line in filter(None, map(_drawn, whole)):
            self._lines.append(line)
            self._say(line)
        self.current = _drawn(self._rest) or (self._lines or [""])[-1]


def _drawn(line: bytes) -> str:
    """What a terminal would show of a line: what follows its last return, without colours."""
    text = _CONTROL.sub("", line.decode(errors="replace")).rstrip()
    return text.rpartition("\r")[2]
