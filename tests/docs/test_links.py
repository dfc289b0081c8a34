"""Links and names on the pages lead somewhere."""

import re
from collections import Counter
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from _pages import DOCS, FENCE, PAGES, blocks, name
from _paths import ROOT

import pnc

BESIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md", "paper/README.md")
ALL = [*PAGES, *(ROOT / page for page in BESIDE)]
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]*))?\)")
MAKE = re.compile(r"^(?:\w*\$ )?make ([\w-]+)", re.MULTILINE)


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text("utf-8"))


@cache
def anchors(page: Path) -> set[str]:
    """What GitHub, and the site, call the headings of a page."""
    found: set[str] = set()
    seen: Counter[str] = Counter()
    for title in re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


@pytest.mark.parametrize("page", ALL, ids=name)
def test_every_link_leads_to_a_file_and_its_heading(page: Path) -> None:
    for path, anchor in LINK.findall(prose(page)):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)}: no {path}"
        assert target.is_relative_to(ROOT)
        if anchor:
            assert anchor in anchors(target), f"{name(page)}: no #{anchor} in {path}"


def test_pages_are_linked_at_all() -> None:
    assert sum(len(LINK.findall(prose(page))) for page in ALL) > 40


def resolved(dotted: str) -> Any:
    """What a dotted name stands for; raises ImportError or AttributeError if nothing."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            fields = getattr(found, "__dataclass_fields__", {})
            found = fields[part] if part in fields else getattr(found, part)
        return found
    raise ImportError(dotted)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_name_of_pnc_in_the_prose_is_there(page: Path) -> None:
    for dotted in re.findall(r"`(pnc(?:\.\w+)+)", prose(page)):
        if not dotted.endswith((".json", ".py")):
            resolved(dotted)


def test_the_symbols_name_parts_that_are_there() -> None:
    rows = re.findall(r"^\| .* \| .* \| (.*) \|$", (DOCS / "symbols.md").read_text("utf-8"), re.MULTILINE)
    parts = [re.findall(r"`(\w+)`(?: and `(\w+)`)? of (`pnc\.[\w.]+`)", row) for row in rows]
    checked = 0
    for first, second, owner in (found for row in parts for found in row):
        whole = resolved(owner.strip("`"))
        for part in filter(None, (first, second)):
            known = {*dir(whole), *getattr(whole, "__annotations__", {}), *_arguments(whole), *_set(whole)}
            assert part in known, f"{part} of {owner}"
            checked += 1
    assert checked > 15


def _arguments(whole: Any) -> list[str]:
    """The names that a function takes."""
    return list(getattr(getattr(whole, "__code__", None), "co_varnames", ()))


def _set(whole: Any) -> list[str]:
    """The attributes that a class sets when it is made."""
    return list(getattr(getattr(getattr(whole, "__init__", None), "__code__", None), "co_names", ()))


def test_the_api_pages_have_every_public_name_once() -> None:
    shown = re.findall(r"^::: pnc\.(\w+)$", "\n".join(page.read_text() for page in (DOCS / "api").glob("*.md")), re.M)
    assert sorted(shown) == sorted(pnc.__all__)
    overview = (DOCS / "api" / "index.md").read_text()
    assert [public for public in pnc.__all__ if f"`{public}`" not in overview] == []


def test_the_makefile_has_every_target_that_a_page_names() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for page in ALL for block in blocks(page) for target in MAKE.findall(block.text)}
    assert named and named <= targets
