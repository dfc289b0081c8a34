"""Classifiers of torchvision and timm with the weights of a checkpoint, and the preprocessing of their pictures."""

import importlib
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pnc.base.errors import bad

Config = Mapping[str, Any]
WITHIN = ("state_dict", "model_state_dict", "model")  # where training scripts keep the weights
PARALLEL = "module."  # what nn.DataParallel puts before every name


def load_checkpoint(library: str, name: str, path: Path) -> tuple[nn.Module, Config]:
    """The classifier ``name`` with as many classes as the checkpoint has, and its preprocessing for ``pnc.wrap``.

    Raises PncError for an unknown name, a file that is no checkpoint, or one of another network.
    """
    weights = _weights(path)
    build, config = _BUILDERS[library]
    with torch.random.fork_rng(devices=[]):  # the weights drawn here are overwritten
        model = build(name, {})
        head = _head(model)
        if head is not None and head in weights:
            model = build(name, {"num_classes": len(weights[head])})
    _check_weights(model, weights, f"{library}:{name}", path)
    model.load_state_dict(weights, strict=False)
    return model.eval(), config(name, model)


def _weights(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise bad(str(path), expected="a whole safetensors file", found=f"a damaged one ({error})") from None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        expected = "weights alone, as torch.save(model.state_dict(), path) writes them"
        raise bad(str(path), expected=expected, found=f"another file ({type(error).__name__})") from None
    for key in WITHIN:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not all(isinstance(each, Tensor) for each in found.values()):
        raise bad(str(path), expected="a state dict, name → tensor", found=f"a {type(found).__name__}")
    return {str(key).removeprefix(PARALLEL): tensor for key, tensor in found.items()}


def _head(model: nn.Module) -> str | None:
    """The weight of the last linear layer: its rows are the classes."""
    linear = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    return f"{linear[-1]}.weight" if linear else None


def _check_weights(model: nn.Module, weights: Mapping[str, Tensor], what: str, path: Path) -> None:
    own = {name: tensor.shape for name, tensor in model.state_dict().items() if "num_batches_tracked" not in name}
    given = {name: tensor.shape for name, tensor in weights.items() if "num_batches_tracked" not in name}
    others = sorted(name for name in own.keys() | given.keys() if own.get(name) != given.get(name))
    if others:
        raise bad(str(path), expected=f"the weights of {what}", found=f"{len(others)} others, first {others[0]}")


def _torchvision(name: str, settings: dict[str, int]) -> nn.Module:
    from torchvision.models import get_model  # takes seconds to import

    try:
        return get_model(name, weights=None, **settings)
    except ValueError:
        raise bad("network of torchvision", expected="one that it lists", found=repr(name)) from None


def _torchvision_config(name: str, model: nn.Module) -> Config:
    """What torchvision's own weights for this network were trained behind."""
    from torchvision.models import get_model_weights

    del model
    usual = next(iter(get_model_weights(name))).transforms()
    height, width = usual.crop_size[0], usual.crop_size[-1]
    sizes = {"input_size": (3, height, width), "interpolation": usual.interpolation.value}
    return {"mean": usual.mean, "std": usual.std, **sizes}


def _timm(name: str, settings: dict[str, int]) -> nn.Module:
    try:
        library = importlib.import_module("timm")
    except ModuleNotFoundError as error:
        expected, found = "those of pip install timm", f"no module '{error.name}'"
        raise bad(f"libraries of timm:{name}", expected=expected, found=found) from None
    try:
        return library.create_model(name, pretrained=False, **settings)
    except RuntimeError as error:
        raise bad("network of timm", expected="one that it lists", found=f"{name!r} ({error})") from None


def _timm_config(name: str, model: nn.Module) -> Config:
    del name
    return dict(model.pretrained_cfg)  # type: ignore[arg-type]


_BUILDERS: Mapping[str, tuple[Callable[[str, dict[str, int]], nn.Module], Callable[[str, nn.Module], Config]]] = {
    "torchvision": (_torchvision, _torchvision_config),
    "timm": (_timm, _timm_config),
}
