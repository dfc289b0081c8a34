"""Unfinished work: checkpoints that a stage which was killed finds again, and that no other stage can mistake."""

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pnc.base.train import Checkpoint

SCRATCH = Path(".scratch")


@contextmanager
def scratch(stage: str, *key: object) -> Iterator[Path]:
    """A folder for unfinished work, named by a hash of ``key`` and the code at hand; gone once the work is through.

    ``key`` is all that the work depends on. Of pnc just the modules that this stage has imported count, so that a
    checkpoint survives an edit elsewhere.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode())
    used = {Path(module.__file__) for name, module in list(sys.modules.items()) if _is_ours(name) and module.__file__}
    for path in sorted(used):
        digest.update(path.read_bytes())
    folder = SCRATCH / f"{stage}-{digest.hexdigest()[:16]}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def checkpoint(folder: Path, *item: object) -> Checkpoint:
    return Checkpoint(folder / f"{'-'.join(map(str, item))}.pt")


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == "pnc"
