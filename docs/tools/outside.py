"""Puts files outside docs/ that its pages link to on the site, at their places in the repository.

docs/method.md is the site's method.md, and results/mnist/TABLES.md is its results/mnist/TABLES.md: so
links from one to the other, which are the repository's, are written anew.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

DOCS = "docs/"
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what the navigation or a page names, and what those pages name in turn."""
    root = Path(config.config_file_path).parent
    pages = {file.src_uri for file in files.documentation_pages()}
    left = [uri for uri in _in(config.nav) if uri not in pages]
    left += [uri for page in pages for uri in _linked(root, page, pages)]
    while left:
        uri = left.pop()
        if files.get_file_from_path(uri) is None and (root / uri).is_file():
            unlisted = InclusionLevel.NOT_IN_NAV
            files.append(File.generated(config, uri, abs_src_path=str(root / uri), inclusion=unlisted))
            left += _linked(root, uri, pages) if uri.endswith(".md") else []
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links of the repository as those of the site."""
    root, here = Path(config.config_file_path).parent, page.file.src_uri
    own = _place(root, here)

    def rewritten(match: re.Match[str]) -> str:
        uri = _uri(root, own, match[1])
        return match[1] if files.get_file_from_path(uri) is None else relpath(uri, PurePosixPath(here).parent)

    return LINK.sub(rewritten, markdown)


def _in(nav: Any) -> Iterator[str]:
    """The files that a navigation names."""
    if isinstance(nav, str):
        yield nav
    for item in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _in(item)


def _linked(root: Path, uri: str, pages: set[str]) -> list[str]:
    """What the page ``uri`` of the site links to, as the site has it, less the ``pages`` of docs/."""
    own = _place(root, uri)
    found = (_uri(root, own, match[1]) for match in LINK.finditer((root / own).read_text("utf-8")))
    return [target for target in found if target not in pages]


def _place(root: Path, uri: str) -> str:
    """Where in the repository a page of the site lies."""
    return DOCS + uri if (root / DOCS / uri).is_file() else uri


def _uri(root: Path, own: str, link: str) -> str:
    """Where on the site the target of a ``link`` in the repository's file ``own`` is."""
    path = normpath(PurePosixPath(own).parent / link)
    path = f"{path}/README.md" if (root / path / "README.md").is_file() else path
    return "index.md" if path == "README.md" else path.removeprefix(DOCS)
