"""Notices when the owner of a network changes it while a clone runs on its weights."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from pnc.arch import fingerprint
from pnc.base.errors import PncError, bad

Slot = tuple[dict[str, object], str, object]
Place = tuple[int, int]


class Watch:
    """Remembers every weight of ``network`` as it was attached, when its SHA-256 was ``expected``.

    ``look`` costs microseconds a layer: it compares which tensors there are, where they lie, and how often they
    were written to. That misses writes through ``.data`` or NumPy, which ``verify`` sees by the hash.
    """

    def __init__(self, role: str, network: nn.Module, expected: str) -> None:
        self.role, self.network, self.expected = role, network, expected
        self._remember()

    def look(self) -> None:
        """Raise PncError, one line, if the network was trained, overwritten or moved; else go on."""
        if self._touched():
            self.verify()
            self._remember()

    def verify(self) -> None:
        """As ``look``, by the SHA-256 over all weights and buffers."""
        if (line := self.change()) is not None:
            raise line

    def change(self) -> PncError | None:
        """The line that says what its owner changed; None if nothing."""
        what = f"{self.role} network, which its owner changed after it was attached"
        if (device := _device(self.network)) != self.device:
            return bad(f"{what}: device", expected=f"{self.device} (or attach again)", found=device)
        if (found := fingerprint(self.network)) != self.expected:
            return bad(f"{what}: SHA-256", expected=f"{self.expected} (or attach another package)", found=found)
        return None

    def _remember(self) -> None:
        self.device = _device(self.network)
        self._slots = list(_slots(self.network))
        self._tensors = [value for _, _, value in self._slots if isinstance(value, Tensor)]
        self._places = [_place(tensor) for tensor in self._tensors]

    def _touched(self) -> bool:
        if any(owner.get(name) is not value for owner, name, value in self._slots):
            return True
        return [_place(tensor) for tensor in self._tensors] != self._places


def _slots(network: nn.Module) -> Iterator[Slot]:
    for module in network.modules():
        for owner in (module._parameters, module._buffers, module._modules):
            for name, value in owner.items():
                yield owner, name, value  # type: ignore[misc]


def _place(tensor: Tensor) -> Place:
    return tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version


def _device(network: nn.Module) -> torch.device:
    return next(iter(network.state_dict().values())).device
