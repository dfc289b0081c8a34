"""Localise and insert: learn M, A and F_c for given positions R (Eq. 8; the inner loop of Algorithm 1).

All positions are trained in one pass: the frozen trunks run once per batch and serve every R, the inputs are the
same for each, and the parameters share nothing, so one position at a time gives the same result.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.base.errors import bad
from pnc.base.images import Images, as_float
from pnc.base.seeds import derive, generator
from pnc.base.train import Checkpoint, History, fit
from pnc.cloning import objective
from pnc.cloning.adapter import Adapter
from pnc.cloning.calibration import calibrate
from pnc.cloning.candidate import Candidate, source_position, traverse
from pnc.cloning.local.local_models import LocalModels
from pnc.cloning.local.neighbourhood import perturb
from pnc.cloning.settings import CloneSettings
from pnc.cloning.tail import MaskedTail
from pnc.cloning.task import CloneTask
from pnc.cloning.widen import widen


@dataclass(frozen=True)
class Losses:
    """A candidate's losses: the mean of each epoch, and on held-out pictures once trained and hardened."""

    epochs: list[float]
    converged: float


def localize_insert(
    task: CloneTask,
    local_models: LocalModels,
    settings: CloneSettings,
    positions: Sequence[int],
    *,
    seed: int,
    checkpoint: Checkpoint | None = None,
    progress: bool = False,
) -> dict[int, tuple[Candidate, Losses]]:
    """Train, harden and calibrate one candidate per position R_t. Neither network changes.

    ``local_models`` is G around some of ``task.pixels``, with all of the source's outputs. Raises PncError for a
    position that the target lacks, local models of other pictures, or a rehearsal without its samples.
    """
    check_search(task, settings, positions)
    count = len(task.samples) + len(task.held_out)
    if (last := int(local_models.of.max())) >= count:
        raise bad("local models G", expected=f"of {count} pictures", found=f"one of picture {last}")
    training = _Training(task, local_models, settings, positions, seed)
    epochs = training.fit(checkpoint, progress)
    converged = training.held_out_losses()
    for candidate in training.candidates:
        calibrate(candidate, task, settings, seed)
    return {
        candidate.position: (candidate, Losses([means[index] for means in epochs], converged[index]))
        for index, candidate in enumerate(training.candidates)
    }


@dataclass(frozen=True)
class _Part:
    """Training or held-out pictures: D_t, G around them, and D_o in the rehearsal regime."""

    samples: Images
    local: LocalModels
    rehearsal: Images | None


@dataclass(frozen=True)
class _Near:
    """b · x for ``chosen`` rows of D_t, and what their local models answer [n, C]."""

    chosen: Tensor
    pictures: Tensor
    answers: Tensor


def _near(part: _Part, count: int, draws: torch.Generator) -> _Near:
    models = _rows(len(part.local), count, draws)
    masks = torch.randint(len(part.local.masks), (count,), generator=draws)
    chosen = part.local.of[models]
    pictures = perturb(as_float(part.samples.pixels[chosen]), part.local.masks[masks])
    return _Near(chosen, pictures, part.local.predict(models, masks))


