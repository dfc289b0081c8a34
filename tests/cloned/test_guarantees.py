"""docs/guarantees.md, tried: whatever is called on a clone, the originals stay; whoever changes those hears of it."""

import contextlib
import copy
import io
import pickle
import warnings
from collections.abc import Iterable, Iterator

import pytest
import torch
from _tiny import OWLS, built, package_for, quick, samples, source_and_target, state
from cloned._originals import Action, X, cloned, trained
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize, prune

import pnc
from pnc.arch.twin import may_write
from pnc.base.errors import PncError
from pnc.cloned.model import ClonedModel, attach


@torch.no_grad()
def spoil(tensors: Iterable[Tensor | None]) -> None:
    """Write to each, in every way."""
    for tensor in list(tensors):
        if tensor is None or tensor.is_meta:
            continue
        tensor.data.zero_()
        tensor.fill_(1)
        if tensor.dtype != torch.bfloat16:
            tensor.detach().numpy()[...] = 7
        if tensor.is_leaf:
            tensor.requires_grad_(tensor.is_floating_point())


def spoil_all(module: nn.Module) -> None:
    for layer in list(module.modules()):
        spoil([*layer._parameters.values(), *layer._buffers.values()])


def inits(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight)
    if isinstance(module, nn.BatchNorm2d):
        module.reset_parameters()


# One entry for every public method of nn.Module: a new release's new method has to be added.

METHODS: dict[str, Action] = {
    "add_module": lambda m: m.add_module("target", nn.Identity()),
    "apply": lambda m: m.apply(inits),
    "bfloat16": lambda m: m.bfloat16(),
    "buffers": lambda m: spoil(m.buffers()),
    "children": lambda m: [spoil_all(child) for child in m.children()],
    "compile": lambda m: m.compile(backend="eager"),
    "cpu": lambda m: spoil(m.cpu().parameters()),
    "cuda": lambda m: spoil(m.cuda().cpu().parameters()),
    "double": lambda m: m.double(),
    "eval": lambda m: m.eval()(X),
    "extra_repr": lambda m: m.extra_repr(),
    "float": lambda m: spoil(m.float().parameters()),
    "forward": lambda m: m.forward(X),
    "get_buffer": lambda m: spoil([m.get_buffer("target.module.blocks.1.1.running_mean")]),
    "get_extra_state": lambda m: m.get_extra_state(),
    "get_parameter": lambda m: spoil([m.get_parameter("target.module.head.weight")]),
    "get_submodule": lambda m: spoil_all(m.get_submodule("clones.0.tail")),
    "half": lambda m: m.half(),
    "ipu": lambda m: m.ipu(),
    "load_state_dict": lambda m: m.load_state_dict({k: torch.ones_like(v) for k, v in m.state_dict().items()}),
    "modules": lambda m: [spoil_all(module) for module in m.modules()],
    "mtia": lambda m: m.mtia(),
    "named_buffers": lambda m: spoil(dict(m.named_buffers()).values()),
    "named_children": lambda m: [spoil_all(child) for _, child in m.named_children()],
    "named_modules": lambda m: [spoil_all(module) for _, module in m.named_modules()],
    "named_parameters": lambda m: spoil(dict(m.named_parameters()).values()),
    "parameters": lambda m: spoil(m.parameters()),
    "register_backward_hook": lambda m: m.register_backward_hook(lambda *_: None),
    "register_buffer": lambda m: m.register_buffer("more", torch.ones(1)),
    "register_forward_hook": lambda m: (m.register_forward_hook(lambda module, *_: spoil_all(module)), m(X)),
    "register_forward_pre_hook": lambda m: (m.register_forward_pre_hook(lambda module, _: spoil_all(module)), m(X)),
    "register_full_backward_hook": lambda m: m.register_full_backward_hook(lambda *_: None),
    "register_full_backward_pre_hook": lambda m: m.register_full_backward_pre_hook(lambda *_: None),
    "register_load_state_dict_post_hook": lambda m: m.register_load_state_dict_post_hook(lambda *_: None),
    "register_load_state_dict_pre_hook": lambda m: m.register_load_state_dict_pre_hook(lambda *_: None),
    "register_module": lambda m: m.register_module("target", nn.Identity()),
    "register_parameter": lambda m: m.register_parameter("more", nn.Parameter(torch.ones(1))),
    "register_state_dict_post_hook": lambda m: m.register_state_dict_post_hook(lambda *_: None),
    "register_state_dict_pre_hook": lambda m: m.register_state_dict_pre_hook(lambda *_: None),
    "requires_grad_": lambda m: m.requires_grad_(True)(X).sum().backward(),
    "set_extra_state": lambda m: m.set_extra_state(None),
    "set_submodule": lambda m: m.set_submodule("target.module.head", nn.Linear(10, 4)),
    "share_memory": lambda m: spoil(m.share_memory().parameters()),
    "state_dict": lambda m: spoil(m.state_dict().values()),
    "to": lambda m: m.to("meta"),
    "to_empty": lambda m: spoil(m.to_empty(device="cpu").parameters()),
    "train": lambda m: m.train()(X),
    "type": lambda m: m.type(torch.float64),
    "xpu": lambda m: m.xpu(),
    "zero_grad": lambda m: m.zero_grad(),
}


