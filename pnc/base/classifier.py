"""Plain supervised training by a recipe: the pre-trained networks, and baselines that start from scratch."""

import math
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.base.augment import Augmentation
from pnc.base.errors import bad
from pnc.base.images import Images, as_float
from pnc.base.precision import Precision, arithmetic, resolved
from pnc.base.train import Checkpoint, History, Schedule, fit

UNCHANGED = Augmentation(crop=0, flip=False, rotation=0.0)


@dataclass(frozen=True)
class LowResolution:
    """The first ``share`` of the epochs, rounded down, on pictures scaled to ``pixels`` × ``pixels``.

    Most of what a network learns it learns as well from small pictures, several times as fast. The last epochs are
    always on the pictures as they are.
    """

    pixels: int
    share: float

    def __post_init__(self) -> None:
        if self.pixels < 1:
            raise bad("low.pixels", expected="a positive number of pixels", found=self.pixels)
        if not 0 < self.share < 1:
            raise bad("low.share", expected="a fraction in (0, 1)", found=self.share)

    def epochs(self, total: int) -> int:
        """How many of ``total`` epochs are on small pictures."""
        return math.floor(self.share * total + 1e-9)  # 0.29 · 100 is a little less than 29


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: cross-entropy under ``schedule`` on pictures changed by ``augmentation``.

    ``precision`` is the arithmetic of the forward passes; "auto" is bfloat16 where the processor computes in it.
    """

    schedule: Schedule
    augmentation: Augmentation = field(default_factory=lambda: UNCHANGED)
    low: LowResolution | None = None
    precision: Precision = "fp32"

    def __post_init__(self) -> None:
        resolved(self.precision, "cpu")

    def on(self, device: torch.device | str) -> "Recipe":
        """With nothing left to be decided by the machine that has ``device``."""
        return replace(self, precision=resolved(self.precision, device))


def train_classifier(
    network: nn.Module,
    images: Images,
    recipe: Recipe,
    *,
    seed: int,
    label: str,
    checkpoint: Checkpoint | None = None,
    progress: bool = False,
) -> History:
    """Cross-entropy on augmented pictures; leaves ``network`` in eval mode and returns the loss per epoch.

    Raises PncError if the recipe's small pictures are not smaller, or too small for the network.
    """
    views = _Views(images, recipe)
    views.check(network)

    def loss(indices: Tensor, draws: torch.Generator) -> Tensor:
        pictures = views(indices, draws)
        with arithmetic(recipe.precision, pictures.device):
            return F.cross_entropy(network(pictures), images.labels[indices])

    network.train()
    history = fit(
        network,
        network.parameters(),
        loss,
        len(images),
        recipe.schedule,
        seed=seed,
        label=label,
        begin=views.begin,
        checkpoint=checkpoint,
        progress=progress,
    )
    network.eval()
    return history


def balanced(labels: Tensor) -> Tensor:
    """A weight for each picture, [N], with mean 1, by which every class that occurs counts the same in a mean."""
    counts = labels.bincount()
    return len(labels) / (counts.count_nonzero() * counts[labels])


class _Views:
    """The pictures as the network sees them in the epoch under way: small or not, and augmented."""

    def __init__(self, images: Images, recipe: Recipe) -> None:
        self.full, self.low, self.epochs = images.pixels, recipe.low, recipe.schedule.epochs
        self.small = self.full if self.low is None else _smaller(images, self.low)
        self.augmentation = recipe.augmentation
        self.begin(0)

    def begin(self, epoch: int) -> None:
        small = self.low is not None and epoch < self.low.epochs(self.epochs)
        self.pixels = self.small if small else self.full

    def __call__(self, indices: Tensor, draws: torch.Generator) -> Tensor:
        # The border of a crop shrinks with the picture, to whole pixels: it stays the same share of it.
        crop = round(self.augmentation.crop * self.pixels.shape[-1] / self.full.shape[-1])
        return replace(self.augmentation, crop=crop)(as_float(self.pixels[indices]), draws)

    @torch.no_grad()
    def check(self, network: nn.Module) -> None:
        """Raise PncError unless ``network`` takes the small pictures; networks that pool globally do."""
        if self.low is None:
            return
        try:
            network.eval()(as_float(self.small[:1]))
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            found = f"{self.low.pixels}×{self.low.pixels} ({reason})"
            raise bad("low.pixels", expected="pictures that the network takes", found=found) from None


def _smaller(images: Images, low: LowResolution) -> Tensor:
    side = min(images.pixels.shape[-2:])
    if low.pixels >= side:
        raise bad("low.pixels", expected=f"fewer pixels than the pictures' {side}", found=low.pixels)
    return images.resized(low.pixels).pixels