class _Training:
    """One batch of Eq. 8 for every candidate at once."""

    def __init__(
        self, task: CloneTask, local_models: LocalModels, settings: CloneSettings, positions: Sequence[int], seed: int
    ) -> None:
        self.task = task
        self.settings = settings
        self.seed = seed
        self.candidates = [_start(task, settings, position, seed) for position in positions]
        count, rehearsal = len(task.samples), settings.regime == "rehearsal"
        seen, held_out = local_models.slice(0, count), local_models.slice(count, count + len(task.held_out))
        self.training = _Part(task.samples, seen, task.rehearsal if rehearsal else None)
        self.held_out = _Part(task.held_out, held_out, task.rehearsal_held_out if rehearsal else None)

    def fit(self, checkpoint: Checkpoint | None, progress: bool) -> History:
        """Train all candidates, then binarise their masks."""
        history = fit(
            nn.ModuleList(candidate.learned() for candidate in self.candidates),
            [group for candidate in self.candidates for group in candidate.groups(self.settings.score_rate)],
            lambda indices, draws: self._losses(self.training, len(indices), draws),
            self.settings.inputs_per_epoch,
            self.settings.schedule,
            seed=self.seed,
            label="localise and insert",
            checkpoint=checkpoint,
            progress=progress,
        )
        for candidate in self.candidates:
            candidate.tail.harden()
        return history

    @torch.no_grad()
    def held_out_losses(self) -> list[float]:
        """The same losses on held-out pictures, masks hardened: what R* is chosen by."""
        size = self.settings.schedule.batch
        draws = generator(self.seed, "held-out losses")
        losses = [self._losses(self.held_out, size, draws) for _ in range(0, self.settings.held_out_inputs, size)]
        return torch.stack(losses).mean(0).tolist()

    def _losses(self, part: _Part, count: int, draws: torch.Generator) -> Tensor:
        """L_loc + L_ins [candidates] on one batch of ``count`` perturbed pictures."""
        total = self._insertion(part, count, draws)
        if self.settings.localisation > 0:
            total = total + self.settings.localisation * self._localisation(part, max(1, count // 4), draws)
        if part.rehearsal is not None:
            old_and_new = self._rehearsal(part.samples, part.rehearsal, count, draws)
            total = total + self.settings.rehearsal.weight * old_and_new
        return total

    def _localisation(self, part: _Part, count: int, draws: torch.Generator) -> Tensor:
        """L_loc: the masked source, on its own features, against g_i(b)."""
        near = _near(part, count, draws)
        with torch.no_grad():
            entering, _ = traverse(self.task.source, near.pictures, {c.tail.start for c in self.candidates})
        weight, bias = objective.source_rows(self.task.source.head, self.task.classes, rest_weight=0)
        local = near.answers[:, list(self.task.classes)]
        outputs = [F.linear(c.tail(entering[c.tail.start]), weight, bias) for c in self.candidates]
        return torch.stack([objective.localisation_loss(masked, local) for masked in outputs])

    def _insertion(self, part: _Part, count: int, draws: torch.Generator) -> Tensor:
        """L_ins: the clone against M_t and G (b · x), or M_t and M_s itself (widened pictures)."""
        settings = self.settings
        if settings.inputs == "neighbourhood":
            near = _near(part, count, draws)
            inputs, answers, chosen = near.pictures, near.answers, near.chosen
        else:
            chosen = _rows(len(part.samples), count, draws)
            inputs = widen(as_float(part.samples.pixels[chosen]), draws)
            answers = self._ask_source(inputs)
        new_teacher = objective.source_scores(answers, self.task.classes, settings.rest_weight)
        outputs = self._outputs(inputs)
        if settings.insertion == "labels":
            labels = part.samples.labels[chosen] + self.task.target.classes
            return torch.stack([objective.cross_entropy(old, new, labels) for old, new in outputs])
        loss = {
            "joint": objective.joint_distillation,
            "two_softmax": objective.two_softmax_distillation,
        }[settings.insertion]
        return torch.stack([loss(old, new, old, new_teacher) for old, new in outputs])

    def _rehearsal(self, samples: Images, rehearsal: Images, count: int, draws: torch.Generator) -> Tensor:
        """Joint cross-entropy on D_t ∪ D_o: all for the new classes on D_t, split as by M_s, and none on D_o."""
        drawn = torch.randint(len(samples) + len(rehearsal), (count,), generator=draws)
        new, old = drawn[drawn < len(samples)], drawn[drawn >= len(samples)] - len(samples)
        pixels = torch.cat([samples.pixels[new], rehearsal.pixels[old]])
        inputs = self.settings.rehearsal.augmentation(as_float(pixels), draws)
        is_new = torch.cat([torch.ones(len(new)), torch.zeros(len(old))]).to(inputs)
        outputs = self._outputs(inputs)
        teacher_new = self._ask_source(inputs)[:, list(self.task.classes)]
        targets = objective.gated_targets(outputs[0][0], is_new, teacher_new)
        return torch.stack([objective.cross_entropy(old_logits, new, targets) for old_logits, new in outputs])

    @torch.no_grad()
    def _ask_source(self, inputs: Tensor) -> Tensor:
        return self.task.source(inputs)

    def _outputs(self, inputs: Tensor) -> list[tuple[Tensor, Tensor]]:
        """(old logits, new logits) of every candidate."""
        target = self.task.target
        with torch.no_grad():
            entering, embedding = traverse(target, inputs, {c.position for c in self.candidates})
            old = target.head(embedding)
        return [(old, candidate(entering[candidate.position], embedding)) for candidate in self.candidates]


def _start(task: CloneTask, settings: CloneSettings, position: int, seed: int) -> Candidate:
    """A candidate before training: A in closed form, scores from filter norms, F_c from the source's rows."""
    source, target = task.source, task.target
    start = source_position(position, len(target), len(source))
    h_t, h_s = next(_feature_pairs(task, position, start, settings.start_inputs, seed))
    for role, block, h in (("target", position, h_t), ("source", start, h_s)):
        if h.dim() != 4:
            raise bad(
                f"features that enter block {block} of the {role}", expected="[N, C, H, W]", found=list(h.shape)
            )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, "adapter", position))
        size = (int(h_s.shape[2]), int(h_s.shape[3]))
        adapter = Adapter(h_t.shape[1], h_s.shape[1], size, relu=bool(h_s.min() >= 0))
        rows = nn.Linear(target.head.in_features + source.head.in_features, len(task.classes))
    if settings.start == "ridge":
        adapter.start_from(_feature_pairs(task, position, start, settings.start_inputs, seed))
    tail = MaskedTail(source, start, settings.keep, settings.reading)
    weight, bias = objective.source_rows(source.head, task.classes, settings.rest_weight)
    with torch.no_grad():
        rows.weight.zero_()
        rows.weight[:, target.head.in_features :] = weight
        rows.bias.copy_(bias)
    return Candidate(position, adapter, tail, rows).to(task.samples.pixels.device)


@torch.no_grad()
def _feature_pairs(
    task: CloneTask, position: int, start: int, count: int, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Both networks' features where the module plugs in, on D_t and on widened pictures made from it."""
    draws = generator(seed, "adapter inputs")
    for batch in _rows(len(task.samples), count, draws).split(128):
        pictures = as_float(task.samples.pixels[batch])
        for inputs in (pictures, widen(pictures, draws)):
            h_t, _ = traverse(task.target, inputs, {position})
            h_s, _ = traverse(task.source, inputs, {start})
            yield h_t[position], h_s[start]


def _rows(pictures: int, count: int, draws: torch.Generator) -> Tensor:
    """``count`` indices of ``pictures`` in random order, each as often as any other, give or take one."""
    return torch.randperm(pictures, generator=draws).repeat(-(-count // pictures))[:count]


def check_search(task: CloneTask, settings: CloneSettings, positions: Sequence[int]) -> None:
    """Raise PncError for a position that the target lacks, or a rehearsal without its samples."""
    wrong = [position for position in positions if not 0 <= position < len(task.target)]
    if wrong or not positions:
        raise bad("positions R", expected=f"blocks of the target, 0…{len(task.target) - 1}", found=list(positions))
    if settings.regime == "rehearsal" and (task.rehearsal is None or task.rehearsal_held_out is None):
        raise bad("regime rehearsal", expected="samples of the target's classes (D_o)", found="none")
