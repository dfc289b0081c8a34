"""The site is built without a warning, needs no network to be read, and its links lead somewhere."""

import os
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from _pages import DOCS
from _paths import ROOT

LOADED = {"script": "src", "img": "src", "link": "href", "source": "src", "iframe": "src", "object": "data"}


class Page(HTMLParser):
    """What a page loads, what it links to, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        if LOADED.get(tag) in found and found.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(found[LOADED[tag]])
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        self.places |= {found[key] for key in ("id", "name") if found.get(key)}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@cache
def read(path: Path) -> Page:
    return Page(path.read_text("utf-8"))


def test_every_page_of_docs_is_there(site: Path) -> None:
    for page in DOCS.rglob("*.md"):
        assert (site / page.relative_to(DOCS)).with_suffix(".html").is_file()
    for outside in ("results/mnist/TABLES.html", "CONTRIBUTING.html", "benchmarks/index.html"):
        assert (site / outside).is_file()


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    for path in pages:
        assert [url for url in read(path).loads if urlsplit(url).scheme not in ("", "data")] == [], path
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", style.read_text("utf-8")), style


def test_every_link_on_the_site_leads_to_a_page_and_a_place_on_it(site: Path) -> None:
    broken = []
    for path in site.rglob("*.html"):
        if path.name == "404.html":  # may be shown at any depth, so that its links begin at the site's root
            continue
        for link in {*read(path).links, *read(path).loads}:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            place = unquote(parts.fragment)
            there = target.is_file() and (not place or place == "__top" or place in read(target).places)
            if not there and link not in (".", "#"):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


def test_every_public_name_is_described(site: Path) -> None:
    places = set().union(*(read(path).places for path in (site / "api").glob("*.html")))
    public = [line.strip().strip('",') for line in (ROOT / "pnc" / "__init__.py").read_text().splitlines()]
    names = public[public.index("__all__ = [") + 1 :]
    for name in names[: names.index("]")]:
        assert any(place.endswith(f".{name}") for place in places), name


def test_drawings_follow_the_reader_s_colours(site: Path) -> None:
    drawings = [path.read_text("utf-8") for path in (site / "images").glob("*.svg")]
    assert len(drawings) >= 3
    for drawing in drawings:
        follows = "prefers-color-scheme: dark" in drawing and "<title" in drawing and "<desc" in drawing
        assert follows or 'fill="white"/>' in drawing  # what pnc inspect draws brings its own paper
