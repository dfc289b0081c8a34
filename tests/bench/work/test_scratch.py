"""Unfinished work: found again by whoever does the same with the same code, by nobody else, and gone at the end."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from bench.work.scratch import checkpoint, scratch

KEY = ("pretrain", {"network": "old"}, {"epochs": 3})


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def folder(stage: str = "pretrain", *key: object) -> Path:
    with scratch(stage, *key) as found:
        return found


def test_the_same_work_finds_the_same_folder_and_any_other_another() -> None:
    assert folder(*KEY) == folder(*KEY)
    others = [("ablate", *KEY[1:]), (*KEY[:2], {"epochs": 4}), KEY[:2], ("pretrain", KEY[2], KEY[1])]
    assert len({folder(*KEY), *(folder(*other) for other in others)}) == 5
    assert folder(*KEY).parent == Path(".scratch")
    assert folder(*KEY).name.startswith("pretrain-")


def test_the_order_of_settings_does_not_count() -> None:
    assert folder("pretrain", {"a": 1, "b": 2}) == folder("pretrain", {"b": 2, "a": 1})


def test_it_goes_with_the_work_and_stays_where_that_failed() -> None:
    with pytest.raises(KeyboardInterrupt), scratch(*KEY) as unfinished:
        unfinished.mkdir(parents=True)
        (unfinished / "0.pt").touch()
        raise KeyboardInterrupt
    assert (unfinished / "0.pt").exists()
    with scratch(*KEY) as again:
        assert again == unfinished and (again / "0.pt").exists()
    assert not unfinished.exists()


def module(name: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = ModuleType(name)
    loaded.__file__ = str(path)
    monkeypatch.setitem(sys.modules, name, loaded)


def test_the_code_of_the_library_that_is_at_work_counts_and_no_other(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, unused, other = (here / f"{name}.py" for name in ("used", "unused", "other"))
    for path in (used, unused, other):
        path.write_text("x = 1\n")
    before = folder(*KEY)
    module("pnc.used", used, monkeypatch)
    module("report.other", other, monkeypatch)
    with_it = folder(*KEY)
    assert with_it != before
    for path in (unused, other):
        path.write_text("x = 2\n")
    assert folder(*KEY) == with_it
    used.write_text("x = 2\n")
    assert folder(*KEY) not in (before, with_it)


def test_a_checkpoint_is_named_by_its_item() -> None:
    assert checkpoint(Path("at"), "finetune", 2, 0).path == Path("at/finetune-2-0.pt")
