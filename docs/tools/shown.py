"""Docstrings and signatures as the pages show them."""

import re

import griffe

ITEM = re.compile(r"^(``\w+``(?:, ``\w+``)*) +(?=\S)")


class Shown(griffe.Extension):
    """Lines such as ``name``  text, below each other, become a list; defaults from a factory are shown as made."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Rewrite the docstring of ``obj``, if it has one."""
        if obj.docstring is not None:
            obj.docstring.value = as_list(obj.docstring.value)

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: object) -> None:
        """field(default_factory=lambda: made) as made."""
        if not isinstance(attr.value, griffe.ExprCall):
            return
        for argument in attr.value.arguments:
            if isinstance(argument, griffe.ExprKeyword) and isinstance(argument.value, griffe.ExprLambda):
                attr.value = argument.value.body


def as_list(text: str) -> str:
    """Blocks of ``text`` whose every line is an item, or is indented and goes on with one, as Markdown's lists."""
    return "\n\n".join(_block(block) for block in text.split("\n\n"))


def _block(block: str) -> str:
    lines = block.split("\n")
    if len(lines) < 2 or not all(ITEM.match(line) or line.startswith("  ") for line in lines):
        return block
    return "\n".join(ITEM.sub(r"- \1: ", line) for line in lines)
