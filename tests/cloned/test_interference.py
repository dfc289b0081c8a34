"""What packages take from other classes: counted one picture at a time, and attaching stops at the user's limit."""

import pytest
import torch
from _plugs import animals, attached, plugs
from _tiny import pictures
from torch import Tensor

import pnc
from pnc.base.errors import PncError
from pnc.cloned.interference import Limit, interference
from pnc.cloned.model import ClonedModel, attach
from pnc.cloning.notice import PncWarning

SAMPLES = {name: pictures(12, seed=seed) for seed, name in enumerate(("lynx", "animal 2", "kiwi"))}


@pytest.mark.parametrize("joint", [False, True])
def test_the_matrix_counts_whose_logit_is_the_highest(joint: bool) -> None:
    target = animals()
    chosen = plugs()[:2]
    found = interference(target, chosen, SAMPLES, joint=joint)
    assert found.classes == ("animal 2", "kiwi", "lynx") and found.owners == (0, 1, 2)
    assert found.takers == ("target", "owl, kiwi", "lynx")
    model = attached(target, chosen)
    assert isinstance(model, ClonedModel)
    groups = [slice(0, 4), slice(4, 6), slice(6, 7)]
    for row, name in enumerate(found.classes):
        with torch.no_grad():
            logits = model.calibrated(joint=joint)(SAMPLES[name])
        best = torch.stack([logits[:, group].amax(1) for group in groups], dim=1).argmax(1)
        assert found.shares[row].tolist() == pytest.approx([float((best == k).double().mean()) for k in range(3)])
        for column in range(3):
            foreign = column not in (0, found.owners[row])
            assert found.taken[row, column] == (found.shares[row, column] if foreign else 0)


def test_no_order_changes_what_is_taken() -> None:
    target = animals()
    chosen = plugs()
    one, other = (interference(target, order, SAMPLES, joint=True) for order in (chosen, chosen[::-1]))
    for name in SAMPLES:
        first, second = (
            dict(zip(each.takers, each.shares[each.classes.index(name)].tolist(), strict=True))
            for each in (one, other)
        )
        assert first == second


def worst(samples: dict[str, Tensor]) -> float:
    target = animals()
    return float(interference(target, plugs()[:2], samples).taken.max())


def test_past_the_limit_attaching_is_refused_or_warned_about() -> None:
    target = animals()
    first, second, _ = plugs()
    model, most = attach(target, *first), worst(SAMPLES)
    assert most > 0.05
    assert attach(model, *second, limit=Limit(SAMPLES, most)).packages == (first[1], second[1])
    line = rf"^pictures of '.*' that .* takes: expected at most 5 %, found {100 * most:.1f} %$"
    with pytest.raises(PncError, match=line):
        attach(model, *second, limit=Limit(SAMPLES, 0.05))
    assert model.packages == (first[1],) and model.detach() is target
    with pytest.warns(PncWarning, match=line):
        warned = attach(model, *second, limit=Limit(SAMPLES, 0.05, refuse=False))
    assert len(warned.packages) == 2


def test_bytes_and_floats_are_the_same_pictures() -> None:
    pixels = {name: (255 * each).round().to(torch.uint8) for name, each in SAMPLES.items()}
    target = animals()
    found = [interference(target, plugs(), each) for each in (pixels, {k: v / 255 for k, v in pixels.items()})]
    assert torch.equal(found[0].shares, found[1].shares)


def test_samples_that_say_nothing_are_refused_in_one_line() -> None:
    target = animals()
    chosen = plugs()[:1]
    for samples, line in (
        ({"lynx": pictures(2)}, "classes of the samples: expected some of animal 0, .*, kiwi, found lynx"),
        ({}, "samples: expected pictures of at least one class, found none"),
        (
            {"owl": pictures(0)},
            r"samples of 'owl': expected pictures \[n, C, H, W\], at least one, found \[0, 3, 8, 8\]",
        ),
        ({"owl": [1]}, "samples of 'owl': expected pictures .*, found list"),
    ):
        with pytest.raises(PncError, match=f"^{line}$"):
            pnc.interference(target, chosen, samples)  # type: ignore[arg-type]
    with pytest.raises(PncError, match="packages to measure: expected at least one, found none"):
        interference(target, [], SAMPLES)
    with pytest.raises(PncError, match=r"limit of interference: expected a share in \[0, 1\], found 1.5"):
        pnc.Limit(SAMPLES, 1.5)
