"""Which network exactly: a hash of every weight and buffer."""

import hashlib

import torch
from torch import nn

from pnc.arch._convert import as_blocknet


def fingerprint(network: nn.Module) -> str:
    """Hex SHA-256 over names, types, shapes and bytes of all parameters and buffers, as blocks and head.

    It depends neither on the device nor on whether the network comes as itself or as its BlockNet view.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(as_blocknet(network).state_dict().items()):
        tensor = tensor.detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
