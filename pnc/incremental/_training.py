"""What the learners share: a wider head, one training, distillation, and checks of numbers."""

import copy
import math
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.base.errors import bad
from pnc.base.images import Images, as_float
from pnc.base.seeds import derive
from pnc.base.train import Schedule, fit
from pnc.incremental._course import Course

Term = Callable[[Tensor, Tensor], Tensor]  # pictures [N, C, H, W] in [0, 1] and labels [N] → loss


def widened(network: BlockNet, classes: int, seed: int) -> BlockNet:
    """A trainable copy whose head has ``classes`` outputs, the new ones freshly initialised."""
    copied, old = copy.deepcopy(network).requires_grad_(True), network.head
    copied.head = fresh_head(old.in_features, classes, seed).to(old.weight.device)
    with torch.no_grad():
        copied.head.weight[: old.out_features] = old.weight
        copied.head.bias[: old.out_features] = old.bias
    return copied


def fresh_head(inputs: int, outputs: int, seed: int, *purpose: object) -> nn.Linear:
    """The same weights for the same seed; the global generator is as before."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, "new outputs", outputs, *purpose))
        return nn.Linear(inputs, outputs)


def train(
    course: Course,
    module: nn.Module,
    images: Images,
    term: Term,
    schedule: Schedule,
    *,
    stage: str = "learning",
    parameters: Iterable[nn.Parameter] | None = None,
) -> None:
    """Minimise ``term`` over augmented ``images``; leaves ``module`` in eval mode, as the callers' networks are.

    ``parameters`` are those that change (default: all that want a gradient); ``module`` holds them.
    """
    classes = len(images.class_names)
    changed = [each for each in module.parameters() if each.requires_grad] if parameters is None else parameters

    def loss(indices: Tensor, draws: torch.Generator) -> Tensor:
        return term(course.augmentation(as_float(images.pixels[indices]), draws), images.labels[indices])

    module.train()
    fit(
        module,
        changed,
        loss,
        len(images),
        schedule,
        seed=course.seed,
        label=f"{stage}, {classes} classes",
        checkpoint=course.part(f"{stage}{classes}"),
        progress=course.progress,
    )
    module.eval()


def distillation(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Mean over the pictures of KL(teacher ‖ student) between softened softmaxes of logits [N, classes].

    Its gradient is that of the cross-entropy between the two, as the papers write it; it is 0 for equal logits.
    """
    own, soft = ((logits / temperature).log_softmax(1) for logits in (student, teacher))
    return F.kl_div(own, soft, reduction="batchmean", log_target=True)


def embed(network: BlockNet, pictures: Tensor) -> Tensor:
    """The head's input [N, d]."""
    return network.embed(network.run(pictures))


def together(*parts: Images) -> Images:
    """All of their pictures, with the names of the last."""
    pixels, labels = (torch.cat([getattr(part, name) for part in parts]) for name in ("pixels", "labels"))
    return Images(pixels, labels, parts[-1].class_names)


def check_weight(**values: float) -> None:
    """Raise PncError for one below 0."""
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise bad(name, expected="a number from 0 up", found=value)


def check_positive(**values: float) -> None:
    """Raise PncError for one that is not above 0."""
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise bad(name, expected="a positive number", found=value)
