"""The one training loop: what it minimises, at which rate, and that a killed run ends as if it had not been."""

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from _paths import ROOT
from _tiny import images, same_bits, tiny_network
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.base.errors import PncError
from pnc.base.images import as_float
from pnc.base.train import Checkpoint, History, Loss, Schedule, fit

SCHEDULE = Schedule(epochs=4, batch=8, lr=1e-2, weight_decay=1e-3)
PICTURES = images(4, 5)


class KilledError(Exception):
    """Stands for whatever ends a run from outside."""


def network_loss(network: BlockNet) -> Loss:
    def loss(indices: Tensor, draws: torch.Generator) -> Tensor:
        noise = torch.rand(len(indices), 1, 1, 1, generator=draws)
        logits = network(as_float(PICTURES.pixels[indices]) * noise)
        return nn.functional.cross_entropy(logits, PICTURES.labels[indices])

    return loss


def killed_after(calls: int, loss: Loss) -> Loss:
    count = 0

    def dying(indices: Tensor, draws: torch.Generator) -> Tensor:
        nonlocal count
        count += 1
        if count > calls:
            raise KilledError
        return loss(indices, draws)

    return dying


def trained(
    checkpoint: Checkpoint | None = None,
    schedule: Schedule = SCHEDULE,
    seed: int = 0,
    wrap: Callable[[Loss], Loss] = lambda loss: loss,
) -> tuple[BlockNet, History]:
    """A tiny network with BN in train mode, so that its buffers change too."""
    network = tiny_network("trained").train()
    history = fit(
        network,
        network.parameters(),
        wrap(network_loss(network)),
        len(PICTURES),
        schedule,
        seed=seed,
        label="test",
        checkpoint=checkpoint,
    )
    return network, history


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_training_lowers_the_loss(optimiser: str) -> None:
    schedule = replace(SCHEDULE, epochs=10, optimiser=optimiser)  # type: ignore[arg-type]
    _, history = trained(schedule=schedule)
    assert len(history) == 10 and all(len(means) == 1 for means in history)
    assert history[-1][0] < 0.8 * history[0][0]


def test_the_seed_alone_decides_the_result() -> None:
    torch.manual_seed(1)
    one, first = trained()
    torch.manual_seed(2)
    same, again = trained()
    other, different = trained(seed=1)
    assert same_bits(one, same) and first == again
    assert not same_bits(one, other) and first != different


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("calls", [0, 3, 4, 8, 11])
def test_a_killed_run_goes_on_and_ends_with_the_same_bits(tmp_path: Path, calls: int, optimiser: str) -> None:
    schedule = replace(SCHEDULE, optimiser=optimiser)  # type: ignore[arg-type]
    undisturbed, expected = trained(schedule=schedule)
    checkpoint = Checkpoint(tmp_path / "run.pt", seconds=0)
    with pytest.raises(KilledError):
        trained(checkpoint, schedule, wrap=lambda loss: killed_after(calls, loss))
    left = math.ceil(len(PICTURES) / schedule.batch) * (schedule.epochs - calls // 3)
    resumed, found = trained(checkpoint, schedule, wrap=lambda loss: killed_after(left, loss))
    assert same_bits(resumed, undisturbed) and found == expected


# Trains with and without checkpoints, then with torch's own optimisers, under the same rates.
WITHOUT_THE_COMPILER = """
import sys
from pathlib import Path

import torch
from torch import nn
from pnc.base.batches import batches
from pnc.base.seeds import generator
from pnc.base.train import Checkpoint, Schedule, fit

def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))

def loss(module):
    return lambda indices, draws: module(torch.eye(8, 3)[indices]).square().mean()

def bits(module):
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()]).numpy().tobytes()

def groups(module):
    return [{"params": module[0].parameters(), "scale": 3.0}, *module[2].parameters()]

found, path = {}, Path(sys.argv[1])
for name in ("adam", "sgd"):
    schedule = Schedule(3, 8, 0.1, weight_decay=0.01, optimiser=name)
    ours, checkpoint = network(), Checkpoint(path / name, seconds=0)
    fit(ours, groups(ours), loss(ours), 8, schedule, seed=0, label="ours")
    for _ in range(2):  # the second goes on from where the first has ended
        again = network()
        fit(again, groups(again), loss(again), 8, schedule, seed=0, label="ours", checkpoint=checkpoint)
        assert bits(again) == bits(ours)
    found[name] = schedule, bits(ours)
assert "torch._dynamo" not in sys.modules

for name, (schedule, expected) in found.items():
    plain = network()
    parts = [{"params": plain[0].parameters(), "scale": 3.0}, {"params": plain[2].parameters(), "scale": 1.0}]
    if name == "adam":
        optimiser = torch.optim.AdamW(parts, lr=0.1, weight_decay=0.01)
    else:
        optimiser = torch.optim.SGD(parts, lr=0.1, weight_decay=0.01, momentum=0.9, nesterov=True)
    for epoch in range(3):
        draws = generator(0, "ours", "epoch", epoch)
        (indices,) = batches(8, 8, draws)
        for group in optimiser.param_groups:
            group["lr"] = 0.1 * group["scale"] * schedule.rate((epoch + 0.5) / 3)
        optimiser.zero_grad()
        loss(plain)(indices, draws).backward()
        optimiser.step()
    assert bits(plain) == expected, name
assert "torch._dynamo" in sys.modules
"""


def test_steps_are_the_optimisers_own_without_torchs_compiler(tmp_path: Path) -> None:
    """Loading the compiler takes seconds, in every process of the benchmark."""
    command = [sys.executable, "-c", WITHOUT_THE_COMPILER, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run.pt")
    first, history = trained(checkpoint)
    again, found = trained(checkpoint, wrap=lambda loss: killed_after(0, loss))
    assert same_bits(first, again) and found == history


@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda _: b"", lambda _: b"no"])
def test_a_damaged_checkpoint_is_named_and_training_starts_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[bytes], bytes]
) -> None:
    undisturbed, expected = trained()
    checkpoint = Checkpoint(tmp_path / "run.pt", seconds=0)
    with pytest.raises(KilledError):
        trained(checkpoint, wrap=lambda loss: killed_after(8, loss))
    checkpoint.path.write_bytes(damage(checkpoint.path.read_bytes()))
    resumed, found = trained(checkpoint)
    assert same_bits(resumed, undisturbed) and found == expected
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"{checkpoint.path}: damaged (") and said.endswith("starts anew")


