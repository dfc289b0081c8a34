"""Names of models and packages: what a file, an address and a shell can all hold."""

import re

from pnc.base.errors import bad

LONGEST = 96
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def check_name(name: str, what: str) -> str:
    """``name``, if it is one: Hugging Face's rule. Raises PncError otherwise."""
    if not isinstance(name, str) or len(name) > LONGEST or not _NAME.fullmatch(name) or ".." in name or "--" in name:
        expected = f"at most {LONGEST} letters, digits, dots, dashes and underscores (neither .. nor --)"
        raise bad(f"name of a {what}", expected=expected, found=repr(name))
    return name
