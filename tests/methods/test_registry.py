"""Methods and tasks: settings come from a function's signature, and a task says what may be seen."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from _tiny import clone_task
from methods._task import SCHEDULE, method_task

from pnc.base.errors import PncError
from pnc.base.evaluate import Classifier, joint
from pnc.base.train import Schedule
from pnc.methods import METHODS, Method, MethodTask, Rows, method, row_name


@pytest.fixture
def seen() -> Iterator[list[dict[str, Any]]]:
    """What a method called "recording" was run with; it is registered for this test alone."""
    calls: list[dict[str, Any]] = []
    METHODS.names()

    @method("recording", regimes=("strict", "rehearsal"))
    def recording(task: MethodTask, *, schedule: Schedule, weight: float = 0.5, views: int = 2) -> Classifier:
        calls.append({"schedule": schedule, "weight": weight, "views": views})
        return joint(task.target, task.old_classes)

    yield calls
    del METHODS._entries["recording"]


def test_a_method_knows_its_settings_from_its_signature(seen: list) -> None:
    del seen
    settings = METHODS.get("recording").settings
    assert list(settings) == ["schedule", "weight", "views"]
    assert [known.annotation for known in settings.values()] == [Schedule, float, int]
    assert settings["schedule"].default is settings["schedule"].empty
    assert [settings["weight"].default, settings["views"].default] == [0.5, 2]


def test_plain_values_arrive_as_what_the_signature_asks_for(seen: list) -> None:
    recording, task = METHODS.get("recording"), method_task("strict")
    recording.run(task, {"schedule": {"epochs": 3, "optimiser": "sgd"}, "weight": 1})
    assert seen == [{"schedule": Schedule(3, optimiser="sgd"), "weight": 1.0, "views": 2}]
    assert isinstance(seen[0]["weight"], float)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"schedule": SCHEDULE, "wieght": 1}, "unknown key: expected one of schedule, views, weight, found wieght"),
        ({"weight": 1.0}, "expected every required key of recording, found no schedule"),
        (None, "expected every required key of recording, found no schedule"),
        ([], "expected the keys of recording, found []"),
    ],
)
def test_settings_that_do_not_fit_are_refused_in_one_line(seen: list, settings: Any, said: str) -> None:
    with pytest.raises(PncError) as caught:
        METHODS.get("recording").run(method_task("strict"), settings)
    assert str(caught.value) == f"recording: {said}"
    assert not seen


def test_a_nested_setting_is_named_with_its_place(seen: list) -> None:
    with pytest.raises(PncError, match=r"^recording\.schedule\.epochs: expected a value of type int, found '3'$"):
        METHODS.get("recording").run(method_task("strict"), {"schedule": {"epochs": "3"}})
    assert not seen


def test_a_method_is_run_in_its_regimes_alone(seen: list) -> None:
    recording = METHODS.get("recording")
    with pytest.raises(PncError, match=r"^recording: regime: expected strict or rehearsal, found ''$"):
        recording.run(method_task(), {"schedule": SCHEDULE})
    recording.run(method_task("rehearsal"), {"schedule": SCHEDULE})
    assert len(seen) == 1


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PncError, match=r"unknown method: expected one of continual, .*, found 'magic'"):
        METHODS.get("magic")


def test_a_method_may_have_no_settings() -> None:
    plain = Method("plain", lambda task: joint(task.target, task.old_classes))
    assert not plain.settings
    assert plain.run(method_task())[""].offset == 4
    with pytest.raises(PncError, match=r"^plain: unknown key: expected none, found q$"):
        plain.run(method_task(), {"q": 0.5})


def test_a_method_may_have_several_rows_and_scores_call_them_by_both_names() -> None:
    def twice(task: MethodTask) -> Rows:
        plain = joint(task.target, task.old_classes)
        return {"": plain, "again": plain}

    rows = Method("plain", twice).run(method_task())
    assert [row_name("plain", row) for row in rows] == ["plain", "plain_again"]


def test_old_pictures_are_seen_in_rehearsal_alone() -> None:
    for regime in ("", "strict"):
        assert method_task(regime).rehearsal is None
    task = method_task("rehearsal")
    assert task.rehearsal is task.clone.rehearsal is not None


def test_a_task_refuses_regimes_that_there_are_not_and_rehearsal_without_samples() -> None:
    with pytest.raises(PncError, match=r"^regime: expected one of '', 'strict', 'rehearsal', found 'lax'$"):
        method_task("lax")
    expected = r"^regime rehearsal: expected samples of D_o, some of them held out, found none$"
    with pytest.raises(PncError, match=expected):
        method_task("rehearsal", clone=clone_task(rehearsal=False))
    with pytest.raises(PncError, match=expected):
        method_task("rehearsal", clone=replace(clone_task(), rehearsal_held_out=None))
    assert method_task("strict", clone=clone_task(rehearsal=False)).rehearsal is None