def averaged(model: nn.Module) -> None:
    mean = torch.optim.swa_utils.AveragedModel(model, use_buffers=True)
    spoil(model.parameters())
    mean.update_parameters(model)
    torch.optim.swa_utils.update_bn([X], mean)
    torch.optim.swa_utils.update_bn([X], model)


def parametrized(model: ClonedModel) -> None:
    head = model.target.module.head
    parametrize.register_parametrization(head, "weight", nn.Flatten())
    parametrize.remove_parametrizations(head, "weight")
    spoil_all(head)


def saved(model: ClonedModel) -> None:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    for loaded in (torch.load(file, weights_only=False), pickle.loads(pickle.dumps(model))):
        torch.testing.assert_close(loaded(X), model(X), rtol=0, atol=0)
        spoil(loaded.parameters())


def traced(model: ClonedModel) -> None:
    with warnings.catch_warnings():  # raising from inside the tracer, they would crash it
        warnings.simplefilter("ignore")
        spoil_all(torch.jit.trace(model, X))


def functional(model: ClonedModel) -> None:
    values = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    torch.func.functional_call(model, values, (X,))
    spoil(model.parameters())


HELPERS: dict[str, Action] = {
    "SGD": trained,
    "AdamW": lambda m: trained(m, torch.optim.AdamW),
    "AdamW, one by one": lambda m: trained(m, torch.optim.AdamW, foreach=False),
    "Adam, fused": lambda m: trained(m, torch.optim.Adam, fused=True),
    "swa_utils": averaged,
    "vector_to_parameters": lambda m: nn.utils.vector_to_parameters(
        torch.zeros_like(nn.utils.parameters_to_vector(m.parameters())), m.parameters()
    ),
    "clip": lambda m: nn.utils.clip_grad_norm_(m.parameters(), 1.0),
    "prune": lambda m: prune.l1_unstructured(m.target.module.head, "weight", 0.5),
    "prune for good": lambda m: prune.remove(prune.random_structured(m.clones[0].rows, "weight", 1), "weight"),
    "parametrize": parametrized,
    "weight_norm": lambda m: nn.utils.parametrizations.weight_norm(m.target.module.head),
    "copies": lambda m: [spoil_all(other) for other in (copy.deepcopy(m), copy.copy(m))],
    "saved": saved,
    "functional_call": functional,
    "attribute set": lambda m: setattr(m, "target", nn.Identity()),
    "layer set": lambda m: setattr(m.target.module, "head", nn.Linear(10, 4)),
    "attribute deleted": lambda m: delattr(m, "target"),
    "sliced": lambda m: spoil_all(m.sliced(X)),
    "sliced after": lambda m: (spoil(m.clones.parameters()), m.sliced(X)),
    "fx": lambda m: spoil_all(fx.symbolic_trace(m)),
    "jit": traced,
    "compiled": lambda m: spoil((torch.compile(m, backend="eager"), m(X))[0].parameters()),
    "export": lambda m: torch.export.export(m, (X,)),
    "DataParallel": lambda m: spoil_all(nn.DataParallel(m)),
    "package": lambda m: spoil([*m.packages[0].adapter.values(), *m.packages[0].rows.values()]),
    "logits": lambda m: spoil([m(X)]),
    "pictures": lambda m: m(X.clone().requires_grad_()).sum().backward(),
}
ACTIONS = METHODS | HELPERS
HARMLESS = (RuntimeError, AssertionError, AttributeError, NotImplementedError, TypeError, ValueError)


@contextlib.contextmanager
def unchanged(model: ClonedModel) -> Iterator[None]:
    target, source = model.original, model._attached[0].source
    before, expected = (state(target), state(source)), copy.deepcopy(target).eval()(X)
    yield
    assert (state(target), state(source)) == before
    assert model.detach() is target
    assert torch.equal(copy.deepcopy(target).eval()(X), expected)


