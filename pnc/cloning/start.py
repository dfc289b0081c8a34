"""Where a candidate starts: A in closed form, M's scores from filter norms, F_c's new rows from the source's."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from pnc.base.errors import bad
from pnc.base.images import as_float
from pnc.base.precision import arithmetic
from pnc.base.seeds import derive, generator
from pnc.cloning import objective
from pnc.cloning.adapter import Adapter
from pnc.cloning.candidate import Candidate, source_position
from pnc.cloning.inputs import rows
from pnc.cloning.settings import CloneSettings
from pnc.cloning.tail import MaskedTail
from pnc.cloning.task import CloneTask
from pnc.cloning.widen import widen


def start(task: CloneTask, settings: CloneSettings, position: int, seed: int) -> Candidate:
    """A candidate for R_t = ``position`` before training. Raises PncError where there are no maps to plug into."""
    source, target = task.source, task.target
    entered = source_position(position, len(target), len(source))
    h_t, h_s = next(_feature_pairs(task, position, entered, settings, seed))
    for role, block, h in (("target", position, h_t), ("source", entered, h_s)):
        if h.dim() != 4:
            raise bad(
                f"features that enter block {block} of the {role}", expected="[N, C, H, W]", found=list(h.shape)
            )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, "adapter", position))
        size = (int(h_s.shape[2]), int(h_s.shape[3]))
        adapter = Adapter(
            h_t.shape[1], h_s.shape[1], size, relu=bool(h_s.min() >= 0), kernel=int(settings.adapter[0])
        )
        new_rows = nn.Linear(target.head.in_features + source.head.in_features, len(task.classes))
    if settings.start == "ridge":
        adapter.start_from(_feature_pairs(task, position, entered, settings, seed))
    tail = MaskedTail(source, entered, settings.keep, settings.reading)
    weight, bias = objective.source_rows(source.head, task.classes, settings.rest_weight)
    with torch.no_grad():
        new_rows.weight.zero_()
        new_rows.weight[:, target.head.in_features :] = weight
        new_rows.bias.copy_(bias)
    return Candidate(position, adapter, tail, new_rows).to(task.samples.pixels.device)


@torch.no_grad()
def _feature_pairs(
    task: CloneTask, position: int, entered: int, settings: CloneSettings, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Both networks' features where the module plugs in, on D_t and on widened pictures made from it."""
    draws = generator(seed, "adapter inputs")
    for batch in rows(len(task.samples), settings.start_inputs, draws).split(128):
        pictures = as_float(task.samples.pixels[batch])
        for inputs in (pictures, widen(pictures, draws)):
            with arithmetic(settings.precision, inputs.device):
                pair = task.target.run(inputs, 0, position), task.source.run(inputs, 0, entered)
            yield pair[0].float(), pair[1].float()
