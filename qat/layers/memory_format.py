"""Sets how tensors are stored: the SDK's own nets are channels last, which is faster; a user's net stays as it is.

A user's forward() may `view()` its results, as tutorials do, which only PyTorch's ordinary layout allows.
"""

import torch
from torch import Tensor, nn


class ChannelsLast(nn.Module):
    """Converts its input images to channels last; its weights should be stored so, too."""

    def __init__(self) -> None:
        super().__init__()
        self.register_forward_pre_hook(_lay_pictures_out)


def channels_last(x: Tensor) -> Tensor:
    """Returns maps (N, C, H, W), channels last; others as they are."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def lay_out(net: nn.Module) -> None:
    """Stores the weights of a net channels last, if it is such a net."""
    if isinstance(net, ChannelsLast):
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def device_of(net: nn.Module) -> torch.device:
    """Returns the device of the net's parameters; the CPU for a net that has none."""
    return next((parameter.device for parameter in net.parameters()), torch.device("cpu"))


def _lay_pictures_out(_net: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (channels_last(inputs[0]), *inputs[1:])
