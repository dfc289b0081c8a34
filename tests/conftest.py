"""What the tests share: few threads, unhurried property tests, and the real data where they are at hand."""

import os
import signal
from pathlib import Path

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(2)
# A shell's background job ignores it, and so would every process that is started and interrupted here.
signal.signal(signal.SIGINT, signal.default_int_handler)
# A property is tried on 25 inputs, or on as many as its test says: HYPOTHESIS_PROFILE=thorough has ten times as many.
settings.register_profile("pnc", deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None, max_examples=250)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "pnc"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with mnist/, cifar10/, ...: PNC_DATA, or shared/data beside the repository."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    root = Path(os.environ.get("PNC_DATA") or beside)
    if not (root / "mnist" / "test.parquet").is_file():
        pytest.skip("no real data: PNC_DATA names no folder with mnist/test.parquet, nor does ../shared/data")
    return root
