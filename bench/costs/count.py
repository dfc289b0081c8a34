"""What a model costs whoever runs it: multiply-accumulates, parameters, bytes of a file, milliseconds."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pnc.base.errors import PncError
from pnc.cloned.export import Format
from pnc.cloned.export.exported import save_exported
from pnc.cloned.model import ClonedModel

FORMAT: Format = "safetensors"  # of the standalone export: the one that needs no further library
BATCH, ROUNDS, THREADS = 32, 15, 1
HOW = {"export": FORMAT, "batch": BATCH, "rounds": ROUNDS, "threads": THREADS}

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


def costs(
    target: nn.Module, models: Mapping[str, nn.Module], picture: Tensor, files: dict[Shapes, int]
) -> dict[str, dict[str, float]]:
    """What each of ``models`` costs beside the ``target`` alone, by metric; clones are cut down to what they keep.

    A model that the export refuses has no ``export_bytes``, and a line on stderr says why.
    ``added_macs_m`` (in millions, for one ``picture`` [1, C, H, W]) and ``added_params`` are what comes on top of the
    target, ``export_bytes`` and ``ms_per_picture`` those of the whole. ``files`` remembers the bytes by the shapes of
    all tensors, as they depend on nothing else but a few bytes of provenance, and a file takes seconds to write.
    """
    lean = {
        name: model.sliced(picture) if isinstance(model, ClonedModel) else model for name, model in models.items()
    }
    took, alone = milliseconds(lean, picture), (macs(target, picture), parameters(target))
    found = {}
    for name, model in lean.items():
        found[name] = {
            "added_macs_m": (macs(model, picture) - alone[0]) / 1e6,
            "added_params": parameters(model) - alone[1],
            "ms_per_picture": took[name],
        }
        try:
            if (shapes := _shapes(model)) not in files:
                files[shapes] = export_bytes(models[name], picture)
            found[name]["export_bytes"] = files[shapes]
        except PncError as error:
            print(f"no export of {name}: {error}", file=sys.stderr)
    return found


def _shapes(model: nn.Module) -> Shapes:
    return tuple((name, tuple(tensor.shape)) for name, tensor in model.state_dict().items())


@torch.no_grad()
def macs(model: nn.Module, picture: Tensor) -> int:
    """Multiply-accumulates of ``model`` for ``picture`` [1, C, H, W], half of what PyTorch counts as FLOPs.

    Convolutions and products of matrices count; what works number by number, A's resizing of maps among it, does not.
    """
    with FlopCounterMode(display=False) as counter:
        model(picture)
    return int(counter.get_total_flops()) // 2


def parameters(model: nn.Module) -> int:
    """Weights and biases. Batch statistics and the constants that dropped filters leave are none."""
    return sum(parameter.numel() for parameter in model.parameters())


def export_bytes(model: nn.Module, picture: Tensor) -> int:
    """The standalone file that needs no network beside it, for pictures of the shape of ``picture`` [1, C, H, W].

    A ClonedModel writes its own; of another model it holds the same, the facts aside. Raises PncError for a model
    that the format cannot say.
    """
    example = picture.repeat(2, 1, 1, 1)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"model.{FORMAT}"
        if isinstance(model, ClonedModel):
            model.export(path, example, FORMAT)
        else:
            shapes = ({0: torch.export.Dim("batch", min=1)},)
            save_exported(path, torch.export.export(model, (example,), dynamic_shapes=shapes, strict=False), {})
        return path.stat().st_size


@torch.no_grad()
def milliseconds(models: Mapping[str, nn.Module], picture: Tensor) -> dict[str, float]:
    """Time of one picture of the size of ``picture`` [1, C, H, W] in a batch of ``BATCH``, by ``THREADS`` thread.

    The models take turns, in an order that rotates, after a turn to warm up: a machine that slows down for a while
    slows all of them. The median of ``ROUNDS`` turns.
    """
    batch, names = picture.repeat(BATCH, 1, 1, 1), list(models)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        for turn in range(ROUNDS + 1):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                begin = time.perf_counter()
                models[name](batch)
                seconds[name].append(time.perf_counter() - begin)
    finally:
        torch.set_num_threads(before)
    return {name: round(1e3 * median(taken[1:]) / BATCH, 5) for name, taken in seconds.items()}
