"""Whether a regime was chosen, or is just the default."""

from typing import Literal, cast


class _Default(str):
    """A value that nobody has asked for."""

    __slots__ = ()


STRICT = cast(Literal["strict"], _Default("strict"))


def is_said(regime: str) -> bool:
    """Whether somebody chose ``regime``, be it the default's value."""
    return not isinstance(regime, _Default)
