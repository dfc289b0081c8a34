"""What every registered method keeps, whatever it does: a new one is tested from the day it is registered."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from _tiny import images, state
from methods._task import X, all_answers, method_task, needed, rows

from pnc.base.errors import PncError
from pnc.base.evaluate import Classifier, scores
from pnc.base.train import Checkpoint, Schedule
from pnc.methods import METHODS, REGIMES

NAMES = METHODS.names()
EVERYWHERE = [(name, regime) for name in NAMES for regime in METHODS.get(name).regimes]
TRAINED = [name for name in NAMES if name.startswith(("joint", "continual", "linear_probe", "lwf", "replay"))]


def a_regime(name: str) -> str:
    return METHODS.get(name).regimes[-1]


@pytest.mark.parametrize(("name", "regime"), EVERYWHERE)
def test_a_method_yields_a_classifier_and_changes_neither_network(name: str, regime: str) -> None:
    task = method_task(regime)
    networks = task.clone.source, task.target
    before = [state(network) for network in networks]
    found_rows = rows(name, task)
    assert [state(network) for network in networks] == before
    for classifier in found_rows.values():
        check(classifier)
    assert [state(network) for network in networks] == before


def check(classifier: Classifier) -> None:
    """It answers for four old classes and two new ones."""
    found = scores(classifier, images(4, 3), images(2, 3))
    assert {"ori", "tar", "avg"} <= set(found) and all(0 <= value <= 100 for value in found.values())
    one = classifier.old is classifier.new
    old, new = classifier.old(X), classifier.new(X)
    assert classifier.offset == (4 if one else 0)
    assert old.shape == (7, 6 if one else 4) and new.shape[1] >= classifier.offset + 2
    assert old.isfinite().all() and new.isfinite().all()


@pytest.mark.parametrize(("name", "regime"), EVERYWHERE)
def test_a_methods_seed_decides_its_result(name: str, regime: str) -> None:
    torch.manual_seed(11)
    first = all_answers(rows(name, method_task(regime)))
    torch.manual_seed(12)
    assert torch.equal(all_answers(rows(name, method_task(regime))), first)


@pytest.mark.parametrize("name", TRAINED)
def test_what_trains_comes_out_otherwise_with_another_seed(name: str) -> None:
    task = method_task(a_regime(name))
    assert not torch.equal(all_answers(rows(name, replace(task, seed=1))), all_answers(rows(name, task)))


@pytest.mark.parametrize("name", TRAINED)
def test_what_trains_is_not_trained_again_once_it_is_through(name: str, tmp_path: Path) -> None:
    task = method_task(a_regime(name), checkpoint=Checkpoint(tmp_path / "run.pt"))
    first = all_answers(rows(name, task))
    kept = (tmp_path / "run.pt").read_bytes()
    assert torch.equal(all_answers(rows(name, task)), first)
    assert (tmp_path / "run.pt").read_bytes() == kept


@pytest.mark.parametrize(("name", "regime"), EVERYWHERE)
def test_a_single_class_can_be_added(name: str, regime: str) -> None:
    for classifier in rows(name, method_task(regime, (2,))).values():
        assert scores(classifier, images(4, 3), images(1, 3))["tar"] >= 0


@pytest.mark.parametrize("name", TRAINED)
def test_what_trains_on_samples_has_a_calibrated_row_that_differs_by_one_offset(name: str) -> None:
    found = rows(name, method_task(a_regime(name)))
    assert list(found) == (["", "calibrated"] if name != "joint" else [""])
    if name == "joint":
        return
    plain, calibrated = (row.old.eval()(X) for row in found.values())
    torch.testing.assert_close(calibrated[:, :4], plain[:, :4])
    offset = calibrated[:, 4:] - plain[:, 4:]
    torch.testing.assert_close(offset, offset[0, 0].expand(7, 2), atol=1e-4, rtol=1e-4)
    assert abs(float(offset[0, 0].detach())) > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_that_a_method_does_not_know_is_refused_by_name(name: str) -> None:
    with pytest.raises(PncError, match=f"^{name}: unknown key: expected (one of|none).*, found magic$"):
        rows(name, method_task(a_regime(name)), magic=3)


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_that_a_method_needs_is_asked_for_by_name(name: str) -> None:
    for key in needed(name):
        left = {other: value for other, value in needed(name).items() if other != key}
        with pytest.raises(PncError, match=f"^{name}: expected every required key of {name}, found no {key}$"):
            METHODS.get(name).run(method_task(a_regime(name)), left)


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_of_the_wrong_type_is_refused_by_name(name: str) -> None:
    for key in METHODS.get(name).settings:
        with pytest.raises(PncError, match=rf"^{name}\.{key}: expected "):
            rows(name, method_task(a_regime(name)), **{key: "many"})


@pytest.mark.parametrize("name", NAMES)
def test_a_number_that_makes_no_sense_is_refused_by_name(name: str) -> None:
    for key, known in METHODS.get(name).settings.items():
        if known.annotation is float:
            with pytest.raises(PncError, match=f"^{key}: expected .*, found -1.0$"):
                rows(name, method_task(a_regime(name)), **{key: -1.0})


@pytest.mark.parametrize(
    ("name", "setting"),
    [(name, key) for name in NAMES for key, known in METHODS.get(name).settings.items() if known.annotation is float],
)
def test_every_number_counts(name: str, setting: str) -> None:
    method = METHODS.get(name)
    task = method_task("strict" if "strict" in method.regimes else "rehearsal")
    half = {setting: method.settings[setting].default / 2}
    assert not torch.equal(all_answers(rows(name, task)), all_answers(rows(name, task, **half)))


@pytest.mark.parametrize("name", NAMES)
def test_a_regime_that_a_method_is_not_for_is_refused(name: str) -> None:
    only = " or ".join(METHODS.get(name).regimes)
    for regime in set(REGIMES) - set(METHODS.get(name).regimes):
        with pytest.raises(PncError, match=f"^{name}: regime: expected {only}, found '{regime}'$"):
            rows(name, method_task(regime))


@pytest.mark.parametrize("name", NAMES)
def test_a_method_says_where_it_comes_from(name: str) -> None:
    assert "https://arxiv.org/abs/" in (METHODS.get(name).function.__doc__ or "")


@pytest.mark.parametrize("name", NAMES)
def test_settings_have_types_that_plain_values_can_be_checked_against(name: str) -> None:
    assert {known.annotation for known in METHODS.get(name).settings.values()} <= {Schedule, float, int, str, bool}
