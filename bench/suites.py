"""``python -m bench.suites``: give every suite its dvc.yaml, the root's with the suite's names in it.

The names are written out: looking them up for each of its hundreds of stages takes DVC seconds.
"""

import re
from pathlib import Path

from pnc.base.files import write_text

GRAPH = Path("dvc.yaml")
_OF_DIGITS = re.compile(r"\bdigits\b|\bwdir: \.|\b(?:params|tables)\.yaml\b")


def copies() -> dict[Path, str]:
    """Where each copy belongs, and what should stand there."""
    text = GRAPH.read_text()
    return {
        path.with_name(GRAPH.name): _of(path.parent, text) for path in sorted(Path("suites").glob("*/params.yaml"))
    }


def _of(folder: Path, text: str) -> str:
    """The graph of the suite in ``folder``. DVC reads ``vars`` from there, all other paths are from the root."""

    def own(found: re.Match[str]) -> str:
        name = found[0]
        return {"digits": folder.name, "wdir: .": "wdir: ../.."}.get(name, f"{folder}/{name}")

    lines = text.splitlines(keepends=True)
    return "".join(line if line.startswith(("#", "vars:")) else _OF_DIGITS.sub(own, line) for line in lines)


def main() -> None:
    for path, text in copies().items():
        if not path.is_file() or path.read_text() != text:
            write_text(path, text)
            print(path)


if __name__ == "__main__":
    main()
