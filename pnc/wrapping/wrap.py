"""``pnc.wrap``: any convolutional classifier as a BlockNet that prepares its pictures itself."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from pnc.arch.twin import Twin
from pnc.base.errors import PncError, bad
from pnc.base.seeds import generator
from pnc.wrapping._cut import Chain, Cut
from pnc.wrapping._families import attention_layer, family_blocks
from pnc.wrapping._network import WrappedNet
from pnc.wrapping._plain import make_plain
from pnc.wrapping._preprocess import Normalisation, Preprocess, PreprocessSpec, Size, preprocess_spec
from pnc.wrapping._trace import Logits, trace

TOLERANCE = 1e-4  # of the largest logit
EXAMPLE = (224, 224)


def wrap(
    model: nn.Module,
    blocks: Literal["auto"] | Sequence[str | nn.Module] = "auto",
    head: str | None = None,
    *,
    normalise: Normalisation = None,
    size: Size | int | None = None,
    example: Tensor | None = None,
    names: Sequence[str] | None = None,
) -> WrappedNet:
    """View the classifier ``model`` as blocks, pool and linear head, behind the preprocessing it was trained with.

    ``normalise`` is what pictures in [0, 1] went through in training: (mean, std), "imagenet", or a dict with mean,
    std and perhaps input_size and interpolation, as timm's data configs are; None means nothing. Pictures of another
    ``size`` (height and width, or one number for both) are resized to it, grey ones repeated for RGB networks and
    colours weighed for grey ones; without a size they are taken as they come.

    ``blocks`` are modules of ``model``, or their names, whose results end a block; "auto" cuts known families as
    their authors group them and any other network where it halves the picture. ``head`` is the name of the last
    linear layer, as a check. ``names`` are the classes'; by default those of the model's ``config.id2label``.

    The result shares the weights of ``model``, is in eval mode for good and leaves ``model`` as it is. It was
    compared with ``model`` on ``example`` [N, C, H, W], pictures in [0, 1] (default: noise of ``size``, or 224×224).
    Raises PncError for vision transformers, networks without a linear head, cuts that are none, and wherever the
    result differs from ``model``.

    Examples:
        >>> pooled = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), *pooled, nn.Linear(8, 2))
        >>> network = pnc.wrap(model, normalise="imagenet", size=16, names=("cat", "dog"))
        >>> len(network), network.class_names
        (1, ('cat', 'dog'))
        >>> network(torch.rand(3, 1, 28, 28)).shape  # resized and made RGB
        torch.Size([3, 2])
    """
    if (layer := attention_layer(model)) is not None:
        raise bad("network", expected="a convolutional one", found=f"a vision transformer: self-attention in {layer}")
    spec = preprocess_spec(normalise, size, _channels(model))
    device = next(model.parameters()).device
    pictures = _example(example, spec).to(device)
    twin = Twin(model).module
    ready, expected = _answers(twin, pictures, Preprocess(spec).to(device))
    make_plain(twin)
    names_of_blocks = None if isinstance(blocks, str) else [_name(model, block) for block in blocks]
    cut = _cut(twin, model, names_of_blocks, head, ready[:1])
    network = WrappedNet(spec, cut.blocks, cut.head, cut.pool).to(device)
    _verify(network, pictures, expected)
    network.class_names = _class_names(model, names, network.classes)
    return network


def _cut(twin: nn.Module, model: nn.Module, blocks: list[str] | None, head: str | None, ready: Tensor) -> Cut:
    try:
        traced = trace(twin)
    except PncError:
        if blocks is None or head is None:
            raise
        return _sequence(twin, blocks, head, ready)
    chain = Chain(traced, head, ready)
    if blocks is not None:
        return chain.split(_in_order(chain.named(blocks), blocks))
    try:
        family = family_blocks(model)
        return chain.split(chain.stages() if family is None else sorted(set(chain.named(family))))
    except PncError:  # a namesake of the family, or a variant of it with ways around its blocks
        return chain.split(chain.stages())


def _in_order(places: list[int], blocks: list[str]) -> list[int]:
    if not places or sorted(set(places)) != places:
        raise bad("blocks", expected="modules in the order of their calls, at least one", found=blocks)
    return places


@torch.no_grad()
def _sequence(twin: nn.Module, blocks: list[str], head: str, ready: Tensor) -> Cut:
    """Modules taken to run one after another, where torch.fx cannot say so; the comparison with the model decides."""
    last = twin.get_submodule(head)
    if not isinstance(last, nn.Linear):
        raise bad("the network's head", expected="nn.Linear", found=type(last).__name__)
    parts = [twin.get_submodule(name) for name in blocks]
    leaving = _tried(nn.Sequential(*parts), ready)
    return Cut(parts, nn.AdaptiveAvgPool2d(1) if leaving.dim() == 4 else nn.Identity(), last)


def _name(model: nn.Module, block: str | nn.Module) -> str:
    for name, module in model.named_modules():
        if block in (name, module) and name:
            return name
    raise bad("block", expected="a module of the network, or its name", found=str(block))


def _channels(model: nn.Module) -> int:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            return module.in_channels
    raise bad("network", expected="a convolutional one", found=f"{type(model).__name__} without convolutions")


def _example(example: Tensor | None, spec: PreprocessSpec) -> Tensor:
    """At least two pictures: a cut that only fits one batch size shows."""
    if example is None:
        shape = (2, len(spec.mean), *(spec.size or EXAMPLE))
        return torch.rand(shape, generator=generator(0, "wrap", "example"))
    if example.dim() != 4 or not len(example) or not example.is_floating_point():
        raise bad("example", expected="pictures [N, C, H, W], floats in [0, 1]", found=list(example.shape))
    if not (example.min() >= 0 and example.max() <= 1):
        found = f"values in [{float(example.min()):g}, {float(example.max()):g}]"
        raise bad("example", expected="pictures in [0, 1], as they are before normalise", found=found)
    return example if len(example) > 1 else torch.cat([example, example.flip(-1)])


@torch.no_grad()
def _answers(twin: nn.Module, pictures: Tensor, preprocess: Preprocess) -> tuple[Tensor, Tensor]:
    """The prepared pictures, and the logits that the model itself gives for them."""
    ready = preprocess(pictures)
    logits = _tried(Logits(twin), ready)
    if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != len(ready):
        found = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise bad("the network's result", expected=f"logits [{len(ready)}, classes]", found=found)
    return ready, logits


def _tried(network: nn.Module, ready: Tensor) -> Tensor:
    try:
        return network(ready)
    except (RuntimeError, ValueError, AssertionError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        found = f"{list(ready.shape)} ({reason})"
        raise bad("pictures for the network (size=, example=)", expected="what it takes", found=found) from None


@torch.no_grad()
def _verify(network: WrappedNet, pictures: Tensor, expected: Tensor) -> None:
    """Raise PncError unless the blocks, one after another, give the model's logits and leave their inputs alone."""
    h = pictures
    for index, block in enumerate(network.blocks):
        before = h.clone()
        leaving = block(h)
        if not torch.equal(before, h):
            raise bad(f"block {index}", expected="one that leaves its input alone", found="one that works in place")
        h = leaving
    error = float((network.classify(h) - expected).abs().max() / expected.abs().max().clamp_min(1e-9))
    if not error <= TOLERANCE:
        raise bad("the wrapped network", expected="the model's logits", found=f"a relative error of {error:.1e}")


def _class_names(model: nn.Module, names: Sequence[str] | None, classes: int) -> tuple[str, ...] | None:
    """The given names, or those of Hugging Face's config; a name that several classes have gets their numbers."""
    if names is not None:
        if len(names) != classes or len(set(names)) < classes:
            raise bad("names", expected=f"{classes} different ones", found=f"{len(set(names))}")
        return tuple(names)
    labels = getattr(getattr(model, "config", None), "id2label", None) or {}
    found = [str(label) for _, label in sorted(labels.items(), key=lambda item: int(item[0]))]
    if len(found) != classes or found == [f"LABEL_{index}" for index in range(classes)]:
        return None
    times = Counter(found)
    return tuple(name if times[name] == 1 else f"{name} ({index})" for index, name in enumerate(found))
