"""Methods by name: one file each, a registered function from a task and settings of its own to one or more rows."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

from pnc.arch import BlockNet, NetworkSpec
from pnc.base.classifier import Recipe
from pnc.base.errors import bad
from pnc.base.evaluate import Classifier
from pnc.base.images import Images
from pnc.base.mapping import arguments
from pnc.base.registry import Registry
from pnc.base.train import Checkpoint
from pnc.cloning.task import CloneTask

Rows = Mapping[str, Classifier]  # by what is put behind the method's name: "" is the method as it is
F = TypeVar("F", bound=Callable[..., "Classifier | Mapping[str, Classifier]"])
REGIMES = ("", "strict", "rehearsal")  # "" is for methods whose samples no regime decides, and strict otherwise


@dataclass(frozen=True)
class MethodTask:
    """All that a method may use.

    ``clone`` holds the networks and samples; ``full`` is the whole training set of T_t ∪ T_s, labelled old classes
    first, for joint training alone, and ``spec`` describes a network over those classes. ``recipe`` is how the target
    was trained. In the regime "rehearsal" a method may see the samples of D_o in ``clone``, in others not.
    Raises PncError for another regime, or one whose samples are not there.
    """

    clone: CloneTask
    full: Images
    spec: NetworkSpec
    recipe: Recipe
    seed: int
    regime: str = ""
    checkpoint: Checkpoint | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        if self.regime not in REGIMES:
            raise bad("regime", expected=f"one of {', '.join(map(repr, REGIMES))}", found=repr(self.regime))
        if self.regime == "rehearsal" and None in (self.clone.rehearsal, self.clone.rehearsal_held_out):
            raise bad("regime rehearsal", expected="samples of D_o, some of them held out", found="none")

    @property
    def old_classes(self) -> int:
        return self.clone.target.classes

    @property
    def target(self) -> BlockNet:
        return self.clone.target

    @property
    def rehearsal(self) -> Images | None:
        """What may be seen of D_o, with the target's labels."""
        return self.clone.rehearsal if self.regime == "rehearsal" else None


@dataclass(frozen=True)
class Method:
    """A registered function, the ``regimes`` that it is for, and ``settings``: its keyword-only parameters."""

    name: str
    function: Callable[..., Classifier | Rows]
    regimes: tuple[str, ...] = REGIMES

    @cached_property
    def settings(self) -> Mapping[str, inspect.Parameter]:
        """By name; each knows its type (``annotation``) and ``default`` (``Parameter.empty`` if it has none)."""
        parameters = inspect.signature(self.function, eval_str=True).parameters
        own = {name: known for name, known in parameters.items() if known.kind is known.KEYWORD_ONLY}
        return MappingProxyType(own)

    def run(self, task: MethodTask, settings: Mapping[str, Any] | None = None) -> Rows:
        """The method's classifiers, with ``settings`` as plain values: those of one training share it.

        Raises PncError for a setting that is unknown, missing or of the wrong type, and for a regime that the
        method is not for.
        """
        values = arguments(self.settings, {} if settings is None else settings, self.name, self.name)
        if task.regime not in self.regimes:
            raise bad(f"{self.name}: regime", expected=" or ".join(self.regimes), found=repr(task.regime))
        found = self.function(task, **values)
        return {"": found} if isinstance(found, Classifier) else found


METHODS: Registry[Method] = Registry("method", "pnc.methods")


def row_name(name: str, row: str) -> str:
    """How scores call a row of the method that is called ``name``."""
    return f"{name}_{row}" if row else name


def method(name: str, regimes: tuple[str, ...] = REGIMES) -> Callable[[F], F]:
    """Decorator: file the function under ``name``, for ``regimes``."""

    def add(function: F) -> F:
        METHODS.register(name)(Method(name, function, regimes))
        return function

    return add
