"""The tables that benchmarks keep in pages, each between two marks."""

from pathlib import Path

from pnc.base.files import write_text


def write_between(page: Path, marks: tuple[str, str], text: str) -> None:
    """Put ``text`` in place of what stands between ``marks``."""
    before, rest = page.read_text().split(marks[0])
    write_text(page, f"{before}{marks[0]}\n\n{text}\n\n{marks[1]}{rest.split(marks[1])[1]}")
