"""Lines of a docstring such as ``name``  text, which stand below each other, as a list of the page."""

import re

import griffe

ITEM = re.compile(r"^(``\w+``(?:, ``\w+``)*) +(?=\S)")


class Lists(griffe.Extension):
    """Makes a list of settings one that Markdown knows."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Rewrite the docstring of ``obj``, if it has one."""
        if obj.docstring is not None:
            obj.docstring.value = as_list(obj.docstring.value)


def as_list(text: str) -> str:
    """Blocks of ``text`` whose every line is an item, or is indented and goes on with one, as Markdown's lists."""
    return "\n\n".join(_block(block) for block in text.split("\n\n"))


def _block(block: str) -> str:
    lines = block.split("\n")
    if len(lines) < 2 or not all(ITEM.match(line) or line.startswith("  ") for line in lines):
        return block
    return "\n".join(ITEM.sub(r"- \1: ", line) for line in lines)
