"""The contract of every architecture, applied to whatever is registered, and what the paper's networks must be."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pnc.arch import (
    ARCHITECTURES,
    BlockNet,
    NetworkSpec,
    Normalise,
    as_blocknet,
    build,
    fingerprint,
    load_network,
    save_network,
    scaled,
)
from pnc.base.errors import PncError
from pnc.base.seeds import generator
from pnc.base.tensors import write_tensors

NAMES = ARCHITECTURES.names()
PAPER_BLOCKS = {
    "lenet5": 3,
    "mobilenetv2": 8,
    "plain_cnn": 3,
    "resnet18": 5,
    "resnet50": 5,
    "resnetc20": 5,
    "shufflenetv2": 5,
}
# torchvision's published counts, with 10 classes in place of 1000 and a 3×3 stem in the ResNets
PARAMETERS = {
    "resnet18": 11_689_512 - 990 * 513 - 64 * 3 * (49 - 9),
    "resnet50": 25_557_032 - 990 * 2049 - 64 * 3 * (49 - 9),
    "mobilenetv2": 3_504_872 - 990 * 1281,
    "shufflenetv2": 2_278_604 - 990 * 1025,
    "resnetc20": 272_474,
}
every_architecture = pytest.mark.parametrize("name", NAMES)


def spec_of(name: str, channels: int = 3, width: float = 0.25, size: int = 32) -> NetworkSpec:
    classes = tuple(f"class {k}" for k in range(10))
    return NetworkSpec(name, classes, (0.45,) * channels, (0.25,) * channels, size, width)


def pictures(count: int = 2, channels: int = 3, size: int = 32) -> Tensor:
    return torch.rand(count, channels, size, size, generator=generator(0, "test pictures"))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def trained_a_little(network: BlockNet) -> BlockNet:
    """One pass in train mode, so that the BN buffers are no longer as built."""
    network.train()(pictures(4))
    return network.eval()


# What every architecture must do


def test_the_papers_networks_are_registered() -> None:
    assert set(PAPER_BLOCKS) <= set(NAMES)


@pytest.mark.parametrize("name", PAPER_BLOCKS)
def test_number_of_blocks_is_the_papers(name: str) -> None:
    assert len(build(spec_of(name))) == PAPER_BLOCKS[name]


@every_architecture
@torch.no_grad()
def test_run_and_classify_over_every_cut_give_forward_bit_for_bit(name: str) -> None:
    network = trained_a_little(build(spec_of(name)))
    x = pictures()
    logits = network(x)
    for cut in range(len(network) + 1):
        assert torch.equal(network.classify(network.run(network.run(x, 0, cut), cut)), logits)


@every_architecture
@pytest.mark.parametrize(("channels", "size"), [(1, 32), (3, 64)])
@torch.no_grad()
def test_pictures_of_other_sizes_and_channels(name: str, channels: int, size: int) -> None:
    network = build(spec_of(name, channels, size=size))
    logits = network(pictures(2, channels, size))
    assert logits.shape == (2, 10)
    assert network.classes == 10
    assert logits.isfinite().all()
    assert not torch.equal(logits[0], logits[1])


@every_architecture
def test_width_scales_the_network(name: str) -> None:
    assert count(build(spec_of(name, width=0.25))) < count(build(spec_of(name, width=1.0)))


@every_architecture
@torch.no_grad()
def test_a_very_thin_network_still_works(name: str) -> None:
    assert build(spec_of(name, width=0.01))(pictures()).isfinite().all()


@every_architecture
def test_the_seed_decides_the_weights(name: str) -> None:
    first, again, other = (fingerprint(build(spec_of(name), seed)) for seed in (3, 3, 4))
    assert first == again != other


@every_architecture
def test_building_leaves_the_global_generator_alone(name: str) -> None:
    before = torch.get_rng_state()
    build(spec_of(name))
    assert torch.equal(torch.get_rng_state(), before)


@every_architecture
def test_saved_and_loaded_is_bit_identical(name: str, tmp_path: Path) -> None:
    spec = spec_of(name)
    network = trained_a_little(build(spec, seed=5))
    save_network(tmp_path / "first", network, spec)
    loaded, read = load_network(tmp_path / "first")
    assert read == spec
    assert fingerprint(loaded) == fingerprint(network)
    assert not loaded.training
    save_network(tmp_path / "second", loaded, read)
    assert (tmp_path / "second").read_bytes() == (tmp_path / "first").read_bytes()


@every_architecture
def test_a_backward_step_reaches_every_parameter(name: str) -> None:
    network = build(spec_of(name)).train()
    nn.functional.cross_entropy(network(pictures(4)), torch.arange(4)).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.any(), parameter_name


@every_architecture
@torch.no_grad()
def test_no_block_writes_into_its_input(name: str) -> None:
    network = build(spec_of(name))
    assert not [path for path, module in network.named_modules() if getattr(module, "inplace", False)]
    h = pictures()
    for block in network.blocks:
        before = h.clone()
        leaving = block(h)
        assert torch.equal(h, before)
        h = leaving


# What the paper's networks must be


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_count_at_full_width(name: str) -> None:
    assert count(build(spec_of(name, width=1.0))) == PARAMETERS[name]


@pytest.mark.parametrize("name", ["plain_cnn", "resnet18", "resnet50", "resnetc20", "mobilenetv2"])
def test_convolutions_start_with_he_weights(name: str) -> None:
    convolutions = [m for m in build(spec_of(name)).modules() if isinstance(m, nn.Conv2d) and m.weight.numel() > 2000]
    assert convolutions
    for convolution in convolutions:
        expected = (2 / (convolution.out_channels * convolution.weight[0, 0].numel())) ** 0.5
        assert convolution.weight.std().item() == pytest.approx(expected, rel=0.1)


@torch.no_grad()
def test_resnetc20_meets_resnet18_at_every_block() -> None:
    thin, base = build(spec_of("resnetc20")), build(spec_of("resnet18"))
    for start in range(5):
        assert thin.run(pictures(), 0, start).shape[2:] == base.run(pictures(), 0, start).shape[2:]


def torchvisions(name: str) -> nn.Module:
    """torchvision's network, changed in place to the strides of small pictures."""
    from torchvision import models

    names = {"mobilenetv2": "mobilenet_v2", "shufflenetv2": "shufflenet_v2_x1_0"}
    network = models.get_model(names.get(name, name), num_classes=10)
    network.maxpool = nn.Identity()
    if name == "mobilenetv2":
        network.features[0][0].stride = network.features[2].conv[1][0].stride = (1, 1)
    elif name == "shufflenetv2":
        network.conv1[0].stride = (1, 1)
    else:
        network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    return network


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenetv2", "shufflenetv2"])
@torch.no_grad()
def test_same_logits_as_torchvisions_network_with_the_same_weights(name: str) -> None:
    network = trained_a_little(build(spec_of(name, width=1.0)))
    reference = torchvisions(name).eval()
    _mean, _std, *values = network.state_dict().values()
    reference.load_state_dict(dict(zip(reference.state_dict(), values, strict=True)))
    torch.testing.assert_close(network(pictures()), reference((pictures() - 0.45) / 0.25))


