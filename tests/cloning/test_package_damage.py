"""200 accidents of disks and networks to a package's file: whole blocks, and the header's length. Each is refused.

tests/test_package.py has those to single bits and bytes.
"""

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from _tiny import built, package_for

from pnc.base.errors import PncError
from pnc.cloning.package import ClonePackage

Draw = random.Random
CASES = 200


@cache
def whole(seed: int = 0) -> bytes:
    """A LeNet-5's package as it is saved."""
    source, target = built("lenet5", "source", 5, seed=1), built("lenet5", "target", 5, seed=2)
    return package_for(source, target, position=1, seed=seed)._serialise()


def block(draw: Draw) -> slice:
    start = draw.randrange(len(whole()))
    return slice(start, start + draw.randint(1, 512))


def zeroed(draw: Draw) -> bytes:
    lost = block(draw)
    return whole()[: lost.start] + bytes(len(whole()[lost])) + whole()[lost.stop :]


def never_flushed(draw: Draw) -> bytes:
    """The right length, but only zeros behind some point: a power failure."""
    return whole()[: draw.randrange(len(whole()))].ljust(len(whole()), b"\0")


def cut_off(draw: Draw) -> bytes:
    return whole()[: draw.randrange(len(whole()))]


def noise(draw: Draw) -> bytes:
    lost = block(draw)
    return whole()[: lost.start] + draw.randbytes(len(whole()[lost])) + whole()[lost.stop :]


def inserted(draw: Draw) -> bytes:
    place = draw.randrange(len(whole()) + 1)
    return whole()[:place] + draw.randbytes(draw.randint(1, 64)) + whole()[place:]


def doubled(draw: Draw) -> bytes:
    twice = block(draw)
    return whole()[: twice.stop] + whole()[twice] + whole()[twice.stop :]


def swapped(draw: Draw) -> bytes:
    """Two blocks of equal length in each other's place."""
    size = draw.randint(1, 256)
    first = draw.randrange(len(whole()) - 2 * size)
    second = draw.randrange(first + size, len(whole()) - size)
    content = bytearray(whole())
    content[first : first + size], content[second : second + size] = (
        whole()[second : second + size],
        whole()[first : first + size],
    )
    return bytes(content)


def of_another(draw: Draw) -> bytes:
    """A block from the package of another seed, whose every tensor has the same place."""
    mixed = block(draw)
    return whole()[: mixed.start] + whole(1)[mixed] + whole()[mixed.stop :]


def header_length(draw: Draw) -> bytes:
    """Another number in the eight bytes in front, small or absurd."""
    length = int.from_bytes(whole()[:8], "little")
    other = draw.choice([length + draw.randint(-64, 64), draw.getrandbits(16), draw.getrandbits(64), 2**64 - 1])
    return other.to_bytes(8, "little") + whole()[8:]


KINDS: list[Callable[[Draw], bytes]] = [
    zeroed,
    never_flushed,
    cut_off,
    noise,
    inserted,
    doubled,
    swapped,
    of_another,
    header_length,
]


def damaged(case: int) -> bytes:
    """The first damage from the case's generator that changes a byte."""
    draw = random.Random(case)
    kind = KINDS[case % len(KINDS)]
    while (content := kind(draw)) == whole():
        pass
    return content


def test_the_package_is_whole_before_and_the_damages_differ(tmp_path: Path) -> None:
    (tmp_path / "whole.pnc").write_bytes(whole())
    package = ClonePackage.load(tmp_path / "whole.pnc")
    assert package.nbytes == len(whole()) and all((package.masks, package.adapter, package.rows, package.quantiles))
    assert len({damaged(case) for case in range(CASES)}) > 0.95 * CASES


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=[kind.__name__ for kind in KINDS])
def test_a_damaged_package_is_refused_in_one_line(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "damaged.pnc"
    for case in range(kind, CASES, len(KINDS)):
        path.write_bytes(damaged(case))
        with pytest.raises(PncError, match=r"damaged\.pnc: expected a whole clone package, found ") as caught:
            ClonePackage.load(path)
        assert "\n" not in str(caught.value), f"case {case}"
