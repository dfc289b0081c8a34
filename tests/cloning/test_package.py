"""{M, R, A, F_c} on disk: the same bits come back, and a file with any damage is refused."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from _tiny import package_for, source_and_target
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pnc.base.errors import PncError
from pnc.base.files import write_bytes
from pnc.base.tensors import write_tensors
from pnc.cloning import package as module
from pnc.cloning.package import ClonePackage

counts = st.integers(0, 2**31)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@cache
def one_package() -> ClonePackage:
    return package_for(*source_and_target(), position=1)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("package") / "owl-kiwi.pnc"
    one_package().save(path)
    return path


def same(one: ClonePackage, other: ClonePackage) -> bool:
    pairs = [(getattr(one, part), getattr(other, part)) for part in ("masks", "adapter", "rows", "quantiles")]
    return one.info == other.info and all(
        a.keys() == b.keys() and all(a[key].dtype == b[key].dtype and torch.equal(a[key], b[key]) for key in a)
        for a, b in pairs
    )


def test_a_package_comes_back_as_it_was(saved: Path) -> None:
    assert same(ClonePackage.load(saved), one_package())
    assert saved.stat().st_size == one_package().nbytes


def backwards(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensors[name] for name in reversed(list(tensors))}


def test_equal_packages_give_equal_bytes(saved: Path, tmp_path: Path) -> None:
    again = package_for(*source_and_target(), position=1)
    turned = replace(again, masks=backwards(again.masks), rows=backwards(again.rows))
    ClonePackage.load(saved).save(tmp_path / "loaded.pnc")
    again.save(tmp_path / "again.pnc")
    turned.save(tmp_path / "turned.pnc")
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {saved.read_bytes()}


def test_a_package_is_far_smaller_than_its_target() -> None:
    _, target = source_and_target()
    masks = sum(len(mask) for mask in one_package().masks.values())
    parts = (one_package().adapter, one_package().rows, one_package().quantiles)
    floats = sum(t.numel() for part in parts for t in part.values())
    assert one_package().nbytes < masks / 8 + 4 * floats + 2000
    assert 4 * floats < sum(4 * tensor.numel() for tensor in target.state_dict().values())


@settings(max_examples=50)
@given(
    st.dictionaries(texts, st.lists(st.booleans(), min_size=1, max_size=70).map(torch.tensor), max_size=4),
    st.lists(texts, min_size=1, max_size=3),
    st.dictionaries(texts, st.floats(allow_nan=False) | st.lists(st.integers()) | texts | st.none(), max_size=3),
)
def test_any_masks_names_and_provenance_survive(
    tmp_path_factory: pytest.TempPathFactory,
    masks: dict[str, Tensor],
    names: list[str],
    provenance: dict[str, object],
) -> None:
    info = replace(one_package().info, names=tuple(names), provenance=provenance)
    package = replace(one_package(), masks=masks, info=info)
    path = tmp_path_factory.getbasetemp() / "any.pnc"
    package.save(path)
    assert same(ClonePackage.load(path), package)


@st.composite
def damages(draw: st.DrawFn) -> bytes:
    """The saved bytes after an accident."""
    whole = one_package()._serialise()
    place, other = (draw(counts) % len(whole) for _ in range(2))
    kind = draw(st.sampled_from(["bit", "byte", "truncated", "extended", "swapped", "repeated", "lost"]))
    if kind == "bit":
        return whole[:place] + bytes([whole[place] ^ 1 << draw(st.integers(0, 7))]) + whole[place + 1 :]
    if kind == "byte":
        return whole[:place] + draw(st.binary(min_size=1, max_size=1)) + whole[place + 1 :]
    if kind == "swapped":
        turned = bytearray(whole)
        turned[place], turned[other] = whole[other], whole[place]
        return bytes(turned)
    return {
        "truncated": whole[:place],
        "extended": whole + draw(st.binary(min_size=1, max_size=20)),
        "repeated": whole[:place] + whole[max(0, place - 8) :],
        "lost": whole[:place] + whole[place + 1 :],
    }[kind]


@settings(max_examples=300)
@given(damages())
def test_no_damaged_file_is_loaded(tmp_path_factory: pytest.TempPathFactory, damaged: bytes) -> None:
    if damaged == one_package()._serialise():
        return
    path = tmp_path_factory.getbasetemp() / "damaged.pnc"
    path.write_bytes(damaged)
    with pytest.raises(PncError, match=r"damaged\.pnc: expected a whole clone package, found ") as caught:
        ClonePackage.load(path)
    assert "\n" not in str(caught.value)


def test_no_damaged_quantile_is_loaded(tmp_path: Path) -> None:
    whole, gaps = one_package()._serialise(), one_package().quantiles["gap"].numpy().tobytes()
    assert whole.count(gaps) == 1
    for place in range(whole.index(gaps), whole.index(gaps) + len(gaps)):
        (tmp_path / "damaged.pnc").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(PncError, match=r"damaged\.pnc: expected a whole clone package, found "):
            ClonePackage.load(tmp_path / "damaged.pnc")


def test_a_file_that_says_the_same_in_other_bytes_is_refused(saved: Path, tmp_path: Path) -> None:
    """More spaces behind the header: the same JSON and the same tensors."""
    whole = saved.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    padded = (length + 8).to_bytes(8, "little") + whole[8 : 8 + length] + 8 * b" " + whole[8 + length :]
    assert module.load(padded).keys() == module.load(whole).keys()
    (tmp_path / "padded.pnc").write_bytes(padded)
    with pytest.raises(PncError, match="expected a whole clone package, found a file whose checksum does not fit"):
        ClonePackage.load(tmp_path / "padded.pnc")


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pnc"
    with pytest.raises(PncError, match=r"other\.pnc: expected a clone package, found No such file"):
        ClonePackage.load(path)
    with pytest.raises(PncError, match="expected a clone package, found Is a directory"):
        ClonePackage.load(tmp_path)
    for write in (lambda: path.write_bytes(b""), lambda: write_tensors(path, {"a": torch.zeros(3)}, {"b": 1})):
        write()
        with pytest.raises(PncError, match="expected a whole clone package, found a damaged file"):
            ClonePackage.load(path)


def test_packages_of_another_format_are_refused_by_its_number(tmp_path: Path) -> None:
    later = replace(one_package(), info=replace(one_package().info, format=4))
    later.save(tmp_path / "later.pnc")
    with pytest.raises(PncError, match="package format: expected 2 or 3, found 4"):
        ClonePackage.load(tmp_path / "later.pnc")


def test_packages_of_format_2_have_no_quantiles_and_come_back_as_they_were(tmp_path: Path) -> None:
    earlier = replace(one_package(), info=replace(one_package().info, format=2), quantiles={})
    earlier.save(tmp_path / "earlier.pnc")
    assert same(ClonePackage.load(tmp_path / "earlier.pnc"), earlier)


def test_a_checksum_made_to_fit_still_needs_whole_notes(tmp_path: Path) -> None:
    """Someone else's file with the right shape: only half of the facts."""
    notes = json.dumps({"info": {"position": 1}, "filters": {}})
    content = module.save({}, {"pnc": json.dumps([module.checksum({}, notes), notes])})
    write_bytes(tmp_path / "half.pnc", content)
    with pytest.raises(PncError, match="expected a whole clone package"):
        ClonePackage.load(tmp_path / "half.pnc")


def test_a_failing_write_leaves_the_old_package_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "owl.pnc"
    one_package().save(path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        package_for(*source_and_target(), position=2).save(path)
    assert [found.name for found in tmp_path.iterdir()] == ["owl.pnc"]
    assert path.read_bytes() == before
