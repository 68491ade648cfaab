"""Computes the moving average of a net's weights, which evaluates better than the weights themselves."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_STATISTICS = ("running_mean", "running_var")


class WeightAverage:
    """Averages all parameters and batch-norm statistics; quantizers' ranges and counters stay as they are.

    After n updates the decay is `min(decay, (1 + n) / (10 + n))`, so that short runs do not average in their start.
    Source: TensorFlow, `ExponentialMovingAverage(decay, num_updates)`, over TF-Slim's model variables.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self._decay = decay
        self._updates = 0
        self._live = _averaged(net)
        self._names = list(self._live)
        self._averages = [tensor.detach().clone() for tensor in self._live.values()]

    @torch.no_grad()
    def update(self) -> None:
        """Includes the net's present weights."""
        self._updates += 1
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        torch._foreach_lerp_(self._averages, [tensor.detach() for tensor in self._live.values()], 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Gives the net the averaged weights inside the `with`."""
        own = [tensor.detach().clone() for tensor in self._live.values()]
        self.apply()
        try:
            yield
        finally:
            self._set(own)

    def apply(self) -> None:
        """Gives the net the averaged weights for good."""
        self._set(self._averages)

    def state_dict(self) -> dict[str, Tensor | int]:
        """Returns the averages by the net's own names, and the number of updates."""
        return {**dict(zip(self._names, self._averages, strict=True)), "": self._updates}

    def load_state_dict(self, state: Mapping[str, Tensor | int]) -> None:
        """Restores the result of `state_dict`; raises ValueError or KeyError if it is that of another net."""
        self._updates = int(state[""])
        for name, average in zip(self._names, self._averages, strict=True):
            value = torch.as_tensor(state[name])
            if value.shape != average.shape:
                raise ValueError(f"an average of shape {tuple(value.shape)} for {name}")
            average.copy_(value)

    @torch.no_grad()
    def _set(self, values: list[Tensor]) -> None:
        for tensor, value in zip(self._live.values(), values, strict=True):
            tensor.copy_(value)


def _averaged(net: nn.Module) -> dict[str, Tensor]:
    statistics = {name: buffer for name, buffer in net.named_buffers() if name.endswith(_STATISTICS)}
    return {**dict(net.named_parameters()), **statistics}
