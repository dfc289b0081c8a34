"""Matplotlib's SVG files inside a page: small, in the page's colours, and without an id that is there twice."""

import hashlib
import re
from pathlib import Path
from xml.etree import ElementTree as ET

from bench.report.drawing import COLOURS, GRID
from pnc.base.errors import bad

_LINK = "{http://www.w3.org/1999/xlink}href"
_REFERENCE = re.compile(r"(?<=url\(#)[^)]+(?=\))|(?<=^#).+$")
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_NAMED = {"": "none", "strict": "strict", "rehearsal": "rehearsal"}
_VARIABLES = {
    "#ffffff": "var(--ground)",
    "#000000": "currentColor",
    GRID["color"].lower(): "var(--rule)",
    **{colour.lower(): f"var(--{_NAMED[regime]})" for regime, colour in COLOURS.items()},
}
_COLOUR = re.compile("|".join(_VARIABLES))


class Drawings:
    """Figures of one page. What they refer to, glyphs above all, is kept once, under a name made of its content."""

    def __init__(self) -> None:
        self._shared: dict[str, str] = {}

    @property
    def definitions(self) -> str:
        """What has to stand in the page beside the figures."""
        return "".join(text for _, text in sorted(self._shared.items()))

    def inline(self, path: Path, title: str) -> str:
        """The figure as an ``<svg>``. Raises PncError naming ``path`` if it is none."""
        try:
            root = ET.parse(path).getroot()
        except ET.ParseError as error:
            raise bad(str(path), expected="an SVG file", found=f"damaged text ({error})") from None
        _plain(root)
        names = self._moved(root)
        for each in root.iter():
            _refer(each, names)
        root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": title, "fill": "currentColor"}
        return _text(root)

    def _moved(self, root: ET.Element) -> dict[str, str]:
        """Take all definitions out of a figure: what they are called in the page, by their ids in the file."""
        names: dict[str, str] = {}
        for parent in list(root.iter()):
            for defs in [child for child in parent if child.tag == "defs"]:
                parent.remove(defs)
                for each in (child for child in defs if "id" in child.attrib):
                    old = each.attrib.pop("id")
                    digest = hashlib.sha256(_text(each).encode()).hexdigest()[:10]
                    names[old] = each.attrib["id"] = f"d{digest}"
                    self._shared[names[old]] = _text(each)
        return names


def _plain(root: ET.Element) -> None:
    """Drop what a page has no use for: namespaces, metadata, ids of groups, digits that cannot be seen."""
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
        each.text = each.tail = None
        if _LINK in each.attrib:
            each.attrib["href"] = each.attrib.pop(_LINK)
        if each.tag == "g":
            each.attrib.pop("id", None)
        for name, text in each.attrib.items():
            short = _NUMBER.sub(lambda found: f"{float(found[0]):.4g}", " ".join(text.split()))
            each.attrib[name] = _style(short) if name == "style" else short
    for metadata in root.findall("metadata"):
        root.remove(metadata)


def _style(text: str) -> str:
    coloured = _COLOUR.sub(lambda found: _VARIABLES[found[0]], text)
    return coloured.replace(": ", ":").replace("; ", ";")


def _refer(each: ET.Element, names: dict[str, str]) -> None:
    for name in ("href", "clip-path"):
        if name in each.attrib:
            each.attrib[name] = _REFERENCE.sub(lambda found: names[found[0]], each.attrib[name])


def _text(element: ET.Element) -> str:
    return ET.tostring(element, encoding="unicode")
