"""Libraries that only ONNX needs: the extra ``export`` brings them."""

import importlib
from typing import Any

from pnc.base.errors import bad


def needed(name: str) -> Any:
    """The module ``name``. Raises PncError, with what to install, if it is missing."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        where, found = "libraries of the format 'onnx'", f"no module '{error.name}'"
        raise bad(where, expected="those of pip install 'pnc[export]'", found=found) from None
