"""What ``pnc.clone`` takes for samples, and how it refuses what it cannot work with: one line, before any work."""

import copy
import functools
import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from _tiny import OWLS, built, images, quick, samples, source_and_target, state
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import pnc
from pnc.base.errors import PncError
from pnc.base.files import write_json
from pnc.base.images import Images, as_float
from pnc.cloning._request import read_settings
from pnc.cloning.local.neighbourhood import Neighbourhood
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
    source, target = source_and_target()
    learn = functools.partial(pnc.clone, source, target, classes=OWLS, settings=quick(), positions=[2])
    assert learn(samples=forms[form])._serialise() == learn(samples=given)._serialise()


def test_a_rehearsal_uses_its_samples() -> None:
    source, target = source_and_target()
    learn = functools.partial(pnc.clone, source, target, samples(), OWLS, positions=[2])
    old = images(4, 5, "animal", seed=5)
    strict, rehearsed = learn(settings=quick()), learn(settings=quick(regime="rehearsal"), rehearsal=old)
    other = learn(settings=quick(regime="rehearsal"), rehearsal=images(4, 5, "animal", seed=6))
    assert not torch.equal(strict.rows["weight"], rehearsed.rows["weight"])
    assert not torch.equal(other.rows["weight"], rehearsed.rows["weight"])
    assert rehearsed.info.provenance["regime"] == "rehearsal"


FLOATS = as_float(samples().pixels)
LABELS = samples().labels


def spoilt(**changes: Callable[[nn.Module], Any]) -> dict[str, nn.Module]:
    """Tiny networks, those that are named changed in place, or for what the change returns."""
    networks: dict[str, nn.Module] = dict(zip(("source", "target"), source_and_target(), strict=True))
    for role, change in changes.items():
        found = change(networks[role])
        networks[role] = found if isinstance(found, nn.Module) else networks[role]
    return networks


class Odd(Tensor):
    pass


def lazy(network: Any) -> None:
    network.blocks[1][0] = nn.LazyConv2d(9, 3, 2, 1)


