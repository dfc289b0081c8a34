"""Random draws: every one has a generator of its own, named by what it is for."""

import hashlib

import torch


def derive(seed: int, *purpose: object) -> int:
    """A 63-bit seed for one purpose, independent of every other purpose under the same ``seed``."""
    text = repr([str(part) for part in (seed, *purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *purpose: object, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator for one purpose, e.g. ``generator(0, "pretrain", "epoch", 3)``."""
    return torch.Generator(device=device).manual_seed(derive(seed, *purpose))
