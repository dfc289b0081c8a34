"""The arguments of commands that learn from pictures, clone and repair."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from pnc.base.errors import bad


def add_samples(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--samples", required=True, nargs="+", type=Path, metavar="PLACE",
        help="the source's pictures of the classes: folders with a folder for each class, or Parquet files",
    )  # fmt: skip


def add_settings(parser: ArgumentParser, example: str) -> None:
    """``--set``, of which help shows an ``example``, and what else changes how a package is learned."""
    parser.add_argument(
        "--set", nargs="+", default=[], dest="changes", metavar="KEY=VALUE",
        help=f"settings of pnc.CloneSettings, by dotted names: {example}",
    )  # fmt: skip
    add_size_and_device(parser)
    parser.add_argument("--seed", type=int, default=0)


def add_size_and_device(parser: ArgumentParser) -> None:
    parser.add_argument("--size", type=int, metavar="PIXELS", help="side of the pictures (default: the networks')")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")


def parse_settings(pairs: Sequence[str], preset: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """``a.b=1`` as {"a": {"b": 1}}; values are JSON, and text where they are none. They override a ``preset``.

    Raises PncError for no pair.
    """
    found: dict[str, Any] = deepcopy(dict(preset or {}))
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise bad("--set", expected="KEY=VALUE", found=f"'{pair}'")
        *path, last = key.split(".")
        inner = found
        for name in path:
            inner = inner.setdefault(name, {})
            if not isinstance(inner, dict):
                raise bad("--set", expected=f"'{name}' whole or in parts", found="both")
        inner[last] = _value(text)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
