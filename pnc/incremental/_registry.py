"""Learners by name: one file each, a registered function from a course to a classifier after each of its steps."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from torch import nn

from pnc.base.errors import bad
from pnc.base.mapping import arguments
from pnc.base.registry import Registry
from pnc.incremental._course import Course

Sees = Literal["steps", "exemplars", "everything"]
F = TypeVar("F", bound=Callable[..., Iterator[nn.Module]])


@dataclass(frozen=True)
class Learner:
    """A registered function, what it ``sees`` besides a step, and ``settings``: its keyword-only parameters.

    "steps" see nothing else; "exemplars" keep a memory of pictures, of the target's own classes too; "everything" is
    D_o's samples and all steps so far. ``each`` is how many exemplars a class needs at least.
    """

    name: str
    function: Callable[..., Iterator[nn.Module]]
    sees: Sees
    each: int = 1

    @property
    def regime(self) -> str:
        return "strict" if self.sees == "steps" else "rehearsal"

    @cached_property
    def settings(self) -> Mapping[str, inspect.Parameter]:
        """By name; each knows its type (``annotation``) and ``default`` (``Parameter.empty`` if it has none)."""
        parameters = inspect.signature(self.function, eval_str=True).parameters
        own = {name: known for name, known in parameters.items() if known.kind is known.KEYWORD_ONLY}
        return MappingProxyType(own)

    def run(self, course: Course, settings: Mapping[str, Any] | None = None) -> Iterator[nn.Module]:
        """A classifier in eval mode after each step, over all classes so far; later steps leave it as it is.

        Raises PncError for a setting that is unknown, missing or of the wrong type, for a memory that the learner has
        no use for or that is too small, and where pictures of the target's own classes are needed and not there.
        """
        values = arguments(self.settings, {} if settings is None else settings, self.name, self.name)
        least = self.each * course.classes if self.sees == "exemplars" else 0
        if self.sees != "exemplars" and course.memory:
            raise bad(f"{self.name}: memory", expected="0, as it keeps no exemplars", found=course.memory)
        if course.memory < least:
            expected = f"{self.each} or more for each of {course.classes} classes, {least} in all"
            raise bad(f"{self.name}: memory", expected=expected, found=course.memory)
        if self.sees != "steps" and course.own is None:
            raise bad(f"{self.name}: pictures of the target's own classes", expected="some", found="none")
        return self.function(course if self.sees != "steps" else replace(course, own=None), **values)


LEARNERS: Registry[Learner] = Registry("learner", "pnc.incremental")


def learner(name: str, sees: Sees, each: int = 1) -> Callable[[F], F]:
    """Decorator: file the function under ``name``; the rest is as in ``Learner``."""

    def add(function: F) -> F:
        LEARNERS.register(name)(Learner(name, function, sees, each))
        return function

    return add
