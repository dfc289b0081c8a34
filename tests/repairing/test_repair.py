"""Scenario I: a package through a lossy channel. Digits, a few seconds: before, damaged, repaired."""

import json

import pytest
import torch
from _digits import NEW, OLD, SETTINGS, average, cloned, samples, trained
from _tiny import content, state

from pnc.base.errors import PncError
from pnc.base.seeds import generator
from pnc.cloning.package import ClonePackage
from pnc.repairing import REPAIRABLE, digests, find_damage, repair

NAMES = list(REPAIRABLE)


def noisy(content: bytes, names: list[str], seed: int = 0) -> bytes:
    """The file with every fourth byte of the tensors ``names`` lost."""
    start = 8 + int.from_bytes(content[:8], "little")
    header, lossy = json.loads(content[8:start]), bytearray(content)
    for name in names:
        first, stop = header[name]["data_offsets"]
        count = len(range(start + first, start + stop, 4))
        drawn = torch.randint(1, 256, (count,), generator=generator(seed, "channel", name)).tolist()
        for place, byte in zip(range(start + first, start + stop, 4), drawn, strict=True):
            lossy[place + 3] ^= byte  # the sign and the exponent
    return bytes(lossy)


def tensors(package: ClonePackage) -> dict[str, bytes]:
    parts = {"A.": package.adapter, "F_c.": package.rows, "M.": package.masks, "s.": package.constants}
    return {prefix + name: content(tensor) for prefix, part in parts.items() for name, tensor in part.items()}


@pytest.mark.parametrize("lost", [NAMES, ["A.weight"], ["F_c.weight", "F_c.bias"], ["F_c.bias"]], ids=str)
def test_a_damaged_package_is_within_a_few_points_once_repaired(lost: list[str]) -> None:
    whole = cloned()._serialise()
    damage = find_damage(noisy(whole, lost), digests(whole))
    assert damage.tensors == tuple(sorted(lost))
    source, target = trained(NEW)[0], trained(OLD)[0]
    before = state(source), state(target)
    repaired = repair(damage.package, source, target, samples(), damaged=damage.tensors, settings=SETTINGS)
    assert (state(source), state(target)) == before
    good, bad, again = average(cloned()), average(damage.package), average(repaired)
    assert good > 85
    assert bad < good - 8
    assert again > good - 4
    assert repaired.info.provenance["repaired"] == sorted(lost)


def test_what_was_not_damaged_keeps_its_bits_and_the_same_seed_gives_the_same_repair() -> None:
    source, target = trained(NEW)[0], trained(OLD)[0]
    one, other = (
        repair(cloned(), source, target, samples(), damaged=["A.weight"], settings=SETTINGS) for _ in range(2)
    )
    assert one._serialise() == other._serialise()
    was, now = tensors(cloned()), tensors(one)
    assert {name for name in was if was[name] != now[name]} == {"A.weight"}


def test_nothing_damaged_is_nothing_to_do() -> None:
    source, target = trained(NEW)[0], trained(OLD)[0]
    assert repair(cloned(), source, target, samples(), damaged=()) is cloned()


def test_damage_to_m_and_other_networks_are_refused_in_one_line() -> None:
    source, target = trained(NEW)[0], trained(OLD)[0]
    with pytest.raises(PncError, match=r"damage to repair: expected tensors of A and F_c alone .* found M\.2\.0"):
        repair(cloned(), source, target, samples(), damaged=["M.2.0", "A.bias"])
    with pytest.raises(PncError, match=r"target network's SHA-256: expected .* \(the package's\), found"):
        repair(cloned(), source, trained(OLD, 1)[0], samples(), damaged=["A.bias"], settings=SETTINGS)
