"""CSV tables as rows of text, checked for their form; what the texts mean is the caller's."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from pnc.base.errors import bad


def read_rows(path: Path, columns: Sequence[str], what: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each row stands ("FILE row NUMBER") and its texts by column.

    ``what`` names the kind of table in errors. Raises PncError naming file and row if it is missing or damaged.
    """
    if not path.is_file():
        raise bad(str(path), expected=what, found="no file")
    try:
        with path.open(newline="", encoding="utf-8") as opened:
            rows = list(csv.reader(opened, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise bad(str(path), expected="comma-separated text", found=f"damaged text ({error})") from None
    if not rows or rows[0] != list(columns):
        found = ",".join(rows[0]) if rows else "nothing"
        raise bad(f"{path} row 1", expected=f"the columns {','.join(columns)}", found=found)
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(columns):
            raise bad(f"{path} row {number}", expected=f"{len(columns)} fields", found=len(row))
        yield f"{path} row {number}", dict(zip(columns, row, strict=True))