def test_listing_the_names_does_not_import_torchvision() -> None:
    program = "import sys, pnc.arch; pnc.arch.ARCHITECTURES.names(); sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


# The parts


def test_normalise_gives_each_channel_zero_mean_and_unit_variance() -> None:
    x = pictures(8)
    y = Normalise(x.mean((0, 2, 3)).tolist(), x.std((0, 2, 3)).tolist())(x)
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.std((0, 2, 3)), torch.ones(3))


def test_embed_pools_and_flattens_the_last_block() -> None:
    network = BlockNet([nn.Identity()], nn.Linear(3, 2))
    torch.testing.assert_close(network.embed(pictures()), pictures().mean((2, 3)))
    largest = BlockNet([nn.Identity()], nn.Linear(3, 2), pool=nn.AdaptiveMaxPool2d(1))
    assert torch.equal(largest.embed(pictures()), pictures().amax((2, 3)))


def test_fingerprint_sees_buffers_and_names() -> None:
    network = build(spec_of("resnetc20"))
    before = fingerprint(network)
    next(buffer for name, buffer in network.named_buffers() if name.endswith("running_mean"))[0] = 1e-3
    assert fingerprint(network) != before
    convolution, shift = nn.Conv2d(1, 1, 1, bias=False), nn.Conv2d(1, 1, 1, bias=False)
    head = nn.Linear(1, 2)
    one, two = nn.Sequential(convolution, head), nn.Sequential(nn.Sequential(shift), head)
    shift.load_state_dict(convolution.state_dict())
    assert fingerprint(one) != fingerprint(two)  # the same values under other names


def test_fingerprint_of_a_network_is_that_of_its_blocknet_view() -> None:
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    assert fingerprint(network) == fingerprint(as_blocknet(network))


@pytest.mark.parametrize(
    ("channels", "width", "divisor", "expected"),
    [(64, 1, 1, 64), (64, 0.25, 1, 16), (6, 0.25, 1, 2), (116, 0.25, 2, 30), (24, 0.01, 1, 1), (116, 0.001, 2, 2)],
)
def test_scaled(channels: int, width: float, divisor: int, expected: int) -> None:
    assert scaled(channels, width, divisor) == expected


# Errors


def one_line(caught: pytest.ExceptionInfo[PncError]) -> str:
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_architecture_lists_the_known_ones() -> None:
    with pytest.raises(PncError) as caught:
        build(spec_of("resnet19"))
    assert all(name in one_line(caught) for name in (*NAMES, "resnet19"))


@pytest.mark.parametrize("width", [0, -0.5])
def test_width_must_be_positive(width: float) -> None:
    with pytest.raises(PncError) as caught:
        build(spec_of("plain_cnn", width=width))
    assert one_line(caught) == f"width: expected a positive factor, found {width}"


def test_a_network_needs_a_block() -> None:
    with pytest.raises(PncError, match="expected at least one block, found none"):
        BlockNet([], nn.Linear(3, 2))


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_damaged_file_is_named(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_network(path, build(spec_of("plain_cnn")), spec_of("plain_cnn"))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(PncError) as caught:
        load_network(path)
    assert one_line(caught).startswith(f"{path}: expected a whole safetensors file, found a damaged one")


def test_the_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_network(path, build(spec_of("lenet5")), spec_of("plain_cnn"))
    with pytest.raises(PncError) as caught:
        load_network(path)
    assert one_line(caught).startswith(f"{path}: expected the weights of plain_cnn, found ")


def test_a_file_that_holds_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.safetensors"
    write_tensors(path, {"scores": torch.ones(3)}, {"rate": 0.3})
    with pytest.raises(PncError) as caught:
        load_network(path)
    assert one_line(caught).startswith(f"{path}: expected a network saved by pnc, found another file")
