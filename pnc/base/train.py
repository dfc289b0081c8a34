"""The one training loop: every network, baseline and clone is trained by ``fit``.

Each epoch draws from a generator of its own, derived from the seed and the epoch, and the learning rate is a
function of the step. So a run that was killed and goes on from its last checkpoint ends with the same bits.
"""

import hashlib
import inspect
import io
import math
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pnc.base.batches import batches
from pnc.base.errors import bad
from pnc.base.files import write_bytes
from pnc.base.progress import track
from pnc.base.seeds import generator

Loss = Callable[[Tensor, torch.Generator], Tensor]
History = list[list[float]]
Groups = Iterable[nn.Parameter | dict[str, Any]]


@dataclass(frozen=True)
class Schedule:
    """``epochs`` passes in batches of ``batch``; the rate rises to ``lr`` and falls along a cosine to zero."""

    epochs: int
    batch: int = 128
    lr: float = 1e-3
    weight_decay: float = 0.0
    optimiser: Literal["adam", "sgd"] = "adam"
    warmup: float = 0.05

    def __post_init__(self) -> None:
        for name, value in (("epochs", self.epochs), ("batch", self.batch), ("lr", self.lr)):
            if not 0 < value < math.inf:
                raise bad(name, expected="a positive number", found=value)
        if not 0 <= self.warmup < 1:
            raise bad("warmup", expected="a fraction of the run in [0, 1)", found=self.warmup)
        if self.optimiser not in ("adam", "sgd"):
            raise bad("optimiser", expected="adam or sgd", found=repr(self.optimiser))

    def rate(self, progress: float) -> float:
        """Learning rate at ``progress`` in [0, 1] of the run, relative to ``lr``."""
        if progress < self.warmup:
            return progress / self.warmup
        return 0.5 * (1 + math.cos(math.pi * (progress - self.warmup) / (1 - self.warmup)))


@dataclass(frozen=True)
class Checkpoint:
    """Where a run keeps its state: at most every ``seconds``, and once it is through. Its owner removes the file."""

    path: Path
    seconds: float = 15.0

    def of(self, part: str) -> "Checkpoint":
        """The one for a ``part`` of the run, beside it."""
        return replace(self, path=self.path.with_name(f"{self.path.stem}-{part}{self.path.suffix}"))


def fit(
    module: nn.Module,
    groups: Groups,
    loss: Loss,
    samples: int,
    schedule: Schedule,
    *,
    seed: int,
    label: str,
    begin: Callable[[int], None] | None = None,
    checkpoint: Checkpoint | None = None,
    progress: bool = False,
) -> History:
    """Minimise the sum of ``loss(indices, generator)`` over ``samples`` items.

    ``loss`` returns one value, or one for each of several independent learners; every epoch's means are returned.
    ``module`` is what a checkpoint saves and ``groups`` what the optimiser changes (parameters, or groups with a
    ``scale`` on the learning rate). ``begin`` is told the number of each epoch, from 0, before it starts.
    Raises PncError for no samples, or once the loss is no longer finite.
    """
    if samples == 0:
        raise bad(f"{label}: samples", expected="at least one", found="none")
    optimiser = _optimiser(groups, schedule)
    history = _resume(checkpoint, module, optimiser, label)
    steps = math.ceil(samples / schedule.batch)
    saved = time.monotonic()
    for epoch in track(range(len(history), schedule.epochs), label, progress):
        draws = generator(seed, label, "epoch", epoch)
        if begin is not None:
            begin(epoch)
        total: Tensor | float = 0.0
        for step, indices in enumerate(batches(samples, schedule.batch, draws)):
            _set_rate(optimiser, schedule, (epoch + (step + 0.5) / steps) / schedule.epochs)
            total += _step(optimiser, loss(indices, draws)) * len(indices)
        history.append((torch.as_tensor(total) / samples).tolist())
        if not all(map(math.isfinite, history[-1])):
            raise bad(f"{label}: loss in epoch {epoch + 1}", expected="a finite number", found=history[-1])
        due = time.monotonic() - saved >= (checkpoint.seconds if checkpoint else math.inf)
        if checkpoint is not None and (due or len(history) == schedule.epochs):
            _save(checkpoint, module, optimiser, history)
            saved = time.monotonic()
    return history


def _step(optimiser: torch.optim.Optimizer, losses: Tensor) -> Tensor:
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            parameter.grad = None
    losses.sum().backward()
    _plainly(optimiser)
    return losses.detach().reshape(-1).double()


def _plainly(optimiser: torch.optim.Optimizer) -> None:
    """``optimiser.step()`` without what torch wraps around it.

    The wrappers import torch's compiler, three CPU seconds in every process, only to say that it shall not be used.
    """
    with torch.no_grad():
        inspect.unwrap(type(optimiser).step)(optimiser)


def _optimiser(groups: Groups, schedule: Schedule) -> torch.optim.Optimizer:
    # As for a step: this attribute says what the wrapper shall call without asking the compiler.
    own = torch.optim.Optimizer
    for wrapper in (own.add_param_group, own.state_dict, own.load_state_dict):
        method = inspect.unwrap(wrapper)
        method.__dict__.setdefault("__dynamo_disable", method)
    listed = list(groups)
    plain = [group for group in listed if not isinstance(group, dict)]
    scaled = [{"scale": 1.0, **group} for group in listed if isinstance(group, dict)]
    if plain:
        scaled.append({"scale": 1.0, "params": plain})
    if schedule.optimiser == "adam":
        return torch.optim.AdamW(scaled, lr=schedule.lr, weight_decay=schedule.weight_decay)
    return torch.optim.SGD(scaled, lr=schedule.lr, weight_decay=schedule.weight_decay, momentum=0.9, nesterov=True)


def _set_rate(optimiser: torch.optim.Optimizer, schedule: Schedule, progress: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = schedule.lr * group["scale"] * schedule.rate(progress)


def _save(checkpoint: Checkpoint, module: nn.Module, optimiser: torch.optim.Optimizer, history: History) -> None:
    buffer = io.BytesIO()  # torch's own writer reports a full disk as a failure of its own
    torch.save({"module": module.state_dict(), "optimiser": optimiser.state_dict(), "history": history}, buffer)
    write_bytes(checkpoint.path, hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())


def _resume(
    checkpoint: Checkpoint | None, module: nn.Module, optimiser: torch.optim.Optimizer, label: str
) -> History:
    if checkpoint is None or not checkpoint.path.is_file():
        return []
    whole = checkpoint.path.read_bytes()
    if hashlib.sha256(whole[32:]).digest() != whole[:32]:  # after a power failure, say
        print(f"{checkpoint.path}: damaged (its checksum does not fit), so {label} starts anew", file=sys.stderr)
        return []
    state = torch.load(io.BytesIO(whole[32:]), weights_only=True)
    module.load_state_dict(state["module"])
    optimiser.load_state_dict(state["optimiser"])
    return state["history"]
