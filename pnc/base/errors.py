"""The one error type that pnc raises for bad input: one line, with what was wrong, expected and found."""


class PncError(ValueError):
    """Input that pnc cannot work with."""


def bad(what: str, *, expected: object, found: object) -> PncError:
    """Build the error for ``what``: a single line naming what was expected and what was found."""
    line = f"{what}: expected {expected}, found {found}"
    return PncError(" ".join(line.split()))
