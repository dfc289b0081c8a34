"""What ``pnc.clone`` takes, in whichever form: samples, classes, settings, networks."""

import copy
import functools
import json
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from _tiny import OWLS, images, quick, samples, source_and_target
from cloning._made import make, usual
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import pnc
from pnc.base.errors import PncError
from pnc.base.files import write_json
from pnc.base.images import as_float
from pnc.cloning._request import read_settings
from pnc.cloning.settings import CloneSettings


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
    assert make(samples=forms[form])._serialise() == usual()._serialise()


def test_a_rehearsal_uses_its_samples() -> None:
    source, target = source_and_target()
    learn = functools.partial(pnc.clone, source, target, samples(), OWLS, positions=[2])
    old = images(4, 5, "animal", seed=5)
    strict, rehearsed = learn(settings=quick()), learn(settings=quick(regime="rehearsal"), rehearsal=old)
    other = learn(settings=quick(regime="rehearsal"), rehearsal=images(4, 5, "animal", seed=6))
    assert not torch.equal(strict.rows["weight"], rehearsed.rows["weight"])
    assert not torch.equal(other.rows["weight"], rehearsed.rows["weight"])
    assert rehearsed.info.provenance["regime"] == "rehearsal"


def test_classes_and_settings_may_come_in_any_form(tmp_path: Path) -> None:
    expected = usual()
    plain = asdict(quick())
    write_json(tmp_path / "own.json", plain)
    for changes in (
        {"classes": {np.int64(3): "owl", np.int64(1): "kiwi"}},
        {"classes": MappingProxyType({torch.tensor(3): "owl", torch.tensor(1): "kiwi"})},
        {"settings": plain},
        {"settings": tmp_path / "own.json"},
        {"settings": str(tmp_path / "own.json")},
        {"samples": [(as_float(samples().pixels), samples().labels.double())]},
    ):
        found = make(**changes)
        assert found._serialise() == expected._serialise()
        assert all(type(output) is int for output in found.info.classes)
    for classes in ([3, 1], ("source 3", "source 1"), np.array([3, 1]), ["source 3", 1]):
        found = make(classes=classes)
        assert (found.info.classes, found.info.names) == ((3, 1), ("source 3", "source 1"))
    assert make(classes="source 1", samples=samples({1: ""})).info.classes == (1,)


def test_samples_of_old_classes_choose_the_regime_where_the_settings_do_not() -> None:
    old = images(4, 5, "animal", seed=5)
    expected = make(settings=quick(regime="rehearsal"), rehearsal=old)._serialise()
    unsaid = {key: value for key, value in asdict(quick()).items() if key != "regime"}
    for own in (quick(), replace(quick()), copy.deepcopy(quick()), unsaid):
        assert make(settings=own, rehearsal=old)._serialise() == expected
    assert quick().regime == "strict" and json.dumps(asdict(quick())["regime"]) == '"strict"'


def test_what_a_mapping_leaves_out_is_as_usual_at_any_depth() -> None:
    own = CloneSettings()
    found = read_settings({"schedule": {"epochs": 1}, "keep": 0.5}, rehearsal=False)
    assert found == replace(own, schedule=replace(own.schedule, epochs=1), keep=0.5)
    assert read_settings(None, rehearsal=True) == replace(own, regime="rehearsal")


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_clone_is_learned_whatever_the_gradients_are_set_to(mode: Any) -> None:
    expected = usual()._serialise()
    with mode():
        assert make()._serialise() == expected
        inside = dict(zip(("source", "target"), source_and_target(), strict=True), samples=samples())
    assert make(**inside)._serialise() == expected


def test_parallel_and_compiled_networks_are_cloned_as_what_is_inside() -> None:
    source, target = source_and_target()
    compiled = torch.compile(target, backend="eager")
    assert make(source=nn.DataParallel(source), target=compiled)._serialise() == usual()._serialise()


def test_a_target_with_clones_is_cloned_for_like_the_target_itself() -> None:
    source, target = source_and_target()
    cloned = pnc.attach(target, source, usual())
    found = make(target=cloned, classes={4: "emu"}, samples=samples({4: "emu"}))
    assert pnc.attach(cloned, source, found).classes[4:] == ("owl", "kiwi", "emu")
    with pytest.raises(PncError, match=r"^classes to clone \(T_s\): expected names .*, found \['kiwi', 'owl'\]$"):
        make(target=cloned)


def test_what_clone_accepts_attach_accepts_too() -> None:
    """A target without names calls its classes by numbers: a clone of that name is refused before the work."""
    source, target = source_and_target()
    target.class_names = None
    with pytest.raises(PncError, match=r"classes to clone \(T_s\): expected names .*, found \['2'\]"):
        pnc.clone(source, target, samples(), {3: "owl", 1: "2"})
