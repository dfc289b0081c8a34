"""PNC: the trained packages attached to the target, at the position that each row of the table asks for."""

from pnc.base.evaluate import Classifier, joint
from pnc.cloned.model import ClonedModel, attach
from pnc.methods._registry import MethodTask, Variant, method


def attached(task: MethodTask, variant: Variant, position: int | None = None) -> ClonedModel:
    """The clone at ``position``, or at R* if none is given."""
    return attach(task.target, task.clone.source, task.package(variant, position))


def last_position(task: MethodTask) -> int:
    """R = L − 1, where the search starts."""
    return len(task.target) - 1


@method("pnc", row="PNC (full)")
def pnc(task: MethodTask) -> Classifier:
    """Localised by M and inserted at R*."""
    return joint(attached(task, "masked"), task.old_classes)


@method("pnc_without_insert", row="PNC (w/o Insert)")
def pnc_without_insert(task: MethodTask) -> Classifier:
    """Without the search over R: fixed at R = L − 1."""
    return joint(attached(task, "masked", last_position(task)), task.old_classes)


@method("pnc_without_local", row="PNC (w/o Local)")
def pnc_without_local(task: MethodTask) -> Classifier:
    """Without M: the whole tail of the source, inserted at its own R*."""
    return joint(attached(task, "unmasked"), task.old_classes)
