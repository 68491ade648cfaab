"""How tensors lie in memory: the SDK's own nets compute channels last, which is faster; a user's net is left as it is.

A user's forward() may `view()` what it computes, as tutorials do, which only PyTorch's ordinary layout allows.
"""

import torch
from torch import Tensor, nn


class ChannelsLast(nn.Module):
    """A net that lays pictures out channels last before it computes, and whose weights are best laid out so, too."""

    def __init__(self) -> None:
        super().__init__()
        self.register_forward_pre_hook(_lay_pictures_out)


def channels_last(x: Tensor) -> Tensor:
    """`x` (N, C, H, W), channels last."""
    return x.contiguous(memory_format=torch.channels_last)


def lay_out(net: nn.Module) -> None:
    """Lays the weights of a net out channels last, where it is such a net."""
    if isinstance(net, ChannelsLast):
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def device_of(net: nn.Module) -> torch.device:
    """The device of the net's parameters; the processor for a net that has none."""
    return next((parameter.device for parameter in net.parameters()), torch.device("cpu"))


def _lay_pictures_out(_net: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (channels_last(inputs[0]), *inputs[1:])
