"""Localise and insert: learn M, A and F_c for given positions R (Eq. 8; the inner loop of Algorithm 1).

First all three are learned together, M as scores that its top-c filters are taken of (``settings.schedule``). Then M
is fixed, the filters that it drops are cut out, and what is left is learned on (``settings.insert``), several times
as fast: at the size that is shipped. Positions share their inputs and nothing else, so that one at a time gives the
same result as all at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.base.errors import PncError, bad
from pnc.base.images import Images
from pnc.base.precision import arithmetic
from pnc.base.seeds import generator
from pnc.base.train import Checkpoint, Schedule, fit
from pnc.cloning import objective
from pnc.cloning.calibration import Offset, calibrate
from pnc.cloning.candidate import Candidate
from pnc.cloning.inputs import BATCH, SHARE, Inputs, Near, features, near, rehearsed, taught
from pnc.cloning.local.local_models import LocalModels
from pnc.cloning.masks import kept_filters
from pnc.cloning.settings import CloneSettings
from pnc.cloning.slicing import SlicedTail, slice_tail
from pnc.cloning.start import start
from pnc.cloning.tail import MaskedTail
from pnc.cloning.task import CloneTask


@dataclass(frozen=True)
class Outcome:
    """How it went: each epoch's mean loss, the loss ``converged`` to on held-out pictures, and the ``offset`` δ.

    ``accuracy`` is the other thing to choose R by: the share of held-out inputs that are answered right (rehearsal),
    or as the two whole networks side by side answer them (strict, where no picture of T_t says what is right).
    """

    epochs: list[float]
    converged: float
    accuracy: float
    offset: Offset


def localize_insert(
    task: CloneTask,
    local_models: LocalModels,
    settings: CloneSettings,
    positions: Sequence[int],
    *,
    seed: int,
    until_worse: bool = False,
    checkpoint: Checkpoint | None = None,
    progress: bool = False,
) -> dict[int, tuple[Candidate, Outcome]]:
    """Train, harden and calibrate one candidate per position R_t. Neither network changes.

    ``until_worse``: those behind the first that converges worse than an earlier one are left out.
    ``local_models`` is G around some of ``task.pixels``, with all of the source's outputs. Raises PncError for a
    position that the target lacks, local models of other pictures, or a rehearsal without its samples.
    """
    check_search(task, settings, positions)
    count = len(task.samples) + len(task.held_out)
    if (last := int(local_models.of.max())) >= count:
        raise bad("local models G", expected=f"of {count} pictures", found=f"one of picture {last}")
    seen, unseen = local_models.slice(0, len(task.samples)), local_models.slice(len(task.samples), count)
    lessons = _Lessons.draw(task, settings, (task.samples, task.rehearsal), seen, settings.inputs_per_epoch, seed)
    exams = (task.held_out, task.rehearsal_held_out)
    exact = replace(settings, precision="fp32")
    held_out = _Lessons.draw(task, exact, exams, unseen, settings.held_out_inputs, seed)
    found = {}
    for position in positions:
        candidate = start(task, settings, position, seed)
        sliced, epochs = _Learner(task, settings, candidate, lessons, seed).fit(checkpoint, progress)
        with torch.no_grad():
            converged, accuracy = _Learner(task, exact, candidate, held_out, seed).examine(candidate.tail)
            offset = calibrate(candidate, sliced, task, settings, seed)
        found[position] = (candidate, Outcome(epochs, converged, accuracy, offset))
        if until_worse and converged > min(outcome.converged for _, outcome in found.values()):
            break
    return found


@dataclass(frozen=True)
class _Lessons:
    """Training or held-out inputs: ``near`` for L_loc, ``taught`` for L_ins, ``rehearsed`` where D_o is seen.

    L_loc takes one input for every ``SHARE`` of L_ins.
    """

    near: Near
    taught: Inputs
    rehearsed: Inputs | None

    @staticmethod
    def draw(
        task: CloneTask,
        settings: CloneSettings,
        images: tuple[Images, Images | None],
        local: LocalModels,
        count: int,
        seed: int,
    ) -> "_Lessons":
        """``count`` of each, made from D_t and D_o."""
        (new, old), draws = images, generator(seed, "inputs", len(images[0]))
        around = near(new, local, count if settings.inputs == "neighbourhood" else -(-count // SHARE), draws)
        wide = taught(task, new, around, count, settings, draws)
        if settings.regime == "strict" or old is None:
            return _Lessons(around, wide, None)
        return _Lessons(around, wide, rehearsed(task, new, old, count, settings, draws))


class _Learner:
    """One candidate and its lessons."""

    def __init__(
        self, task: CloneTask, settings: CloneSettings, candidate: Candidate, lessons: _Lessons, seed: int
    ) -> None:
        self.task, self.settings, self.candidate, self.lessons, self.seed = task, settings, candidate, lessons, seed
        position, source, precision = candidate.position, task.source, settings.precision
        self.taught = features(task.target, lessons.taught.pixels, position, precision)
        if settings.localisation > 0:
            self.near = features(source, lessons.near.pixels, candidate.tail.start, precision)
        if lessons.rehearsed is not None:
            self.rehearsed = features(task.target, lessons.rehearsed.pixels, position, precision)
        self.evidence = objective.source_scores(lessons.taught.answers, task.classes, settings.rest_weight)
        self.heads = [*candidate.adapter.parameters(), *candidate.rows.parameters()]

    def fit(self, checkpoint: Checkpoint | None, progress: bool) -> tuple[MaskedTail | SlicedTail, list[float]]:
        """Learn M with A and F_c, fix it, learn on at the size that is left: (the tail cut down, the losses)."""
        candidate, settings = self.candidate, self.settings
        epochs = self._epochs("localise", settings.schedule, candidate.tail, checkpoint, progress)
        candidate.tail.harden()
        tail = self._cut_down()
        if settings.insert is not None:
            epochs += self._epochs("insert", settings.insert, tail, checkpoint, progress)
        if isinstance(tail, SlicedTail):
            tail.write_back(candidate.tail)
        return tail, epochs

    @torch.no_grad()
    def _cut_down(self) -> MaskedTail | SlicedTail:
        """The tail without what M drops; as it is, with no constants to learn, where it cannot be taken apart."""
        candidate = self.candidate
        example = candidate.adapter(self.taught(torch.zeros(1, dtype=torch.long)))
        try:
            return slice_tail(candidate.tail, example, learns=True)
        except PncError:
            return candidate.tail

    def _epochs(
        self,
        phase: str,
        schedule: Schedule,
        tail: MaskedTail | SlicedTail,
        checkpoint: Checkpoint | None,
        progress: bool,
    ) -> list[float]:
        """The loss of each epoch of one phase; ``tail`` is what is learned beside A and F_c."""
        scale = self.settings.score_rate if isinstance(tail, MaskedTail) else 1.0
        own = tail.scores() if isinstance(tail, MaskedTail) else tail.learned()
        position = self.candidate.position
        history = fit(
            nn.ModuleList([self.candidate.adapter, self.candidate.rows, nn.ParameterList(own)]),
            [{"params": self.heads}, {"params": own, "scale": scale}],
            lambda indices, draws: self.loss(indices, tail, draws),
            len(self.lessons.taught),
            schedule,
            seed=self.seed,
            label=phase,
            begin=self._anneal if isinstance(tail, MaskedTail) else None,
            checkpoint=checkpoint and checkpoint.of(f"R{position}-{phase}"),
            progress=progress,
        )
        return [loss for (loss,) in history]

    def _anneal(self, epoch: int) -> None:
        """Let the kept fraction fall from 1 to ``keep`` along a cubic over the first epochs, if that is asked for."""
        settings = self.settings
        left = settings.anneal * settings.schedule.epochs
        share = max(0.0, 1 - (epoch + 1) / left) ** 3 if left else 0.0
        for _, layer in self.candidate.tail.masked_layers():
            layer.c = kept_filters(len(layer.on), settings.keep + (1 - settings.keep) * share)

    def loss(self, indices: Tensor, tail: MaskedTail | SlicedTail, draws: torch.Generator) -> Tensor:
        """L_ins, with L_loc while M is learned, and what rehearsal adds, on the inputs ``indices``."""
        settings = self.settings
        total = self._insertion(indices, tail)
        if settings.localisation > 0 and isinstance(tail, MaskedTail):
            total = total + settings.localisation * self._localisation(indices[: max(1, len(indices) // SHARE)], tail)
        if self.lessons.rehearsed is not None:
            drawn = torch.randint(len(self.lessons.rehearsed), (len(indices),), generator=draws)
            total = total + settings.rehearsal.weight * self._rehearsal(self.lessons.rehearsed, drawn, tail)
        return total

    def examine(self, tail: MaskedTail) -> tuple[float, float]:
        """(loss, accuracy) on all of the inputs."""
        draws, parts = generator(self.seed, "held-out losses"), torch.arange(len(self.lessons.taught)).split(BATCH)
        losses = torch.stack([self.loss(part, tail, draws) * len(part) for part in parts])
        right = torch.cat([self._right(part, tail) for part in parts])
        return float(losses.sum()) / len(right), float(right.double().mean())

    def _right(self, indices: Tensor, tail: nn.Module) -> Tensor:
        """Boolean [n]: which of the inputs are answered as they should be."""
        if (inputs := self.lessons.rehearsed) is not None:
            old, embedding, entering = inputs.old[indices], inputs.embedding[indices], self.rehearsed(indices)
            wanted = inputs.labels[indices] + old.shape[1]  # T_t counts from −|T_t|
        else:
            inputs = self.lessons.taught
            old, embedding, entering = inputs.old[indices], inputs.embedding[indices], self.taught(indices)
            wanted = torch.cat([old, self.evidence[indices]], dim=1).argmax(1)
        return torch.cat([old, self._new(entering, embedding, tail)], dim=1).argmax(1) == wanted

    def _new(self, entering: Tensor, embedding: Tensor, tail: nn.Module) -> Tensor:
        """New logits of what enters block R of the target; F_c answers in float32, whatever A and M_f compute in."""
        with arithmetic(self.settings.precision, entering.device):
            inner = self.candidate.embed(entering, tail)
        return self.candidate.classify(embedding, inner.float())

    def _insertion(self, indices: Tensor, tail: nn.Module) -> Tensor:
        """L_ins: the clone against M_t and the source, or G on b · x."""
        inputs, settings = self.lessons.taught, self.settings
        old = inputs.old[indices]
        new = self._new(self.taught(indices), inputs.embedding[indices], tail)
        if settings.insertion == "labels":
            return objective.cross_entropy(old, new, inputs.labels[indices] + old.shape[1])
        loss = {
            "joint": objective.joint_distillation,
            "two_softmax": objective.two_softmax_distillation,
        }[settings.insertion]
        return loss(old, new, old, self.evidence[indices])

    def _localisation(self, indices: Tensor, tail: MaskedTail) -> Tensor:
        """L_loc: the masked source, on its own features, against g_i(b)."""
        indices = indices % len(self.lessons.near)
        head, classes = self.task.source.head, list(self.task.classes)
        weight, bias = objective.source_rows(head, classes, rest_weight=0)
        features = self.near(indices)
        with arithmetic(self.settings.precision, features.device):
            inner = tail(features)
        masked = F.linear(inner.float(), weight, bias)
        return objective.localisation_loss(masked, self.lessons.near.answers[indices][:, classes])

    def _rehearsal(self, inputs: Inputs, indices: Tensor, tail: nn.Module) -> Tensor:
        """Joint cross-entropy on D_t ∪ D_o: all for the new classes on D_t, split as by M_s, and none on D_o."""
        old = inputs.old[indices]
        new = self._new(self.rehearsed(indices), inputs.embedding[indices], tail)
        is_new = (inputs.labels[indices] >= 0).to(old)
        targets = objective.gated_targets(old, is_new, inputs.answers[indices][:, list(self.task.classes)])
        return objective.cross_entropy(old, new, targets)


def check_search(task: CloneTask, settings: CloneSettings, positions: Sequence[int]) -> None:
    """Raise PncError for a position that the target lacks, or a rehearsal without its samples."""
    wrong = [position for position in positions if not 0 <= position < len(task.target)]
    if wrong or not positions:
        raise bad("positions R", expected=f"blocks of the target, 0…{len(task.target) - 1}", found=list(positions))
    if settings.regime == "rehearsal" and (task.rehearsal is None or task.rehearsal_held_out is None):
        raise bad("regime rehearsal", expected="samples of the target's classes (D_o)", found="none")
