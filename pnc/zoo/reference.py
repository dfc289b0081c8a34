"""Names in zoos where a file's path is expected: zoo:NAME@LOCATION, or zoo:NAME in the zoo that PNC_ZOO names."""

import os

from pnc.base.errors import bad
from pnc.zoo.zoo import Zoo

PREFIX, VARIABLE = "zoo:", "PNC_ZOO"


def in_zoo(text: str) -> tuple[Zoo, str] | None:
    """The zoo and the name that ``text`` speaks of; None if it is a path. Raises PncError if a part is missing."""
    if not text.startswith(PREFIX):
        return None
    name, _, location = text.removeprefix(PREFIX).partition("@")
    location = location or os.environ.get(VARIABLE, "")
    if not name or not location:
        raise bad(
            f"'{text}'", expected=f"zoo:NAME@LOCATION (or {VARIABLE} set)", found="no location" if name else "no name"
        )
    return Zoo(location), name


def model_file(text: str) -> str:
    """``text``, or the path of the weights that it names: a file that ``pnc.load_network`` reads."""
    found = in_zoo(text)
    return text if found is None else str(found[0].weights(found[1]))


def package_file(text: str) -> str:
    """``text``, or the path of the package that it names."""
    found = in_zoo(text)
    return text if found is None else str(found[0].package_file(found[1]))
