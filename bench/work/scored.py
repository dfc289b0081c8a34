"""The files that keep measured numbers; they are small, and in git: a table is drawn from them without a network."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.work.provenance import made
from pnc.base.files import write_record

Record = dict[str, Any]


def write_scores(
    path: Path, found: Iterable[Record], settings: Mapping[str, Any], of: Mapping[str, str] | None = None
) -> None:
    """Records with all that they depend on, and where and with what they were made (``of``; None: here and now)."""
    content = {"scores": list(found), "settings": dict(settings), "made": dict(made() if of is None else of)}
    write_record(path, content, rows="scores")
