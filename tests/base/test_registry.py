"""Registries find the modules of their package by themselves, and name what they know."""

import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from pnc.base.errors import PncError
from pnc.base.registry import Registry

fresh = count()
Plant = Callable[[dict[str, str]], Registry[Callable[[], str]]]


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Write a package with the given modules (name: source) and a registry ``REGISTRY`` over it."""
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    monkeypatch.syspath_prepend(tmp_path)

    def write(modules: dict[str, str]) -> Registry[Callable[[], str]]:
        package = f"planted_{next(fresh)}"
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(
            f"from pnc.base.registry import Registry\nREGISTRY = Registry('fruit', '{package}')\n"
        )
        for name, source in modules.items():
            (tmp_path / package / f"{name}.py").write_text(f"from {package} import REGISTRY\n{source}\n")
        registry: Registry[Callable[[], str]] = __import__(package).REGISTRY
        return registry

    return write


def entry(name: str) -> str:
    return f"@REGISTRY.register('{name}')\ndef {name}():\n    return '{name} juice'"


def test_a_new_file_is_all_it_takes(plant: Plant) -> None:
    fruits = plant({"one": entry("pear"), "two": entry("apple") + "\n" + entry("fig")})
    assert fruits.names() == ("apple", "fig", "pear")
    assert fruits.get("pear")() == "pear juice"


def test_get_discovers_too(plant: Plant) -> None:
    assert plant({"one": entry("pear")}).get("pear")() == "pear juice"


def test_nothing_is_imported_before_it_is_asked(plant: Plant) -> None:
    fruits = plant({"one": "raise RuntimeError('imported')"})
    with pytest.raises(RuntimeError, match="imported"):
        fruits.names()


def test_private_modules_are_left_out(plant: Plant) -> None:
    fruits = plant({"_helper": "raise RuntimeError('imported')", "one": entry("pear")})
    assert fruits.names() == ("pear",)


def test_a_module_may_ask_the_registry_while_it_is_imported(plant: Plant) -> None:
    fruits = plant({"one": entry("pear"), "two": "REGISTRY.get('pear')\n" + entry("fig")})
    assert fruits.names() == ("fig", "pear")


def test_register_returns_what_it_files() -> None:
    fruits: Registry[object] = Registry("fruit", "unused")
    pear = object()
    assert fruits.register("pear")(pear) is pear


def test_an_unknown_name_lists_the_known_ones(plant: Plant) -> None:
    with pytest.raises(PncError) as caught:
        plant({"one": entry("pear"), "two": entry("apple")}).get("kiwi")
    assert str(caught.value) == "unknown fruit: expected one of apple, pear, found 'kiwi'"


def test_a_name_is_taken_once() -> None:
    fruits: Registry[int] = Registry("fruit", "unused")
    fruits.register("pear")(1)
    with pytest.raises(PncError) as caught:
        fruits.register("pear")(2)
    assert str(caught.value) == "fruit 'pear': expected a new name, found one that is registered already"
