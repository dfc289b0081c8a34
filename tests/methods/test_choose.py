"""The choice of a baseline's settings: from a stated grid, on held-out pictures that the regime may see."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from _tiny import images
from methods._task import SCHEDULE, method_task

from pnc.base.errors import PncError
from pnc.base.evaluate import accuracy, joint, predict
from pnc.base.train import Checkpoint
from pnc.methods import METHODS, Method, MethodTask, Rows, choose
from pnc.methods._choose import criterion
from pnc.methods._ensemble import calibrated_ensemble
from pnc.methods._finetune import extended

CONTINUAL = METHODS.get("continual")
RATES, WEIGHTS = [0.0001, 0.01], [0.0, 1.0]
GRID = {"schedule": {"lr": RATES}, "lwf": WEIGHTS}


class Leaning(torch.nn.Module):
    """The target with new outputs of its own, and ``lean`` on them."""

    def __init__(self, task: MethodTask, lean: float) -> None:
        super().__init__()
        self.network, self.lean = extended(task.target, 2, 0).eval(), lean

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.network(x)
        return torch.cat([logits[:, :4], logits[:, 4:] + self.lean], dim=1)


def leaning(task: MethodTask, *, lean: float = 0.0) -> Rows:
    return {"": joint(Leaning(task, lean), task.old_classes)}


def test_without_a_grid_settings_are_as_they_stand() -> None:
    settings = {"schedule": SCHEDULE, "lwf": 0.5}
    choice = choose(CONTINUAL, method_task("strict"), settings)
    assert choice.settings == settings and choice.chosen == {}


@pytest.mark.parametrize("regime", ["strict", "rehearsal"])
def test_the_choice_is_the_best_of_the_grid_by_the_stated_criterion(regime: str) -> None:
    task = method_task(regime)
    choice = choose(CONTINUAL, task, {"schedule": SCHEDULE, "grid": GRID})
    values = {}
    for lr in RATES:
        for lwf in WEIGHTS:
            settings = {"schedule": {**SCHEDULE, "lr": lr}, "lwf": lwf}
            values[lr, lwf] = criterion(CONTINUAL.run(task, settings), task)
    assert len(set(values.values())) > 1
    best = max(values, key=lambda pair: values[pair])
    assert choice.chosen == {"schedule.lr": best[0], "lwf": best[1]}
    assert choice.settings == {"schedule": {**SCHEDULE, "lr": best[0]}, "lwf": best[1]}


def test_in_the_strict_regime_no_old_picture_counts() -> None:
    task = method_task("strict")
    pictures = images(4, 9, "target", seed=9)
    held_out = replace(pictures, labels=predict(task.target, pictures.pixels).argmax(1))
    other = replace(task, clone=replace(task.clone, rehearsal=held_out, rehearsal_held_out=held_out))
    rows = leaning(task, lean=-1.0)
    assert criterion(rows, task) == criterion(rows, other)
    rehearsed = method_task("rehearsal")
    changed = replace(rehearsed, clone=replace(rehearsed.clone, rehearsal_held_out=held_out))
    assert criterion(rows, rehearsed) != criterion(rows, changed)


def test_in_the_strict_regime_what_learns_nothing_or_forgets_all_is_worth_less_than_both_networks() -> None:
    task = method_task("strict")
    assert criterion(leaning(task, lean=-1000.0), task) == 0.0  # never calls anything new
    both = {"": joint(calibrated_ensemble(task), task.old_classes)}
    learned = accuracy(predict(both[""].old, task.clone.held_out.pixels), task.clone.held_out.labels + 4)
    assert criterion(both, task) == pytest.approx(learned / 100) and learned > 0
    assert criterion(leaning(task, lean=1000.0), task) < 0.6  # calls everything new; at most half of it is


def test_in_rehearsal_classes_weigh_the_same() -> None:
    task = method_task("rehearsal")
    held_out = task.clone.rehearsal_held_out
    assert held_out is not None
    right = (task.target(held_out.pixels / 255).argmax(1) == held_out.labels).double().mean()
    assert criterion(leaning(task, lean=-1000.0), task) == pytest.approx(float(right) * 4 / 6)


def test_each_try_has_a_checkpoint_of_its_own(tmp_path: Path) -> None:
    task = method_task("strict", checkpoint=Checkpoint(tmp_path / "continual.pt"))
    first = choose(CONTINUAL, task, {"schedule": SCHEDULE, "grid": GRID})
    assert {path.name for path in tmp_path.iterdir()} == {f"continual-try{number}.pt" for number in range(4)}
    assert choose(CONTINUAL, task, {"schedule": SCHEDULE, "grid": GRID}) == first


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (3, ": expected lists of values by name, found 3"),
        ({"lwf": 1.0}, ".lwf: expected a list of values, found 1.0"),
        ({"schedule": {"lr": []}}, ".schedule.lr: expected a list of values, found []"),
    ],
)
def test_a_grid_that_is_none_is_refused(grid: Any, said: str) -> None:
    with pytest.raises(PncError) as caught:
        choose(Method("plain", leaning), method_task("strict"), {"grid": grid})
    assert str(caught.value) == f"plain.grid{said}"


def test_a_setting_of_the_grid_that_a_method_does_not_know_is_refused() -> None:
    with pytest.raises(PncError, match=r"^plain: unknown key: expected one of lean, found bend$"):
        choose(Method("plain", leaning), method_task("strict"), {"grid": {"bend": [1.0, 2.0]}})
