"""What every registered learner keeps, whatever it does: a new one is tested from the day it is registered."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from _tiny import images, state
from incremental._lessons import FIRST, OWN, QUICK, SCHEDULE, SECOND, SIZES, X, answers, course, learned

from pnc.base.errors import PncError
from pnc.base.train import Checkpoint, Schedule
from pnc.incremental import LEARNERS, continued

NAMES = LEARNERS.names()
REHEARSING = [name for name in NAMES if LEARNERS.get(name).sees == "exemplars"]
ALONE = [name for name in NAMES if LEARNERS.get(name).sees == "steps"]
NUMBERS = [
    (name, key) for name in NAMES for key, own in LEARNERS.get(name).settings.items() if own.annotation is float
]
every_learner = pytest.mark.parametrize("name", NAMES)


def test_the_learners_of_table_3_are_there() -> None:
    assert {"finetuning", "lwf"} == set(ALONE) and {"icarl", "eeil", "bic", "der"} == set(REHEARSING)
    assert {LEARNERS.get(name).regime for name in ALONE} == {"strict"}
    assert {LEARNERS.get(name).regime for name in (*REHEARSING, "joint")} == {"rehearsal"}


@every_learner
def test_a_learner_has_a_classifier_after_each_step_and_leaves_the_target_alone(name: str) -> None:
    taught = course(name)
    before = state(taught.target)
    models = learned(name, taught)
    for model, classes in zip(models, SIZES, strict=True):
        assert not any(module.training for module in model.modules())
        logits = model(X)
        assert logits.shape == (7, classes) and logits.isfinite().all()
    assert state(taught.target) == before


@every_learner
def test_a_target_in_training_mode_stays_as_it_is(name: str) -> None:
    taught = course(name)
    taught.target.train()
    before = state(taught.target)
    learned(name, taught)
    assert state(taught.target) == before


@every_learner
def test_a_learners_seed_decides_its_result(name: str) -> None:
    taught = course(name)
    torch.manual_seed(11)
    first = answers(learned(name, taught))
    torch.manual_seed(12)
    drawn = torch.get_rng_state()
    assert torch.equal(answers(learned(name, taught)), first)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert not torch.equal(answers(learned(name, replace(taught, seed=1))), first)


@every_learner
def test_what_comes_later_changes_nothing_before(name: str) -> None:
    """Neither what a learner knew after the first step, nor the classifier that it gave then."""
    taught = course(name)
    models = LEARNERS.get(name).run(taught, {"schedule": SCHEDULE, **QUICK.get(name, {})})
    first = next(models)
    before = first(X).detach()
    assert len(list(models)) == 1
    assert torch.equal(first(X), before)
    alone = learned(name, replace(taught, steps=(FIRST,)))
    assert torch.equal(answers(alone), before)


@every_learner
def test_a_learner_is_not_taught_again_once_it_is_through(name: str, tmp_path: Path) -> None:
    taught = course(name, checkpoint=Checkpoint(tmp_path / "run.pt"))
    first = answers(learned(name, taught))
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(kept) >= 2
    assert torch.equal(answers(learned(name, taught)), first)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept


@pytest.mark.parametrize("name", ALONE)
def test_a_strict_learner_never_sees_the_targets_own_classes(name: str) -> None:
    assert torch.equal(answers(learned(name, course(name))), answers(learned(name, course(name, own=None))))


# Bad input


@every_learner
def test_a_setting_that_a_learner_does_not_know_is_refused_by_name(name: str) -> None:
    with pytest.raises(PncError, match=rf"^{name}: unknown key: expected one of .*, found magic$"):
        learned(name, course(name), magic=3)


@every_learner
def test_a_setting_that_a_learner_needs_is_asked_for_by_name(name: str) -> None:
    with pytest.raises(PncError, match=f"^{name}: expected every required key of {name}, found no schedule$"):
        LEARNERS.get(name).run(course(name))


@every_learner
def test_a_setting_of_the_wrong_type_is_refused_by_name(name: str) -> None:
    for key in LEARNERS.get(name).settings:
        with pytest.raises(PncError, match=rf"^{name}\.{key}: expected "):
            learned(name, course(name), **{key: "many"})


@every_learner
def test_a_number_that_makes_no_sense_is_refused_by_name(name: str) -> None:
    for key, known in LEARNERS.get(name).settings.items():
        if known.annotation in (int, float):
            wrong = known.annotation(-1)
            with pytest.raises(PncError, match=rf"^{key}: expected .*, found {wrong}$"):
                learned(name, course(name), **{key: wrong})


@pytest.mark.parametrize(("name", "setting"), NUMBERS)
def test_every_number_counts(name: str, setting: str) -> None:
    usual = LEARNERS.get(name).settings[setting].default
    other = 0.5 if setting == "validation" else usual / 2
    memory = {"memory": 28} if setting == "validation" else {}
    one, another = (learned(name, course(name, **memory), **{setting: value}) for value in (usual, other))
    assert not torch.equal(answers(one), answers(another))


@pytest.mark.parametrize("name", REHEARSING)
def test_a_memory_too_small_for_all_classes_is_refused_before_anything_is_learned(name: str) -> None:
    each = LEARNERS.get(name).each
    said = (
        rf"^{name}: memory: expected {each} or more for each of 7 classes, {7 * each} in all, found {7 * each - 1}$"
    )
    with pytest.raises(PncError, match=said):
        LEARNERS.get(name).run(course(name, memory=7 * each - 1), {"schedule": SCHEDULE})
    assert len(learned(name, course(name, memory=7 * each))) == 2


@pytest.mark.parametrize("name", [*ALONE, "joint"])
def test_a_memory_that_nothing_is_kept_in_is_refused(name: str) -> None:
    with pytest.raises(PncError, match=rf"^{name}: memory: expected 0, as it keeps no exemplars, found 20$"):
        learned(name, course(name, memory=20))


@pytest.mark.parametrize("name", [*REHEARSING, "joint"])
def test_without_pictures_of_the_targets_own_classes_there_is_nothing_to_rehearse(name: str) -> None:
    with pytest.raises(PncError, match=rf"^{name}: pictures of the target's own classes: expected some, found none$"):
        learned(name, course(name, own=None))


def test_an_unknown_learner_is_refused_beside_those_that_there_are() -> None:
    with pytest.raises(PncError, match=r"^unknown learner: expected one of bic, der, eeil, .*, found 'ewc'$"):
        LEARNERS.get("ewc")


@every_learner
def test_a_learner_says_where_it_comes_from(name: str) -> None:
    assert "https://arxiv.org/abs/" in (LEARNERS.get(name).function.__doc__ or "")


@every_learner
def test_settings_have_types_that_plain_values_can_be_checked_against(name: str) -> None:
    known = {each.annotation for each in LEARNERS.get(name).settings.values()}
    assert known <= {Schedule, float, int, str, bool}


# Courses


def test_a_course_is_steps_of_new_classes_one_behind_the_other() -> None:
    assert course().classes == 7 and course(steps=(FIRST,)).classes == 6
    assert FIRST.labels.unique().tolist() == [4, 5] and FIRST.class_names[4:] == ("owl 0", "owl 1")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": ()}, "steps of a course: expected at least one, found none"),
        (
            {"steps": (SECOND,)},
            "step 1 of a course: expected pictures with each of the labels 4 to 6, found labels 6",
        ),
        (
            {"steps": (FIRST, FIRST)},
            "step 2 of a course: expected new classes, found labels 4, 5",
        ),
        ({"steps": (FIRST.take([]),)}, "step 1 of a course: expected pictures with each of the labels 4 to 5"),
        ({"own": FIRST}, "pictures of the target's own classes: expected pictures with each of the labels 0 to 3"),
        ({"memory": -1}, "memory: expected a number of exemplars, or 0 for none, found -1"),
        (
            {"steps": (FIRST, continued(tuple("abcdef"), images(1, 6, "kiwi")))},
            "first names of step 2: expected those before it, target 0, target 1, target 2, target 3, owl 0, owl 1, "
            "found a, b, c, d, e, f",
        ),
    ],
)
def test_what_is_no_course_is_refused_in_one_line(changes: dict[str, object], said: str) -> None:
    with pytest.raises(PncError) as caught:
        course(**changes)
    assert str(caught.value).startswith(said) and "\n" not in str(caught.value)


def test_the_pictures_of_the_target_and_of_the_steps_are_those_given() -> None:
    assert OWN.class_names == SECOND.class_names[:4] and len(SECOND) == 6
