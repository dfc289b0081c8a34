"""What the stage of class-incremental learners writes, and which pictures its learners see."""

from pathlib import Path
from typing import Any

import pytest
import torch
from _run import Finished

from bench.work.experiment import Experiment
from bench.work.store import Store
from pnc.base.errors import PncError
from pnc.base.files import read_json
from stages.incremental import IncrementEntry, Plan

AT = Path("results/digits/scores/sequences/0/incremental")


def written(finished: Finished, group: str) -> Any:
    return read_json(finished.project.folder / AT / group / "old/s1.json")


def values(finished: Finished, group: str, method: str) -> dict[tuple[str, str], float]:
    """By step and metric."""
    found = written(finished, group)["scores"]
    return {(each["at"], each["metric"]): each["value"] for each in found if each["method"] == method}


def test_every_learner_has_all_numbers_after_each_step(finished: Finished) -> None:
    for group, methods in (("forgetful", ["lwf"]), ("rehearsing", ["icarl", "small_der"])):
        assert {each["method"] for each in written(finished, group)["scores"]} == set(methods)
        for method in methods:
            found = values(finished, group, method)
            for at in "12":
                assert found[at, "acc_final"] == found[at, "avg"]
                assert {"ori", "tar", "ece", "leak", "params_m"} <= {metric for step, metric in found if step == at}
            assert found["2", "acc_mean"] == pytest.approx((found["1", "avg"] + found["2", "avg"]) / 2)
            assert ("2", "acc3") in found and ("1", "acc3") not in found
            # five old classes, two new ones and one more
            weights = {"acc1": 5, "acc2": 2, "acc3": 1}
            mean = sum(found["2", name] * weight for name, weight in weights.items()) / 8
            assert found["2", "avg"] == pytest.approx(mean)


def test_scores_stand_beside_those_of_the_sequence_of_clones(finished: Finished) -> None:
    (beside,) = {
        tuple(each[key] for key in ("source", "target", "task", "variant"))
        for each in read_json(finished.project.folder / AT.parent / "s1/strict.json")["scores"]
    }
    for group, regime in (("forgetful", "strict"), ("rehearsing", "rehearsal")):
        for each in written(finished, group)["scores"]:
            assert tuple(each[key] for key in ("source", "target", "task", "variant")) == beside
            assert each["regime"] == regime


def test_the_size_of_what_grows_is_told(finished: Finished) -> None:
    icarl, der = (values(finished, "rehearsing", name) for name in ("icarl", "small_der"))
    assert 0 < icarl["1", "extra_params"] < 0.05  # new outputs alone
    assert 0.9 < der["1", "extra_params"] < 1.1 and 1.9 < der["2", "extra_params"] < 2.2


def test_the_settings_say_how_learners_were_taught_and_what_was_chosen(finished: Finished) -> None:
    settings = written(finished, "forgetful")["settings"]
    assert settings["learners"]["lwf"]["settings"]["grid"] == {"weight": [0.5, 1.0]}
    assert settings["learners"]["lwf"]["chosen"].keys() == {"weight"}
    assert settings["increment"] == {
        "source": "new",
        "classes": [5, 7, 6],
        "step": 2,
        "share": 0.2,
        "held_out": 0.2,
    }
    assert settings["networks"]["target"]["arch"] == "lenet5"
    assert written(finished, "rehearsing")["settings"]["learners"]["icarl"]["memory"] == 40


@pytest.fixture
def store(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(finished.project.folder)
    return Store.open("digits")


def test_learners_see_the_pictures_that_the_clones_of_the_same_classes_see(store: Store) -> None:
    """The task "more" has half of the pictures of 7 and 6."""
    clone = Experiment(store, "new", "old", "more", "rehearsal", "0", 0).clone_task
    store.suite.values["increments"]["more"] = {"source": "new", "classes": [7, 6], "step": 2, "share": 0.5}
    own, new = Plan(store, "old", "more", "0").groups(seed=0)
    for mine, theirs, first in (
        (own.seen, clone.rehearsal, 0),
        (own.held_out, clone.rehearsal_held_out, 0),
        (new.seen, clone.samples, 5),
        (new.held_out, clone.held_out, 5),
    ):
        assert theirs is not None
        assert torch.equal(mine.pixels, theirs.pixels) and torch.equal(mine.labels, theirs.labels + first)
    assert new.seen.class_names == ("0", "1", "2", "3", "4", "7", "6")
    assert new.test.class_names == ("7", "6") and new.test.labels.unique().tolist() == [0, 1]


@pytest.mark.parametrize(
    ("classes", "step", "steps"),
    [("5-9", 1, [(5,), (6,), (7,), (8,), (9,)]), ("5-9", 2, [(5, 6), (7, 8), (9,)]), ((9, 5), 50, [(9, 5)])],
)
def test_classes_come_so_many_a_step(classes: Any, step: int, steps: list[tuple[int, ...]]) -> None:
    assert IncrementEntry("new", classes, step).steps == steps


@pytest.mark.parametrize(("classes", "step"), [("5-9", 0), ((), 1)])
def test_an_increment_of_nothing_is_refused(classes: Any, step: int) -> None:
    with pytest.raises(PncError, match=r"^increment: expected classes, and a step of at least one, found "):
        assert IncrementEntry("new", classes, step).steps
