"""What a package holds, in words."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pnc.cloning.package import ClonePackage

# What provenance says of each R: the column's title, what to multiply by, how to show it.
COLUMNS: dict[str, tuple[str, float, str]] = {
    "loss": ("loss", 1, ".4f"),
    "accuracy": ("held-out %", 100, ".1f"),
    "delta": ("δ", 1, "+.3f"),
    "leak": ("leak %", 100, ".1f"),
}


def describe(path: Path, package: ClonePackage) -> str:
    """Classes, R with what became of every R, δ, what M keeps, sizes, hashes and provenance."""
    info, parts = package.info, [_head(path, package), _positions(package), _kept(package)]
    made = {key: value for key, value in info.provenance.items() if key not in ("searched", *COLUMNS)}
    if made:
        parts.append("\n".join(["made with", *(f"  {key:<16} {_plain(value)}" for key, value in made.items())]))
    return "\n\n".join(parts)


def positions(package: ClonePackage) -> dict[int, dict[str, float]]:
    """What became of every R that the package knows of, the last first: of its own at least, if it says so."""
    made = package.info.provenance
    every = made.get("searched") or {str(package.info.position): made}
    return dict(sorted(((int(R), dict(each)) for R, each in every.items()), reverse=True))


def kept(package: ClonePackage) -> dict[str, tuple[int, int]]:
    """For each layer of the source's blocks from R on: filters that M keeps, and all."""
    names = sorted(package.masks, key=_in_order)
    return {name: (int(package.masks[name].sum()), len(package.masks[name])) for name in names}


def number(value: float | None, times: float, form: str) -> str:
    """``times`` × ``value``, or a dash for what is not known."""
    return "–" if value is None else format(times * value, form)


def digest(file: Path) -> str:
    """Hex SHA-256 of its content."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns beside each other, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.rjust(width) if index else cell.ljust(width) for index, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    )
    return "\n".join(f"  {line}".rstrip() for line in lines)


def _head(path: Path, package: ClonePackage) -> str:
    info = package.info
    leaving, entering, kernel, _ = package.adapter["weight"].shape
    new, width = package.rows["weight"].shape
    classes = ", ".join(f"{name} (output {output})" for name, output in zip(info.names, info.classes, strict=True))
    height, across = info.size
    lines = [
        f"{path}: {path.stat().st_size:,} bytes",
        f"  SHA-256  {digest(path)}",
        f"  source   {info.source}",
        f"  target   {info.target}",
        f"  classes  {classes}",
        f"  R        {info.position}: before block {info.position} of the target, from block "
        f"{info.source_position} of the source on",
        f"  A        {kernel}×{kernel}, {entering} → {leaving} channels of {height}×{across}"
        f"{', ReLU' if info.relu else ''}",
        f"  F_c      {new} new rows of {width}",
    ]
    return "\n".join(lines)


def _positions(package: ClonePackage) -> str:
    rows = [["R", *(title for title, _, _ in COLUMNS.values())]]
    for R, each in positions(package).items():
        chosen = " *" if package.info.position == R else ""
        cells = [number(each.get(key), times, form) for key, (_, times, form) in COLUMNS.items()]
        rows.append([f"{R}{chosen}", *cells])
    return "positions (* chosen: the least loss)\n" + table(rows)


def _kept(package: ClonePackage) -> str:
    found = kept(package)
    total = [sum(column) for column in zip(*found.values(), strict=True)]
    rows = [["layer", "kept", "of", "%"]]
    for name, (few, all_) in [*found.items(), ("all", (total[0], total[1]))]:
        rows.append([name, str(few), str(all_), f"{100 * few / all_:.1f}"])
    return f"filters that M keeps (reading: {package.info.reading})\n" + table(rows)


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _in_order(name: str) -> list[tuple[int, str]]:
    """10 behind 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in name.split(".")]
