"""Libraries that only sources of data need: the extra ``data`` brings them."""

from collections.abc import Iterator
from contextlib import contextmanager

from pnc.base.errors import bad


@contextmanager
def extra(source: str) -> Iterator[None]:
    """Around the imports of a loader. Raises PncError, with what to install, if a library is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        where, found = f"libraries of the source '{source}'", f"no module '{error.name}'"
        raise bad(where, expected="those of pip install 'pnc[data]'", found=found) from None
