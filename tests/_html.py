"""A page read back: its tables cell by cell, its ids and what it refers to."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

Attributes = dict[str, str]
_VOID = {"meta", "input", "br", "link", "img"}


@dataclass
class Element:
    """A cell, header or caption: ``text`` is all that stands in it, with single spaces."""

    tag: str
    attributes: Attributes
    text: str = ""

    @property
    def classes(self) -> set[str]:
        return set(self.attributes.get("class", "").split())


@dataclass
class HtmlTable:
    """``rows`` are those of the body; ``sections`` the ids around the table, from the outside."""

    sections: list[str]
    caption: str = ""
    head: list[list[Element]] = field(default_factory=list)
    rows: list[list[Element]] = field(default_factory=list)
    regimes: list[str] = field(default_factory=list)  # of the rows

    def columns(self) -> list[tuple[str, str]]:
        """Column and metric of each place, spans counted."""
        *groups, last = self.head
        spans = [(each.text, int(each.attributes.get("colspan", "1"))) for each in groups[0][1:]] if groups else []
        names = [name for name, span in spans for _ in range(span)] or [""] * (len(last) - 1)
        return list(zip(names, (each.text for each in last[1:]), strict=True))

    def cells(self) -> dict[tuple[str, str, str, str], Element]:
        """By row title, regime, column and heading of the metric."""
        found = {}
        for (first, *rest), regime in zip(self.rows, self.regimes, strict=True):
            title = first.text.removesuffix(" not measured").removesuffix(f" {regime}" if regime else "")
            for place, cell in zip(self.columns(), rest, strict=bool(rest)):
                found[title, regime, *place] = cell
        return found


class Page(HTMLParser):
    """AssertionError for a tag that is not closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[HtmlTable] = []
        self.ids: list[str] = []
        self.elements: list[Element] = []
        self.texts: dict[str, str] = {}  # of each section with an id
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if "id" in element.attributes:
            self.ids.append(element.attributes["id"])
        if tag not in _VOID:
            self._open.append(element)
        if tag == "table":
            self.tables.append(HtmlTable(self._sections()))
        elif tag == "tr":
            part = self.tables[-1].head if self._inside("thead") else self.tables[-1].rows
            part.append([])
            if not self._inside("thead"):
                self.tables[-1].regimes.append(element.attributes.get("data-regime", ""))
        elif tag in ("td", "th"):
            (self.tables[-1].head if self._inside("thead") else self.tables[-1].rows)[-1].append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        element = self._open.pop()
        assert element.tag == tag, f"<{element.tag}> ended by </{tag}> at {self.getpos()}"
        element.text = " ".join(element.text.split())
        if tag == "caption":
            self.tables[-1].caption = element.text
        elif tag == "section" and "id" in element.attributes:
            self.texts[element.attributes["id"]] = element.text

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def of(self, section: str) -> list[HtmlTable]:
        return [table for table in self.tables if section in table.sections]

    def references(self) -> set[str]:
        """All ids that anything in the page refers to."""
        found = set()
        for element in self.elements:
            for name, value in element.attributes.items():
                if name == "href":
                    found.add(value.removeprefix("#"))
                found |= set(re.findall(r"url\(#(.+?)\)", value))
        return found

    def _inside(self, tag: str) -> bool:
        return any(element.tag == tag for element in self._open)

    def _sections(self) -> list[str]:
        return [element.attributes["id"] for element in self._open if "id" in element.attributes]
