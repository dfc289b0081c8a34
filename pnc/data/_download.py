"""Files from the web, kept only as long as they are read."""

import shutil
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from pnc.base.errors import bad

TIMEOUT = 30.0  # seconds without an answer


@contextmanager
def downloaded(url: str) -> Iterator[Path]:
    """Yield the file behind ``url`` as a temporary file. Raises PncError if it cannot be fetched."""
    with tempfile.TemporaryDirectory(prefix="pnc-") as folder:
        path = Path(folder) / "file"
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, open(path, "wb") as file:
                shutil.copyfileobj(answer, file)
        except (OSError, HTTPException, ValueError) as error:
            raise bad(url, expected="a file to download", found=str(error) or repr(error)) from None
        yield path