def test_checkpoints_are_written_no_more_often_than_asked(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run.pt", seconds=3600)
    with pytest.raises(KilledError):
        trained(checkpoint, wrap=lambda loss: killed_after(11, loss))
    assert not any(tmp_path.iterdir())
    trained(checkpoint)
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


def test_the_rate_rises_and_falls_along_a_cosine() -> None:
    schedule = Schedule(epochs=1, warmup=0.2)
    assert [schedule.rate(at) for at in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert Schedule(epochs=1, warmup=0.0).rate(0.0) == 1


def test_groups_move_at_their_own_rate() -> None:
    """Adam's first step is the learning rate itself, whatever the gradient."""
    fast, slow, plain = (nn.Parameter(torch.zeros(1)) for _ in range(3))
    groups: list[nn.Parameter | dict[str, Any]] = [
        {"params": [fast], "scale": 3.0},
        {"params": [slow], "scale": 0.5},
        plain,
    ]
    module = nn.ParameterList([fast, slow, plain])
    schedule = Schedule(epochs=1, batch=1, lr=0.1, warmup=0.0)
    fit(module, groups, lambda *_: fast.sum() + slow.sum() + plain.sum(), 1, schedule, seed=0, label="groups")
    step = 0.1 * schedule.rate(0.5)
    assert [float(p.detach()) for p in (fast, slow, plain)] == pytest.approx([-3 * step, -step / 2, -step], rel=1e-4)


def test_the_rate_follows_the_schedule_over_the_whole_run() -> None:
    """Under a constant gradient each of Adam's steps is the learning rate itself."""
    parameter, path = nn.Parameter(torch.zeros(1, dtype=torch.float64)), []

    def loss(*_: object) -> Tensor:
        path.append(float(parameter.detach()))
        return parameter.sum()

    schedule = Schedule(epochs=3, batch=2, lr=0.1)
    fit(nn.ParameterList([parameter]), [parameter], loss, 8, schedule, seed=0, label="rates")
    path.append(float(parameter.detach()))
    steps = [before - after for before, after in pairwise(path)]
    assert steps == pytest.approx([0.1 * schedule.rate((step + 0.5) / 12) for step in range(12)], rel=1e-4)


def test_independent_learners_are_reported_one_by_one_and_weighted_by_batch() -> None:
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    values = torch.tensor([1.0, 2.0, 3.0, 4.0, 10.0])

    def loss(indices: Tensor, _: torch.Generator) -> Tensor:
        mean = values[indices].mean()
        return torch.stack([mean + 0 * a.sum(), 2 * mean + 0 * b.sum()])

    history = fit(nn.ParameterList([a, b]), [a, b], loss, 5, Schedule(epochs=2, batch=2), seed=0, label="two")
    torch.testing.assert_close(torch.tensor(history), torch.tensor([[4.0, 8.0], [4.0, 8.0]]))


def test_every_item_is_seen_once_an_epoch_in_an_order_of_its_own() -> None:
    parameter, seen = nn.Parameter(torch.zeros(1)), []

    def loss(indices: Tensor, _: torch.Generator) -> Tensor:
        seen.extend(indices.tolist())
        return parameter.sum()

    fit(nn.ParameterList([parameter]), [parameter], loss, 7, Schedule(epochs=3, batch=3), seed=0, label="order")
    epochs = [seen[start : start + 7] for start in (0, 7, 14)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_a_loss_that_is_not_finite_ends_the_run_with_one_line(tmp_path: Path) -> None:
    parameter = nn.Parameter(torch.zeros(1))
    module, schedule = nn.ParameterList([parameter]), Schedule(epochs=2)
    checkpoint = Checkpoint(tmp_path / "run.pt", seconds=0)
    with pytest.raises(PncError, match=r"^lost: loss in epoch 1: expected a finite number, found \[nan\]$"):
        fit(
            module,
            [parameter],
            lambda *_: parameter.sum() * math.nan,
            3,
            schedule,
            seed=0,
            label="lost",
            checkpoint=checkpoint,
        )
    assert not any(tmp_path.iterdir())


def test_bad_schedules_and_no_samples_are_refused() -> None:
    parameter = nn.Parameter(torch.zeros(1))
    with pytest.raises(PncError, match="empty: samples: expected at least one, found none"):
        fit(nn.ParameterList([parameter]), [parameter], lambda *_: parameter, 0, SCHEDULE, seed=0, label="empty")
    refused = {"epochs": 0, "batch": -1, "lr": 0.0, "optimiser": "lion", "warmup": 1.0}
    for name, value in (*refused.items(), ("lr", math.nan), ("lr", math.inf)):
        with pytest.raises(PncError, match=f"^{name}: expected .*, found '?{value}'?$"):
            replace(SCHEDULE, **{name: value})  # type: ignore[arg-type]
