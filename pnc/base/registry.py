"""Named things that live one to a file: architectures, data sources, methods.

A registry imports every public module of its package the first time it is asked, so a new file with one
decorated function is all that it takes to add an entry.
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Generic, TypeVar

from pnc.base.errors import bad

T = TypeVar("T")


class Registry(Generic[T]):
    """Entries of one kind, by name.

    ``kind`` names the entries in errors; ``package`` is the dotted package whose modules register them.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._entries: dict[str, T] = {}
        self._discovered = False

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that files an entry under ``name``. Raises PncError if the name is taken."""

        def add(entry: T) -> T:
            if name in self._entries:
                raise bad(f"{self.kind} '{name}'", expected="a new name", found="one that is registered already")
            self._entries[name] = entry
            return entry

        return add

    def names(self) -> tuple[str, ...]:
        """All registered names, sorted."""
        self._discover()
        return tuple(sorted(self._entries))

    def get(self, name: str) -> T:
        """The entry called ``name``. Raises PncError that lists the known names."""
        self._discover()
        if name not in self._entries:
            raise bad(f"unknown {self.kind}", expected=f"one of {', '.join(self.names())}", found=repr(name))
        return self._entries[name]

    def _discover(self) -> None:
        if self._discovered:
            return
        self._discovered = True  # first, since a module may ask the registry while it is being imported
        try:
            for module in pkgutil.iter_modules(importlib.import_module(self._package).__path__):
                if not module.name.startswith("_"):
                    importlib.import_module(f"{self._package}.{module.name}")
        except BaseException:
            self._discovered = False
            raise
