"""Whatever goes wrong while a file is written, what stood there before stands there still."""

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pnc.base.errors import PncError
from pnc.base.files import read_json, replacing, write_bytes, write_json, write_record, write_text
from pnc.base.tensors import read_tensors, write_tensors

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file in a folder of its own, which holds the text "old"."""
    path = tmp_path / "folder" / "file"
    write_text(path, "old")
    return path


def assert_untouched(path: Path) -> None:
    """The file holds what it held, and nothing lies beside it."""
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == [path.name]


# Atomic writes


def test_a_write_replaces_the_file_and_leaves_nothing_beside_it(old: Path) -> None:
    write_text(old, "nèw")
    assert old.read_bytes() == "nèw".encode()
    assert os.listdir(old.parent) == [old.name]


def test_folders_are_made_on_the_way(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b" / "file", b"\0\xff")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"\0\xff"


def test_the_old_file_stands_until_the_new_one_is_whole(old: Path) -> None:
    with replacing(old) as scratch:
        scratch.write_text("new")
        assert scratch.parent == old.parent
        assert old.read_text() == "old"
    assert old.read_text() == "new"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_the_old_file(old: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), replacing(old) as scratch:
        scratch.write_text("hal")
        raise failure
    assert_untouched(old)


def test_a_value_that_json_cannot_write_leaves_the_old_file(old: Path) -> None:
    with pytest.raises(TypeError):
        write_json(old, {"a": object()})
    assert_untouched(old)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(old: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[call], no_space)
    with pytest.raises(OSError, match="No space left"):
        write_text(old, "new")
    assert_untouched(old)


def test_a_disk_that_fills_half_way_leaves_the_old_file(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(path: Path, content: bytes) -> int:
        with open(path, "wb") as opened:
            opened.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="No space left"):
        write_tensors(old, {"x": torch.ones(100)})
    assert_untouched(old)


KILLED = """
import os, signal, sys
from pnc.base.files import replacing

with replacing(sys.argv[1]) as scratch:
    scratch.write_text("hal")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_that_is_killed_leaves_the_old_file(old: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(old)], capture_output=True)
    assert killed.returncode == -9, killed.stderr.decode()
    assert old.read_text() == "old"
    write_text(old, "new")
    assert old.read_text() == "new"


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_files_get_the_permissions_that_open_would_give(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "file", "x")
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask
        assert os.umask(umask) == umask
    finally:
        os.umask(before)


# JSON


@settings(max_examples=30)  # each waits for the disk
@given(json_values)
def test_json_comes_back(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path) == value


def test_equal_values_give_equal_bytes(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"x": 1, "y": 2})
    write_json(tmp_path / "b", {"y": 2, "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# Tensors


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.int64, torch.bool])
def test_tensors_come_back_bit_for_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    tensors = {
        "matrix": torch.arange(6).reshape(2, 3).to(dtype),
        "transposed": torch.arange(6).reshape(2, 3).to(dtype).T,
        "scalar": torch.tensor(1).to(dtype),
        "empty": torch.empty(0, 4, dtype=dtype),
    }
    write_tensors(tmp_path / "file", tensors, {"names": ["é", 1, None], "rate": 0.3})
    read, metadata = read_tensors(tmp_path / "file")
    assert metadata == {"names": ["é", 1, None], "rate": 0.3}
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].dtype == dtype
        assert torch.equal(read[name], tensor)


def test_tensors_that_learn_are_written_as_values(tmp_path: Path) -> None:
    write_tensors(tmp_path / "file", {"w": torch.ones(2, requires_grad=True)})
    tensors, metadata = read_tensors(tmp_path / "file")
    assert tensors["w"].tolist() == [1, 1]
    assert not tensors["w"].requires_grad
    assert metadata == {}


def test_equal_tensors_give_equal_bytes(tmp_path: Path) -> None:
    first, second = torch.ones(2), torch.zeros(3)
    write_tensors(tmp_path / "a", {"x": first, "y": second}, {"p": 1, "q": 2})
    write_tensors(tmp_path / "b", {"y": second, "x": first}, {"q": 2, "p": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# Read errors: one line that names the file, what was expected and what was found


@pytest.mark.parametrize(("read", "kind"), [(read_json, "a JSON file"), (read_tensors, "a safetensors file")])
def test_a_missing_file(tmp_path: Path, read: Callable[[Path], object], kind: str) -> None:
    with pytest.raises(PncError) as caught:
        read(tmp_path / "absent")
    assert str(caught.value) == f"{tmp_path / 'absent'}: expected {kind}, found no file"


@pytest.mark.parametrize("content", [b"", b"{", b'{"a":\n\n1,}', b"\xff\xfe"])
def test_damaged_json(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(PncError) as caught:
        read_json(tmp_path / "file")
    assert str(caught.value).startswith(f"{tmp_path / 'file'}: expected a JSON file, found damaged text (")
    assert "\n" not in str(caught.value)


def damages() -> dict[str, Callable[[bytes], bytes]]:
    return {
        "empty": lambda whole: b"",
        "cut in the header": lambda whole: whole[:20],
        "cut in the data": lambda whole: whole[:-1],
        "longer": lambda whole: whole + b"x",
        "other format": lambda whole: json.dumps({"a": 1}).encode(),
        "metadata": lambda whole: whole.replace(b"rate", b"rats"),
    }


@pytest.mark.parametrize("damage", damages().values(), ids=damages().keys())
def test_damaged_tensors(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "file"
    write_tensors(path, {"x": torch.ones(4)}, {"rate": 0.3})
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert path.read_bytes() != whole
    with pytest.raises(PncError) as caught:
        read_tensors(path)
    assert str(caught.value).startswith(f"{path}: expected a whole safetensors file, found a damaged one (")
    assert "\n" not in str(caught.value)


def test_of_a_record_one_list_may_have_a_line_for_each_item(tmp_path: Path) -> None:
    """So that git shows which of many numbers has changed."""
    value = {"scores": [{"b": 2, "a": [1, {}]}, {"a": None}], "settings": {"scores": None, "rows": [1]}}
    write_record(tmp_path / "rows.json", value, rows="scores")
    write_record(tmp_path / "plain.json", value)
    assert read_json(tmp_path / "rows.json") == read_json(tmp_path / "plain.json") == value
    lines = (tmp_path / "rows.json").read_text().splitlines()
    assert ' "scores": [' in lines and '  {"a": [1, {}], "b": 2},' in lines and '  {"a": null}' in lines
    write_record(tmp_path / "none.json", {"scores": []}, rows="scores")
    assert read_json(tmp_path / "none.json") == {"scores": []}
