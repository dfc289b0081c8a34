"""The pages that people read, and the code in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from _paths import ROOT

README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]
RUNNABLE = "<!-- runnable -->"  # stands on the line above a block that is run as it is
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, whether it is marked as runnable, and the line where it starts."""

    language: str
    text: str
    runnable: bool
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of ``page``, in order; those inside of lists are not meant to be run."""
    text = page.read_text("utf-8")
    for found in FENCE.finditer(text):
        above = text[: found.start()]
        yield Block(found[1], found[2], above.rstrip("\n").endswith(RUNNABLE), above.count("\n") + 2)


def name(page: Path) -> str:
    """What the tests call a page."""
    return page.relative_to(ROOT).as_posix()
