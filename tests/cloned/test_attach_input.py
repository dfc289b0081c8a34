"""What a package is attached by, and what it is taken out by: objects, files, names, hashes."""

import copy
import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from _tiny import package_for, same_bits, source_and_target, tiny_network
from cloned._originals import X, cloned, trained
from torch import nn

import pnc
from pnc.base.errors import PncError
from pnc.cloned.model import attach


def test_a_package_is_taken_out_by_any_of_its_names(tmp_path: Path) -> None:
    model = cloned()
    own = model.packages[0]
    own.save(tmp_path / "owl.pnc")
    file = tmp_path / "owl.pnc"
    for name in (
        own,
        pnc.ClonePackage.load(file),
        file,
        "owl",
        "kiwi",
        hashlib.sha256(file.read_bytes()).hexdigest(),
    ):
        assert model.detach(name) is model.original
    with pytest.raises(PncError, match=r"package to detach: expected one of \[\('owl', 'kiwi'\)\], found 'emu'$"):
        model.detach("emu")


def test_a_package_is_attached_from_its_file(tmp_path: Path) -> None:
    source, target = source_and_target()
    made = package_for(source, target, 1)
    made.save(tmp_path / "owl.pnc")
    expected = attach(target, source, made)(X)
    for path in (tmp_path / "owl.pnc", str(tmp_path / "owl.pnc")):
        assert torch.equal(attach(target, source, path)(X), expected)
    with pytest.raises(PncError, match="package: expected a ClonePackage or the path of one, found int"):
        attach(target, source, 3)  # type: ignore[arg-type]


def test_a_swapped_pair_is_named_and_a_class_that_is_there_already_comes_first() -> None:
    source, target = source_and_target()
    made = package_for(source, target, 1)
    with pytest.raises(PncError, match=r"^target network's SHA-256: .* \(are target and source swapped\?\)$"):
        attach(source, target, made)
    other = tiny_network("other", 4)
    other.class_names = ("owl", "b", "c", "d")
    with pytest.raises(PncError, match=r"^classes to attach: expected names .*, found \['owl'\]$"):
        attach(other, source, made)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_clone_attached_without_gradients_has_them_afterwards(mode: Any) -> None:
    with mode():
        source, target = source_and_target()
        model = attach(target, source, package_for(source, target, 1))
        model(X)
    x = X.clone().requires_grad_()
    model(x)[:, 4:].sum().backward()
    assert x.grad is not None and x.grad.any()
    trained(copy.deepcopy(model))


def test_parallel_and_compiled_networks_are_attached_as_what_is_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = source_and_target()
    made = package_for(source, target, 1)
    expected = attach(target, source, made)(X)
    for wrap in (nn.DataParallel, lambda network: torch.compile(network, backend="eager")):
        outer = wrap(target)
        model = attach(outer, wrap(source), made)
        assert torch.equal(model(X), expected) and model.detach() is outer
        assert same_bits(target, source_and_target()[1])
