"""docs/guarantees.md, the other way round: the owner of an original changes it, and hears of it."""

import copy
import pickle

import pytest
import torch
from _tiny import package_for, source_and_target
from cloned._originals import Action, X, cloned, trained
from torch import nn
from torch.nn.utils import prune

import pnc
from pnc.arch import fingerprint
from pnc.base.errors import PncError
from pnc.cloned.model import attach


def moved_on(network: nn.Module) -> None:
    network(X)  # in train mode: batch statistics move


CHANGES: dict[str, Action] = {
    "trained": lambda n: trained(n.train(), torch.optim.SGD),
    "another state": lambda n: n.load_state_dict({k: v + 1 for k, v in n.state_dict().items()}),
    "another type": lambda n: n.double(),
    "batch statistics": lambda n: moved_on(n.train()),
    "another layer": lambda n: setattr(n, "head", nn.Linear(n.head.in_features, n.head.out_features)),
    "a weight replaced": lambda n: setattr(n.head, "weight", nn.Parameter(n.head.weight * 2)),
    "data replaced": lambda n: setattr(n.head.weight, "data", n.head.weight.data * 2),
    "pruned": lambda n: prune.l1_unstructured(n.head, "weight", 0.5),
    "under inference mode": torch.inference_mode()(lambda n: n.head.weight.mul_(2)),
}
HIDDEN: dict[str, Action] = {
    "through .data": lambda n: n.head.weight.data.mul_(2),
    "through NumPy": lambda n: n.head.weight.detach().numpy().__imul__(2),
}


@pytest.mark.parametrize("role", ["source", "target"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_clone_whose_original_was_changed_says_so_in_one_line(change: Action, role: str) -> None:
    model = cloned()
    copied = copy.deepcopy(model)
    expected = copied(X)
    original = model.original if role == "target" else model._attached[0].source
    change(original)  # type: ignore[arg-type]
    line = f"^{role} network, which its owner changed after it was attached: SHA-256: expected [0-9a-f]{{64}} "
    for use in (lambda: model(X), model.parameters().__next__, lambda: copy.deepcopy(model), lambda: model.sliced(X)):
        with pytest.raises(PncError, match=line) as caught:
            use()
        assert "\n" not in str(caught.value)
    assert torch.equal(copied(X), expected)


@pytest.mark.parametrize("change", (CHANGES | HIDDEN).values(), ids=CHANGES | HIDDEN)
def test_detaching_and_saving_look_at_the_hash(change: Action) -> None:
    model = cloned()
    target = model.original
    change(target)  # type: ignore[arg-type]
    with pytest.warns(pnc.PncWarning, match=f"^target network, .*, found {fingerprint(target)}$") as caught:
        assert model.detach() is target
    assert caught[0].filename == __file__
    for use in (lambda: pickle.dumps(model), lambda: model.state_dict(), lambda: attach(model, target, package())):
        with pytest.raises(PncError, match=r"^(target network|type of the (target|source))"):
            use()


def package() -> pnc.ClonePackage:
    source, target = source_and_target()
    return package_for(source, target, 2, (0,), ("emu",), seed=1)


def test_an_owner_who_changes_no_number_is_not_bothered() -> None:
    model = cloned()
    expected, target = model(X), model.original
    target.load_state_dict(copy.deepcopy(target.state_dict()))
    target.share_memory()
    target.eval().requires_grad_(False)
    for parameter in target.parameters():
        parameter.data = parameter.data.clone()
    assert torch.equal(model(X), expected)
    assert model.detach() is target


def test_an_original_that_was_moved_is_named() -> None:
    model = cloned()
    model.original.to("meta")
    with pytest.raises(
        PncError, match=r"after it was attached: device: expected cpu \(or attach again\), found meta$"
    ):
        model(X)