def test_every_public_method_of_a_module_is_tried() -> None:
    public = {name for name in dir(nn.Module) if not name.startswith("_") and callable(getattr(nn.Module, name))}
    assert public - {"T_destination"} <= set(METHODS)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_nothing_that_is_called_on_a_clone_changes_the_originals(action: Action) -> None:
    model = cloned()
    with unchanged(model):
        try:
            action(model)
        except HARMLESS as error:  # no such device, no such state: even then nothing may have changed
            assert not isinstance(error, PncError)
        spoil_all(model)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
@settings(max_examples=12)
@given(
    st.lists(st.sampled_from(sorted(set(ACTIONS) - {"compile", "compiled", "export", "jit"})), min_size=2, max_size=4)
)
def test_nor_does_anything_after_anything_else(names: list[str]) -> None:
    model = cloned()
    with unchanged(model):
        for name in names:
            with contextlib.suppress(*HARMLESS, KeyError):
                ACTIONS[name](model)


class Clamped(nn.Conv2d):
    """A layer that changes its own weight and buffer whenever it runs."""

    def __init__(self, like: nn.Conv2d) -> None:
        super().__init__(like.in_channels, like.out_channels, 3, like.stride, 1, bias=False)  # type: ignore[arg-type]
        self.register_buffer("calls", torch.zeros(1))
        self.weight.data.copy_(like.weight)

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.weight.data.mul_(0.5)
        return super().forward(x)


def test_layers_that_write_to_their_own_weights_write_to_copies() -> None:
    source, target = source_and_target()
    for network in (source, target):
        network.blocks[2][0] = Clamped(network.blocks[2][0])  # type: ignore[index]
    before = state(source), state(target)
    attach(target, source, package_for(source, target, 1))(X)
    assert (state(source), state(target)) == before
    with pytest.raises(PncError, match=r"^source network: expected weights that stay when it is run, found layers"):
        pnc.clone(source, target, samples(), OWLS, settings=quick(), positions=[1])
    assert (state(source), state(target)) == before


def test_only_layers_that_are_known_not_to_write_share_their_weights() -> None:
    hooked, patched = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
    hooked.register_forward_pre_hook(lambda *_: None)
    patched.forward = lambda x: x  # type: ignore[method-assign]
    writing = [
        hooked,
        patched,
        nn.Embedding(2, 3, max_norm=1.0),
        Clamped(nn.Conv2d(1, 1, 3)),
        fx.symbolic_trace(hooked),
    ]
    assert all(may_write(nn.Sequential(layer)) for layer in writing)
    assert not any(may_write(network) for network in (*source_and_target(), built("shufflenetv2", "bird", 5, 0)))


def weights(model: nn.Module) -> set[int]:
    return {parameter.data_ptr() for parameter in model.parameters()}


def test_a_clone_needs_no_memory_for_weights_until_somebody_reaches_for_them() -> None:
    model = cloned()
    model.eval().train()(X)
    model.sliced(X)
    assert repr(model) == "ClonedModel(BlockNet; owl, kiwi at R = 1)" and "clones" in dir(model)
    assert len(model.classes) == 6
    assert weights(model._shared[0].get_submodule("target")) == weights(model.original)
    expected = model(X)
    assert not weights(model) & weights(model.original)
    assert torch.equal(model(X), expected) and not model._shared
    assert model.target is model.get_submodule("target")


def test_a_copy_is_a_model_of_its_own_that_is_detached_from_the_same_target() -> None:
    model = cloned()
    other = copy.deepcopy(model)
    spoil(other.clones.parameters())
    assert not torch.equal(other(X), model(X))
    assert other.detach() is model.detach() and model._shared


def test_a_slice_of_a_trained_copy_is_what_was_trained() -> None:
    model = copy.deepcopy(cloned())
    trained(model, torch.optim.Adam)
    torch.testing.assert_close(model.sliced(X)(X), model(X), atol=1e-4, rtol=1e-4)


def test_what_is_built_from_packages_refuses_a_model_that_was_trained() -> None:
    source, target = source_and_target()
    packages = [package_for(source, target, 2, (0,), ("emu",), seed=1), package_for(source, target, 1)]
    model = attach(attach(target, source, packages[0]), source, packages[1])
    assert set(model.parameters()) and model.detach("emu").classes[-2:] == ("owl", "kiwi")  # type: ignore[union-attr]
    spoil(model.clones.parameters())
    line = r"expected its weights as they were attached \(detach\(\) gives the target back\), found others, first '"
    with pytest.raises(PncError, match=f"^model to detach one package from: {line}"):
        model.detach("emu")
    with pytest.raises(PncError, match=f"^model to attach another package to: {line}"):
        attach(model, source, package_for(source, target, 2, (4,), ("crow",), seed=2))
    assert model.detach() is target
