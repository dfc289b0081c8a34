"""A package as a picture: how every position R did, and how many filters of each layer M keeps. Plain SVG."""

from collections.abc import Iterable
from xml.sax.saxutils import escape

from pnc.cloning.package import ClonePackage
from pnc.commands._package import kept, number, positions

ROW, LEFT, BAR, RIGHT = 22, 150, 360, 230  # pixels: a row's height, and the widths of names, bars and numbers
CHOSEN, OTHER, ALL = "#0b6e99", "#8fb8c9", "#e6e6e6"

Row = tuple[str, float, str, str]  # name, share of the bar, number beside it, colour


def draw(package: ClonePackage) -> str:
    """The SVG's text: held-out accuracy as a bar and the loss as a number for every R, then a bar for each layer."""
    info = package.info
    chosen = [
        (
            f"R = {R}",
            each.get("accuracy") or 0.0,
            f"{number(each.get('accuracy'), 100, '.1f')} %, loss {number(each.get('loss'), 1, '.4f')}",
            CHOSEN if info.position == R else OTHER,
        )
        for R, each in positions(package).items()
    ]
    layers = [(name, few / of, f"{few} of {of}", CHOSEN) for name, (few, of) in kept(package).items()]
    parts = [
        ("Held-out accuracy and loss of every R; the chosen one is dark", chosen),
        ("Filters that M keeps in each layer of the source", layers),
    ]
    y, lines = 34, [_text(10, 22, f"{', '.join(info.names)} at R = {info.position}", "bold")]
    for title, rows in parts:
        lines.append(_text(10, y + ROW, title))
        lines += _bars(rows, y + ROW + 8)
        y += ROW * (len(rows) + 2)
    width, height = LEFT + BAR + RIGHT, y + 10
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    style = ' font-family="sans-serif" font-size="13" fill="#222">'
    return "\n".join([head + style, f'<rect width="{width}" height="{height}" fill="white"/>', *lines, "</svg>\n"])


def _bars(rows: Iterable[Row], top: int) -> Iterable[str]:
    for index, (name, share, beside, colour) in enumerate(rows):
        y = top + index * ROW
        yield _text(LEFT - 10, y + 14, name, anchor="end")
        for width, fill in ((BAR, ALL), (BAR * share, colour)):
            yield f'<rect x="{LEFT}" y="{y + 2}" width="{width:.1f}" height="{ROW - 6}" fill="{fill}"/>'
        yield _text(LEFT + BAR + 10, y + 14, beside)


def _text(x: int, y: int, text: str, weight: str = "normal", anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}" text-anchor="{anchor}">{escape(text)}</text>'
