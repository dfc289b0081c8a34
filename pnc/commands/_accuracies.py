"""What gets evaluated, and how many of its answers are right."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from pnc.cloned.export import load_exported
from pnc.commands._model import read_model
from pnc.commands._networks import device_named, picture_kind
from pnc.commands._package import table
from pnc.commands._pictures import numbered


@dataclass(frozen=True, eq=False)
class Classifier:
    """Pictures [N, channels, size, size] → logits over ``classes``; the first ``old`` of them are the target's.

    ``outputs`` says which of them pictures' classes are, by all the names that they may have.
    """

    network: nn.Module
    classes: tuple[str, ...]
    old: int
    outputs: dict[str, int]
    size: int | None
    channels: int


def read_classifier(path: Path, size: int | None, device: str) -> Classifier:
    """What pnc attach wrote (.json), or an exported model (safetensors). Raises PncError as their readers do."""
    if path.suffix == ".json":
        model = read_model(path, device)
        kind = picture_kind(model.networks, size)
        return Classifier(model.running, model.classes, len(model.target.names), model.outputs, *kind)
    exported = load_exported(path).to(device_named(device))
    new = sum(len(package["names"]) for package in exported.facts["packages"])
    _, channels, side, _ = exported.facts["input"]["shape"]
    old = len(exported.classes) - new
    return Classifier(exported, exported.classes, old, numbered(exported.classes), side, channels)


def report(classes: tuple[str, ...], old: int, answers: Tensor, labels: Tensor) -> str:
    """Per cent of pictures whose class is the answer; ``answers`` and ``labels`` [N] count ``classes``.

    As in ``pnc.base.evaluate.scores``: old and new by picture, all by class, and what leaks from old to new.
    """
    right = (answers == labels).double()
    rows = [["class", "pictures", "right %"]]
    for output, name in enumerate(classes):
        if len(own := right[labels == output]):
            rows.append([name if output < old else f"+ {name}", str(len(own)), _per_cent(own)])
    parts = {"old": (labels < old, old), "new": (labels >= old, len(classes) - old)}
    there = {name: (right[chosen], size) for name, (chosen, size) in parts.items() if chosen.any()}
    rows += [[name, str(len(own)), _per_cent(own)] for name, (own, _) in there.items()]
    if len(there) == 1:
        return table(rows)
    mean = sum(float(own.mean()) * size for own, size in there.values()) / len(classes)
    rows.append(["all", str(len(right)), f"{100 * mean:.1f}"])
    leak = (answers[labels < old] >= old).double()
    return f"{table(rows)}\nof the old classes' pictures {_per_cent(leak)} % are called a new one"


def _per_cent(right: Tensor) -> str:
    return f"{100 * float(right.mean()):.1f}"
