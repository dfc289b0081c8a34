"""What DVC does again and again, done once: for processes of the flow, which hold DVC in memory."""

import os
from functools import cache
from typing import Any

import dvc.dependency.param as of_params
import dvc.parsing.interpolate as templates
from dvc.utils.serialize import load_path

_parsed: dict[str, tuple[tuple[int, int, int], Any]] = {}


def quicken() -> None:
    """From now on a file of parameters is parsed once, not for every stage, and so is an expression in dvc.yaml."""
    of_params.load_path = _load_once
    templates.parse_expr = _parse_once


def _load_once(path: str, fs: Any, **options: Any) -> Any:
    status = os.stat(path)
    version = (status.st_mtime_ns, status.st_size, status.st_ino)
    known = _parsed.get(path)
    if known is None or known[0] != version:
        _parsed[path] = known = (version, load_path(path, fs, **options))
    return known[1]


_parse_once = cache(templates.parse_expr)
