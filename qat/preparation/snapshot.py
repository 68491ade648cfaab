"""Keeps a net's numbers, so that a stage of calibration can be undone."""

from typing import Any

from torch import Tensor, nn


class Snapshot:
    """Holds copies of all parameters and buffers of `net`; `restore` gives them back, also where one was None."""

    def __init__(self, net: nn.Module) -> None:
        self._kept: list[tuple[dict[str, Any], str, Tensor | None, Tensor | None]] = [
            (held, name, value, None if value is None else value.detach().clone())
            for module in net.modules()
            for held in (module._parameters, module._buffers)
            for name, value in held.items()
        ]

    def restore(self) -> None:
        """Restores the numbers in the net's own tensors."""
        for held, name, value, copy in self._kept:
            if value is not None and copy is not None:
                value.detach().copy_(copy)
            held[name] = value
