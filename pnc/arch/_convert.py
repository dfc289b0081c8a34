"""Other people's networks as blocks and a head, without touching them."""

from torch import nn

from pnc.arch._blocknet import BlockNet
from pnc.base.errors import bad


def as_blocknet(network: nn.Module) -> BlockNet:
    """View ``network`` as a BlockNet that shares its layers.

    Takes a BlockNet, a torchvision ResNet (five blocks: stem, layer1…4), or an nn.Sequential that ends in a linear
    layer (one block per child before it), in DataParallel or compiled or neither. Raises PncError for anything else;
    wrap such a network in ``BlockNet``.
    """
    network = unwrapped(network)
    if isinstance(network, BlockNet):
        return network
    stem = ("conv1", "bn1", "relu", "maxpool")
    layers = ("layer1", "layer2", "layer3", "layer4")
    if all(hasattr(network, name) for name in (*stem, *layers, "avgpool", "fc")):
        first = nn.Sequential(*(getattr(network, name) for name in stem))
        blocks = [first, *(network.get_submodule(name) for name in layers)]
        return BlockNet(blocks, _linear(network.get_submodule("fc")), pool=network.get_submodule("avgpool"))
    if isinstance(network, nn.Sequential) and len(network) > 1 and isinstance(network[-1], nn.Linear):
        return _from_sequential(network)
    known = "a pnc.BlockNet, a torchvision ResNet or an nn.Sequential ending in nn.Linear"
    raise bad("network", expected=known, found=type(network).__name__)


def unwrapped(network: nn.Module) -> nn.Module:
    """The network inside ``nn.DataParallel``, ``DistributedDataParallel`` and what ``torch.compile`` returns."""
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while isinstance(network, parallel) or type(network).__name__ == "OptimizedModule":
        network = network.module if isinstance(network, parallel) else network.get_submodule("_orig_mod")
    return network


def _from_sequential(network: nn.Sequential) -> BlockNet:
    *blocks, last = network
    head = _linear(last)
    while blocks and isinstance(blocks[-1], nn.Flatten | nn.AdaptiveAvgPool2d | nn.AvgPool2d):
        blocks.pop()
    skipped = list(network)[len(blocks) : -1]
    if not blocks:
        raise bad("network", expected="blocks before the final nn.Linear", found="none")
    return BlockNet(blocks, head, pool=nn.Sequential(*skipped))


def _linear(head: nn.Module) -> nn.Linear:
    if not isinstance(head, nn.Linear):
        raise bad("the network's head", expected="nn.Linear", found=type(head).__name__)
    return head
