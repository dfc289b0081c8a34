"""Which tensors of a file are damaged: told by a checksum for each, or refused in one line."""

import json
from dataclasses import replace
from functools import cache

import pytest
from _tiny import package_for, source_and_target
from hypothesis import given, settings
from hypothesis import strategies as st

from pnc.base.errors import PncError
from pnc.repairing import digests, find_damage


@cache
def whole() -> bytes:
    return package_for(*source_and_target(), position=1)._serialise()


@cache
def places() -> dict[str, tuple[int, int]]:
    """Where each tensor's bytes are in the file."""
    start = 8 + int.from_bytes(whole()[:8], "little")
    header = json.loads(whole()[8:start])
    spans = {name: entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"}
    return {name: (start + first, start + stop) for name, (first, stop) in spans.items()}


def flipped(content: bytes, places: set[int]) -> bytes:
    return bytes(byte ^ (0x40 if index in places else 0) for index, byte in enumerate(content))


def test_a_whole_package_has_no_damage_with_or_without_checksums() -> None:
    assert find_damage(whole(), digests(whole())).tensors == ()
    found = find_damage(whole())
    assert found.tensors == () and found.package._serialise() == whole()


@settings(max_examples=40)
@given(st.data())
def test_exactly_the_tensors_with_flipped_bits_are_named(data: st.DataObject) -> None:
    first = min(start for start, _ in places().values())
    flips = data.draw(st.sets(st.integers(first, len(whole()) - 1), min_size=1, max_size=6))
    hit = {name for name, (start, stop) in places().items() if any(start <= place < stop for place in flips)}
    assert find_damage(flipped(whole(), flips), digests(whole())).tensors == tuple(sorted(hit))


def test_what_was_cut_off_is_damaged_and_the_rest_is_not() -> None:
    start, _ = places()["M.2.0"]
    damage = find_damage(whole()[: start + 1], digests(whole()))
    behind = {name for name, (_, stop) in places().items() if stop > start + 1}
    assert set(damage.tensors) <= behind  # bits that were zero anyway are not lost
    assert not set(damage.tensors) & {name for name in places() if name not in behind}
    assert find_damage(whole() + b"more", digests(whole())).tensors == ()


@settings(max_examples=40)
@given(st.data())
def test_damage_in_front_of_the_tensors_is_refused_in_one_line_or_harmless(data: st.DataObject) -> None:
    first = min(start for start, _ in places().values())
    flips = data.draw(st.sets(st.integers(0, first - 1), min_size=1, max_size=3))
    try:
        damage = find_damage(flipped(whole(), flips), digests(whole()))
    except PncError as error:
        assert "\n" not in str(error)
    else:
        assert damage.package.info == find_damage(whole()).package.info


def test_a_file_of_format_3_carries_its_own_checksums() -> None:
    places_hit = {places()["A.weight"][0], places()["F_c.bias"][0]}
    assert find_damage(flipped(whole(), places_hit)).tensors == ("A.weight", "F_c.bias")


def test_without_a_checksum_for_each_tensor_damage_cannot_be_placed() -> None:
    package = package_for(*source_and_target(), position=1)
    old = replace(package, info=replace(package.info, format=2))._serialise()
    with pytest.raises(PncError, match="expected a checksum for each tensor, found one for the whole file"):
        find_damage(flipped(old, {len(old) - 1}))
