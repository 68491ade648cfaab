"""Makes a net for a contract: its first layer reads the channels of the contract's pictures."""

from typing import Any, TypeVar

import torch
from torch import nn

from mobile_sdk.contract import Contract

_RGB = 3
_Net = TypeVar("_Net", bound=Any)


def made_for(net: _Net, contract: Contract) -> _Net:
    """Returns `net`, which is built for RGB, with its contract and with a first layer for the contract's channels.

    For grey, that layer's weights are the sums over RGB: a grey picture gives what it would as RGB. A further channel
    has their mean.
    """
    channels = contract.image.channels
    if channels != _RGB:
        path, first = next((path, each) for path, each in net.named_modules() if isinstance(each, nn.Conv2d))
        parent, _, name = path.rpartition(".")
        setattr(net.get_submodule(parent), name, _reading(first, channels))
    net.contract = contract
    return net


def _reading(first: nn.Conv2d, channels: int) -> nn.Conv2d:
    weight = first.weight.detach()
    if channels == 1:
        weight = weight.sum(dim=1, keepdim=True)
    else:
        weight = torch.cat([weight, weight.mean(dim=1, keepdim=True)], dim=1)
    layer = nn.Conv2d(
        channels,
        first.out_channels,
        first.kernel_size,  # type: ignore[arg-type]  # what a layer holds is as long as it must be
        first.stride,  # type: ignore[arg-type]
        first.padding,  # type: ignore[arg-type]
        first.dilation,  # type: ignore[arg-type]
        bias=first.bias is not None,
        device=weight.device,
    )
    layer.weight = nn.Parameter(weight.contiguous())
    if first.bias is not None:
        layer.bias = first.bias
    return layer
