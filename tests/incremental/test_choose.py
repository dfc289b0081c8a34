"""The choice of a learner's settings: from a stated grid, on held-out pictures that its regime may see."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from _tiny import images
from incremental._lessons import FIRST, OWN, SCHEDULE, course
from torch import Tensor, nn

from pnc.base.errors import PncError
from pnc.base.train import Checkpoint
from pnc.incremental import LEARNERS, choose, continued
from pnc.incremental._choose import criterion

HELD_OUT = [
    continued(OWN.class_names, images(2, 3, "owl", seed=8)),
    continued(FIRST.class_names, images(1, 3, "kiwi", seed=9)),
]
OWN_HELD_OUT = images(4, 3, "target", seed=7)
RATES = [0.0001, 0.03]


class Fixed(nn.Module):
    """The target's logits and ``new`` ones, the same for every picture."""

    def __init__(self, target: nn.Module, *new: float) -> None:
        super().__init__()
        self.target, self.new = target, torch.tensor(new)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.target(x), self.new.expand(len(x), -1)], dim=1)


def test_without_a_grid_settings_are_as_they_stand() -> None:
    settings = {"schedule": SCHEDULE, "weight": 0.5}
    choice = choose(LEARNERS.get("lwf"), course("lwf"), settings, HELD_OUT, None)
    assert choice.settings == settings and choice.chosen == {}


@pytest.mark.parametrize(("name", "own"), [("lwf", None), ("icarl", OWN_HELD_OUT)])
def test_the_choice_is_the_best_of_the_grid_by_the_stated_criterion(name: str, own: Any) -> None:
    learner, taught = LEARNERS.get(name), course(name)
    settings = {"schedule": SCHEDULE, "grid": {"schedule": {"lr": RATES}}}
    choice = choose(learner, taught, settings, HELD_OUT, OWN_HELD_OUT)
    tried = {rate: {"schedule": {**SCHEDULE, "lr": rate}} for rate in RATES}
    values = {rate: criterion(learner.run(taught, each), taught, HELD_OUT, own) for rate, each in tried.items()}
    best = max(values, key=lambda rate: values[rate])
    assert choice.chosen == {"schedule.lr": best} and choice.settings == tried[best]


def test_in_the_strict_regime_what_is_held_out_of_the_targets_classes_has_no_part() -> None:
    settings = {"schedule": SCHEDULE, "grid": {"schedule": {"lr": RATES}}}
    found = [choose(LEARNERS.get("lwf"), course("lwf"), settings, HELD_OUT, own) for own in (None, OWN_HELD_OUT)]
    assert found[0] == found[1]


def test_with_old_pictures_each_class_weighs_the_same_and_so_does_each_step() -> None:
    taught = course()
    always = [Fixed(taught.start(), 1e4, 0.0), Fixed(taught.start(), 0.0, 0.0, 1e4)]
    assert criterion(iter(always), taught, HELD_OUT, OWN_HELD_OUT) == pytest.approx((1 / 6 + 1 / 7) / 2)


def test_without_old_pictures_what_was_learned_is_multiplied_with_what_was_kept() -> None:
    taught = course()
    always = [Fixed(taught.start(), 1e4, 0.0), Fixed(taught.start(), 0.0, 0.0, 1e4)]
    assert criterion(iter(always), taught, HELD_OUT, None) == pytest.approx((1 / 2 + 1 / 3) / 2)
    reverse = taught.start()
    reverse.head.weight.data.neg_()
    reverse.head.bias.data.neg_()  # its best class is the target's worst
    forgot = [Fixed(reverse, 1e4, 0.0), Fixed(reverse, 0.0, 0.0, 1e4)]
    assert criterion(iter(forgot), taught, HELD_OUT, None) == 0


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"weight": 1.0}, r"lwf\.grid\.weight: expected a list of values, found 1\.0"),
        ({"schedule": {"lr": []}}, r"lwf\.grid\.schedule\.lr: expected a list of values, found \[\]"),
        ([1], r"lwf\.grid: expected lists of values by name, found \[1\]"),
    ],
)
def test_what_is_no_grid_is_refused(grid: Any, said: str) -> None:
    with pytest.raises(PncError, match=f"^{said}$"):
        choose(LEARNERS.get("lwf"), course("lwf"), {"schedule": SCHEDULE, "grid": grid}, HELD_OUT, None)


def test_what_the_best_trial_learned_is_not_learned_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are checkpoints, in the course that the choice names."""
    learner, taught = LEARNERS.get("lwf"), replace(course("lwf"), checkpoint=Checkpoint(tmp_path / "lwf.pt"))
    settings = {"schedule": SCHEDULE, "grid": {"schedule": {"lr": RATES}}}
    choice = choose(learner, taught, settings, HELD_OUT, None)
    anew = list(learner.run(taught, choice.settings))
    monkeypatch.setattr("pnc.base.train._step", None)  # whoever learns, fails
    again = list(learner.run(choice.course, choice.settings))
    assert len(anew) == len(again) > 1
    for first, second in zip(anew, again, strict=True):
        assert all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))


def test_a_trial_may_end_after_some_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def counting(models: Iterator[nn.Module], *_: Any) -> float:
        taken.append(len(list(models)))
        return 0.0

    monkeypatch.setattr("pnc.incremental._choose.criterion", counting)
    settings = {"schedule": SCHEDULE, "grid": {"schedule": {"lr": RATES}}}
    for steps in (1, None):
        choose(LEARNERS.get("lwf"), course("lwf"), settings, HELD_OUT, None, steps=steps)
    assert taken == [1, 1, 2, 2]
