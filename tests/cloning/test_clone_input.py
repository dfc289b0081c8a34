"""What ``pnc.clone`` takes for samples, and how it refuses what it cannot work with: one line, before any work."""

import functools
from typing import Any

import pytest
import torch
from _tiny import OWLS, built, images, quick, samples, source_and_target, state
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import pnc
from pnc.base.errors import PncError
from pnc.base.images import Images, as_float
from pnc.cloning.local.neighbourhood import Neighbourhood


@pytest.mark.parametrize("form", ["images", "loader", "floats", "one batch"])
def test_samples_may_come_in_any_form(form: str) -> None:
    given = samples()
    pixels, labels = given.pixels, given.labels
    forms: dict[str, Any] = {
        "images": given,
        "loader": DataLoader(TensorDataset(as_float(pixels), labels), batch_size=5),
        "floats": [(as_float(pixels).double(), labels.int())],
        "one batch": [[pixels, labels]],
    }
    source, target = source_and_target()
    make = functools.partial(pnc.clone, source, target, classes=OWLS, settings=quick(), positions=[2])
    assert make(samples=forms[form])._serialise() == make(samples=given)._serialise()


def test_a_rehearsal_uses_its_samples() -> None:
    source, target = source_and_target()
    make = functools.partial(pnc.clone, source, target, samples(), OWLS, positions=[2])
    old = images(4, 5, "animal", seed=5)
    strict, rehearsed = make(settings=quick()), make(settings=quick(regime="rehearsal"), rehearsal=old)
    other = make(settings=quick(regime="rehearsal"), rehearsal=images(4, 5, "animal", seed=6))
    assert not torch.equal(strict.rows["weight"], rehearsed.rows["weight"])
    assert not torch.equal(other.rows["weight"], rehearsed.rows["weight"])
    assert rehearsed.info.provenance["regime"] == "rehearsal"


FLOATS = as_float(samples().pixels)
LABELS = samples().labels
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "class not in source": (
        {"classes": {5: "owl"}},
        "classes to clone: expected outputs of the source, 0…4, found [5]",
    ),
    "no classes": ({"classes": {}}, "classes to clone: expected at least one, found none"),
    "T_s overlaps T_t": (
        {"classes": {3: "owl", 1: "target 2"}},
        "classes to clone (T_s): expected names that the target (T_t) lacks, found ['target 2']",
    ),
    "two classes of one name": ({"classes": {3: "owl", 1: "owl"}}, "class names: expected different ones"),
    "no samples": ({"samples": []}, "samples (D_t): expected at least one batch of (pictures, labels), found none"),
    "an empty batch": (
        {"samples": [(FLOATS[:0], LABELS[:0])]},
        "samples (D_t): expected pictures of each class out of [3, 1], found none of [1, 3]",
    ),
    "strangers": (
        {"samples": images(5, 4)},
        "labels of samples (D_t): expected classes out of [3, 1], found [0, 2, 4]",
    ),
    "a class without pictures": (
        {"samples": samples({3: "owl"})},
        "samples (D_t): expected pictures of each class out of [3, 1], found none of [1]",
    ),
    "one picture of a class": (
        {"samples": samples(each=1)},
        "pictures of class 'owl' to hold some out of:",
    ),
    "grey pictures": (
        {"samples": Images(samples().pixels[:, :1], LABELS, tuple("abcde"))},
        "channels of pictures for the source: expected 3, found 1",
    ),
    "pictures too small": (
        {"samples": samples(size=4), "source": built("lenet5", "bird", 5, 0)},
        "picture size for the source: expected what it takes, found [3, 4, 4] (",
    ),
    "a grid that does not fit": (
        {"settings": quick(neighbourhood=Neighbourhood(grid=3))},
        "picture size: expected a multiple of the 3×3 grid, found 8×8",
    ),
    "floats above 1": (
        {"samples": [(FLOATS * 255, LABELS)]},
        "pixels of samples (D_t): expected uint8, or floats in [0, 1], found floats in [",
    ),
    "floats below 0": (
        {"samples": [(FLOATS - 0.5, LABELS)]},
        "pixels of samples (D_t): expected uint8, or floats in",
    ),
    "not a number": (
        {"samples": [(FLOATS * torch.nan, LABELS)]},
        "pixels of samples (D_t): expected uint8, or floats",
    ),
    "whole numbers": (
        {"samples": [(FLOATS.long(), LABELS)]},
        "pixels of samples (D_t): expected uint8, or floats in",
    ),
    "tensors in place of batches": (
        {"samples": (FLOATS, LABELS)},
        "samples (D_t): expected batches of pictures [n, C, H, W] and labels [n], found [[12, 3, 8, 8]]",
    ),
    "a data set in place of batches": (
        {"samples": [(FLOATS[0], 3)]},
        "samples (D_t): expected batches of pictures [n, C, H, W] and labels [n], found [[3, 8, 8], 'int']",
    ),
    "fewer labels than pictures": (
        {"samples": [(FLOATS, LABELS[:-1])]},
        "samples (D_t): expected batches of pictures [n, C, H, W] and labels [n], found [[12, 3, 8, 8], [11]]",
    ),
    "pictures of two sizes": (
        {"samples": [(FLOATS[:6], LABELS[:6]), (FLOATS[6:, :, :4], LABELS[6:])]},
        "pictures of samples (D_t): expected one size, found [(3, 4, 8), (3, 8, 8)]",
    ),
    "position out of range": ({"positions": [1, 3]}, "positions R: expected blocks of the target, 0…2, found [1, 3]"),
    "no positions": ({"positions": []}, "positions R: expected blocks of the target, 0…2, found []"),
    "a rehearsal without samples": (
        {"settings": quick(regime="rehearsal")},
        "regime rehearsal: expected samples of the target's classes (D_o), found none",
    ),
    "strangers in the rehearsal": (
        {"rehearsal": images(5, 4)},
        "labels of rehearsal samples (D_o): expected classes out of [0, 1, 2, 3], found [4]",
    ),
    "a rehearsal of another size": (
        {"rehearsal": images(4, 4, size=16)},
        "rehearsal samples (D_o): expected pictures [3, 8, 8], found [3, 16, 16]",
    ),
    "an unknown kind of source": (
        {"source": nn.Linear(3, 5)},
        "network: expected a pnc.BlockNet, a torchvision ResNet or an nn.Sequential ending in nn.Linear, found",
    ),
    "an unknown kind of target": (
        {"target": nn.Sequential(nn.Conv2d(3, 5, 3))},
        "network: expected a pnc.BlockNet, a",
    ),
}


@pytest.mark.parametrize("changes_and_line", WRONG.values(), ids=WRONG)
def test_bad_input_gets_one_line_before_any_work(
    changes_and_line: tuple[dict[str, Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, line = changes_and_line
    monkeypatch.setattr("pnc.cloning.local.local_models.LocalModels", None)  # nothing may come so far
    source, target = source_and_target()
    before = state(source), state(target)
    given = {"source": source, "target": target, "samples": samples(), "classes": OWLS, "settings": quick()}
    with pytest.raises(PncError) as caught:
        pnc.clone(**{**given, **changes})
    assert str(caught.value).startswith(line) and "\n" not in str(caught.value)
    assert (state(source), state(target)) == before


def test_what_clone_accepts_attach_accepts_too() -> None:
    """A target without names calls its classes by numbers: a clone of that name is refused before the work."""
    source, target = source_and_target()
    target.class_names = None
    with pytest.raises(PncError, match=r"classes to clone \(T_s\): expected names .*, found \['2'\]"):
        pnc.clone(source, target, samples(), {3: "owl", 1: "2"})