def scripted(network: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(copy.deepcopy(network), torch.rand(1, 3, 8, 8))


def quantised(network: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.head = torch.ao.nn.quantized.Linear(12, 5)


def named(*names: str) -> Callable[[nn.Module], None]:
    return lambda network: setattr(network, "class_names", names)


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
        "a picture [3, 4, 4] through the source network: expected logits [1, 5], found RuntimeError: ",
    ),
    "a grid that does not fit": (
        {"settings": quick(neighbourhood=Neighbourhood(grid=3))},
        "settings.neighbourhood.grid: expected a divisor of the pictures' 8×8 pixels, found 3",
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
    "strict in so many words, with a rehearsal": (
        {"settings": quick(regime="strict"), "rehearsal": images(4, 4)},
        "settings.regime beside rehearsal samples (D_o): expected rehearsal (or no rehearsal samples), found strict",
    ),
    "the same as a mapping": (
        {"settings": {"regime": "strict"}, "rehearsal": images(4, 4)},
        "settings.regime beside rehearsal samples (D_o): expected rehearsal (or no rehearsal samples), found strict",
    ),
    "an unknown setting": (
        {"settings": {"kept": 0.5}},
        "settings: unknown key: expected one of adapter, anneal, calibration, ",
    ),
    "no file of settings": ({"settings": "no.json"}, "no.json: expected a JSON file, found no file"),
    "labels between classes": (
        {"samples": [(FLOATS, LABELS + 0.7)]},
        "labels of samples (D_t): expected whole numbers, one class each, found 1.7",
    ),
    "no samples at all": (
        {"samples": None},
        "samples (D_t): expected Images, or batches of (pictures, labels), found",
    ),
    "an unknown name": (
        {"classes": ["owl"]},
        "class to clone: expected one of the source's: source 0, source 1, source 2, source 3, source 4, found 'owl'",
    ),
    "a name, but the source has none": (
        {"classes": ["owl"], **spoilt(source=named())},
        "class to clone: expected a number (the source names no classes), found 'owl'",
    ),
    "a number between outputs": (
        {"classes": {1.0: "owl"}},
        "class to clone: expected an output of the source, 0…4, or its name, found 1.0",
    ),
    "a truth for an output": ({"classes": [True]}, "class to clone: expected an output of the source, 0…4, or its"),
    "a class twice": ({"classes": [3, "source 3"]}, "classes to clone: expected each once, found 'source 3' again"),
    "a name that is none": ({"classes": {3: 7}}, "classes to clone: expected names that are not empty, found 7"),
    "another class's name": (
        {"classes": {3: "source 1", 1: "kiwi"}},
        "name of class 3: expected 'source 3', or a new name, found 'source 1', the name of output 1 (which output",
    ),
    "a swapped pair": (
        spoilt(target=named("rook", "kiwi", "lynx", "owl")),
        "classes to clone (T_s): expected names that the target (T_t) lacks, found ['kiwi', 'owl'] (at these very "
        "outputs: are source and target swapped?)",
    ),
    "half precision": (
        spoilt(source=lambda network: network.half()),
        "type of the source network's weights: expected torch.float32 (network.float() makes it so), found "
        "torch.float16 in 'blocks.0.1.weight'",
    ),
    "bfloat16": (
        spoilt(target=lambda network: network.bfloat16()),
        "type of the target network's weights: expected torch.float32 (network.float() makes it so), found torch.bf",
    ),
    "double precision": (
        spoilt(source=lambda network: [network.head.double()]),  # type: ignore[union-attr, operator]
        "type of the source network's weights: expected torch.float32 (network.float() makes it so), found "
        "torch.float64 in 'head.weight'",
    ),
    "weights without values": (
        spoilt(target=lambda network: network.to("meta")),
        "target network: expected weights with values, found 'blocks.0.1.weight' on the device meta",
    ),
    "a lazy layer": (
        spoilt(source=lazy),
        "source network: expected float32 layers of plain PyTorch, found a lazy layer that has seen no picture yet "
        "(LazyConv2d at 'blocks.1.0')",
    ),
    "TorchScript": (
        spoilt(source=scripted),
        "source network: expected float32 layers of plain PyTorch, found a TorchScript module",
    ),
    "a quantised layer": (
        spoilt(source=quantised),
        "source network: expected float32 layers of plain PyTorch, found a quantised layer (Linear at 'head')",
    ),
    "a tensor of another kind": (
        spoilt(
            source=lambda network: setattr(network.head, "weight", nn.Parameter(torch.rand(5, 12).as_subclass(Odd)))
        ),
        "source network: expected plain tensors, found a Odd in 'head.weight'",
    ),
    "settings that are none": ({"settings": [3]}, "settings: expected the keys of CloneSettings, found [3]"),
    "a weight that is no number": (
        spoilt(source=lambda network: network.head.weight.data[1].fill_(torch.nan)),  # type: ignore[union-attr]
        "weights of the source network: expected finite numbers, found nan in 'head.weight'",
    ),
    "an infinite statistic": (
        spoilt(target=lambda network: network.get_buffer("blocks.1.1.running_var").fill_(-torch.inf)),
        "weights of the target network: expected finite numbers, found -inf in 'blocks.1.1.running_var'",
    ),
    "no network": ({"source": 3}, "source network: expected an nn.Module, found int"),
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


def make(**changes: Any) -> pnc.ClonePackage:
    source, target = source_and_target()
    given = {"source": source, "target": target, "samples": samples(), "classes": OWLS, "settings": quick()}
    return pnc.clone(**{**given, "positions": [2], **changes})


def test_classes_and_settings_may_come_in_any_form(tmp_path: Path) -> None:
    expected = make()
    plain = asdict(quick())
    write_json(tmp_path / "own.json", plain)
    for changes in (
        {"classes": {np.int64(3): "owl", np.int64(1): "kiwi"}},
        {"classes": MappingProxyType({torch.tensor(3): "owl", torch.tensor(1): "kiwi"})},
        {"settings": plain},
        {"settings": tmp_path / "own.json"},
        {"settings": str(tmp_path / "own.json")},
        {"samples": [(FLOATS, LABELS.double())]},
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
    expected = make()._serialise()
    with mode():
        assert make()._serialise() == expected
        inside = dict(zip(("source", "target"), source_and_target(), strict=True), samples=samples())
    assert make(**inside)._serialise() == expected


def test_parallel_and_compiled_networks_are_cloned_as_what_is_inside() -> None:
    source, target = source_and_target()
    compiled = torch.compile(target, backend="eager")
    assert make(source=nn.DataParallel(source), target=compiled)._serialise() == make()._serialise()


def test_a_target_with_clones_is_cloned_for_like_the_target_itself() -> None:
    source, target = source_and_target()
    cloned = pnc.attach(target, source, make())
    found = make(target=cloned, classes={4: "emu"}, samples=samples({4: "emu"}))
    assert pnc.attach(cloned, source, found).classes[4:] == ("owl", "kiwi", "emu")
    with pytest.raises(PncError, match=r"^classes to clone \(T_s\): expected names .*, found \['kiwi', 'owl'\]$"):
        make(target=cloned)


def test_a_source_that_never_gives_the_labels_is_reported_with_its_accuracy() -> None:
    source, target = source_and_target()
    source.head.weight.data.zero_()
    source.head.bias.data.copy_(torch.tensor([0, 1, 0, 0, 0]))
    with pytest.warns(
        pnc.PncWarning, match=r"the source never answers owl on their own pictures; .* 50.0 % "
    ) as seen:
        found = make(source=source, target=target)
    assert found.info.provenance["source_accuracy"] == 50
    assert len([one for one in seen if "never answers" in str(one.message)]) == 1
    source.head.bias.data.copy_(torch.tensor([1, 0, 0, 0, 0]))
    with pytest.warns(
        pnc.PncWarning, match=r"never answers owl, kiwi on .* 0.0 % \(are the labels the source's, and"
    ):
        assert make(source=source).info.provenance["source_accuracy"] == 0


class Raw(nn.Module):
    """Filters that are no layer's, and a scale for each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.filters, self.scale = nn.Parameter(torch.ones(9, 9, 1, 1)), nn.Parameter(torch.ones(9, 1, 1))

    def forward(self, h: Tensor) -> Tensor:
        return nn.functional.conv2d(h, self.filters) * self.scale


def test_filters_that_no_mask_reaches_are_reported() -> None:
    source, target = source_and_target()
    shared = nn.Conv2d(9, 9, 1)
    source.blocks[1] = nn.Sequential(source.blocks[1], nn.ConvTranspose2d(9, 9, 1), Raw(), shared, nn.ReLU(), shared)
    line = (
        "the source's blocks: M cannot choose among all filters, it keeps ConvTranspose2d at '1.1', Raw at '1.2', "
        "Conv2d at '1.5', a second time whole"
    )
    with pytest.warns(pnc.PncWarning) as seen:
        make(source=source, target=target, positions=[1])
    assert line in [str(each.message) for each in seen]
    with pytest.warns(pnc.PncWarning) as seen:  # not in the part that is cloned
        source.head.bias.data.copy_(torch.tensor([9, 0, 0, 0, 0]))
        make(source=source, target=target, positions=[2])
    assert not any("cannot choose" in str(each.message) for each in seen)


@pytest.mark.parametrize(("terminal", "progress", "shown"), [(True, None, 1), (False, None, 0), (True, False, 0)])
def test_progress_is_shown_on_a_terminal(
    terminal: bool, progress: bool | None, shown: bool, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    make(progress=progress)
    assert ("localise" in capsys.readouterr().err) == shown


def test_what_clone_accepts_attach_accepts_too() -> None:
    """A target without names calls its classes by numbers: a clone of that name is refused before the work."""
    source, target = source_and_target()
    target.class_names = None
    with pytest.raises(PncError, match=r"classes to clone \(T_s\): expected names .*, found \['2'\]"):
        pnc.clone(source, target, samples(), {3: "owl", 1: "2"})


def test_a_clone_that_was_cut_off_goes_on_and_ends_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    expected = make(positions=[2, 1])
    with monkeypatch.context() as patched:
        patched.setattr("pnc.cloning.localize_insert.calibrate", cut_off)
        with pytest.raises(KeyboardInterrupt):
            make(positions=[2, 1], checkpoints=tmp_path / "unfinished")
    assert {path.stem.partition("-")[2] for path in (tmp_path / "unfinished").iterdir()} >= {"R2-localise"}
    found = make(positions=[2, 1], checkpoints=tmp_path / "unfinished")
    assert found._serialise() == expected._serialise()
    assert not list((tmp_path / "unfinished").iterdir())


def test_work_on_other_input_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("pnc.cloning.localize_insert.calibrate", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make(checkpoints=tmp_path)
    left = set(tmp_path.iterdir())
    assert left and make(seed=1, checkpoints=tmp_path)._serialise() == make(seed=1)._serialise()
    assert set(tmp_path.iterdir()) == left


def test_a_package_says_how_every_position_went() -> None:
    package = make(positions=[2, 1])
    searched = package.info.provenance["searched"]
    assert set(searched) == {"2", "1"}
    chosen = searched[str(package.info.position)]
    assert chosen["loss"] == min(how["loss"] for how in searched.values())
    assert chosen == {key: package.info.provenance[key] for key in ("loss", "accuracy", "delta", "leak")}
