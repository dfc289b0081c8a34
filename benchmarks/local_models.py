"""What the local models cost: against the forward passes alone, and against captum's LIME.

    python benchmarks/local_models.py

ResNet-18: fitting G for N pictures, beside the N·|B| forward passes that no implementation can do without.
LeNet-5: seconds per picture, beside captum's LimeBase with ridge on the same masks, weights and classes.
"""

import argparse
from collections.abc import Iterator
from statistics import median

import torch
from _clock import alternate, machine, ratio, table
from captum._utils.models.linear_model import SkLearnRidge
from captum.attr import LimeBase
from torch import Tensor

from pnc.arch import BlockNet, NetworkSpec, build
from pnc.arch.twin import Twin
from pnc.base.images import as_float
from pnc.base.seeds import generator
from pnc.cloning.local.local_models import LocalModels, fit_local_models
from pnc.cloning.local.neighbourhood import Neighbourhood, perturb

NEAR = Neighbourhood()  # 4×4 patches, 100 masks
RIDGE = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print(f"{machine(options.threads, options.rounds)}, 100 masks, 5 classes, full width, 32×32, float32\n")
    rows = [bare(options.rounds), lime(options.rounds)]
    print(table("network | pnc, ms per picture | against | ms per picture | ratio | largest difference in θ", rows))


def bare(rounds: int) -> list[object]:
    """ResNet-18: the whole fit over its forward passes alone, at the same batch size."""
    network, pixels = subject("resnet18", 3, 5)
    twin, inputs = (
        Twin(network).module,
        torch.rand(len(pixels) * NEAR.masks, 3, 32, 32, generator=generator(0, "inputs")),
    )

    @torch.no_grad()
    def forward() -> None:
        twin(inputs)

    seconds = alternate([lambda: fit(network, pixels), forward], rounds)
    times = [f"{1e3 * median(each) / len(pixels):.1f}" for each in seconds]
    return ["resnet18", times[0], "forward passes alone", times[1], f"{ratio(*seconds):.2f} ×", "–"]


def lime(rounds: int) -> list[object]:
    """LeNet-5: captum explains one picture and one class at a time."""
    network, pixels = subject("lenet5", 1, 100)
    models = fit(network, pixels)
    slow: list[Tensor] = []

    def captum() -> None:
        slow[:] = [explain(network, as_float(pixels[:1]), models.masks, target) for target in range(network.classes)]

    seconds = alternate([lambda: fit(network, pixels), captum], rounds)
    error = (torch.stack(slow, dim=1) - models.theta[0, :-1]).abs().max()
    times = [median(seconds[0]) / len(pixels), median(seconds[1])]
    faster = ratio(seconds[1], seconds[0]) * len(pixels)
    shown = [f"{1e3 * each:.2f}" for each in times]
    return ["lenet5", shown[0], "captum's LimeBase", shown[1], f"{faster:.0f} × faster", f"{error:.0e}"]


def subject(arch: str, channels: int, pictures: int) -> tuple[BlockNet, Tensor]:
    """An untrained network of five classes, and random pictures: neither changes the time."""
    network = build(NetworkSpec(arch, tuple("abcde"), (0.5,) * channels, (0.25,) * channels))
    return network, torch.randint(0, 256, (pictures, channels, 32, 32), generator=generator(0, arch)).to(torch.uint8)


def fit(network: BlockNet, pixels: Tensor) -> LocalModels:
    return fit_local_models(network, pixels, NEAR, seed=0, ridge=RIDGE)


def explain(network: BlockNet, picture: Tensor, masks: Tensor, target: int) -> Tensor:
    """θ [grid²] of one class as captum finds it, on the very masks and weights."""
    weights = iter(NEAR.weights(masks))

    def in_turn(_: Tensor, **__: object) -> Iterator[Tensor]:
        yield from masks.split(1)

    surrogate = LimeBase(
        network,
        SkLearnRidge(alpha=RIDGE),
        lambda *_, **__: next(weights),
        in_turn,
        perturb_interpretable_space=True,
        from_interp_rep_transform=lambda mask, original, **__: perturb(original, mask),
        to_interp_rep_transform=None,
    )
    return surrogate.attribute(picture, target=target, n_samples=len(masks)).flatten()


if __name__ == "__main__":
    main()
