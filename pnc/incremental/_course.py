"""What a learner is taught: a trained network to start from, then pictures of new classes, step by step."""

import copy
from dataclasses import dataclass

from pnc.arch import BlockNet
from pnc.base.augment import Augmentation
from pnc.base.classifier import UNCHANGED
from pnc.base.errors import bad
from pnc.base.images import Images
from pnc.base.train import Checkpoint


@dataclass(frozen=True, eq=False)
class Course:
    """All that a learner may use.

    ``steps`` are the training pictures (D_t) of each step. A step's labels continue after those before it, the first
    one's after the target's; its names are those of all classes so far. ``own`` are pictures of the target's own
    classes (samples of D_o), ``memory`` is the number of exemplars that may be kept in all.
    Raises PncError for no steps, and for labels or names that do not continue.
    """

    target: BlockNet
    steps: tuple[Images, ...]
    seed: int
    augmentation: Augmentation = UNCHANGED
    own: Images | None = None
    memory: int = 0
    checkpoint: Checkpoint | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        if not self.steps:
            raise bad("steps of a course", expected="at least one", found="none")
        known, names = self.target.classes, self.steps[0].class_names[: self.target.classes]
        if self.own is not None:
            _check_labels("pictures of the target's own classes", self.own, range(known))
        for number, step in enumerate(self.steps, start=1):
            _check_labels(f"step {number} of a course", step, range(known, len(step.class_names)))
            if step.class_names[:known] != names:
                found = ", ".join(step.class_names[:known])
                raise bad(
                    f"first names of step {number}", expected=f"those before it, {', '.join(names)}", found=found
                )
            known, names = len(step.class_names), step.class_names
        if self.memory < 0:
            raise bad("memory", expected="a number of exemplars, or 0 for none", found=self.memory)

    @property
    def classes(self) -> int:
        """How many there are after the last step."""
        return len(self.steps[-1].class_names)

    def start(self) -> BlockNet:
        """A copy of the target, frozen and in eval mode: the target itself is never touched."""
        return copy.deepcopy(self.target).requires_grad_(False).eval()

    def part(self, name: str) -> Checkpoint | None:
        """The checkpoint of one training of many."""
        return None if self.checkpoint is None else self.checkpoint.of(name)


def continued(names: tuple[str, ...], images: Images) -> Images:
    """``images`` of new classes, labelled from 0, as a step behind classes called ``names``."""
    return Images(images.pixels, images.labels + len(names), (*names, *images.class_names))


def _check_labels(what: str, images: Images, expected: range) -> None:
    found = images.labels.unique().tolist()
    if found != list(expected) or not len(expected):
        wanted = (
            f"pictures with each of the labels {expected.start} to {expected.stop - 1}" if expected else "new classes"
        )
        raise bad(what, expected=wanted, found=f"labels {', '.join(map(str, found)) or 'of none'}")
