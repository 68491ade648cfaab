"""Replaces blocks that are trained as several branches by the single layers that they equal."""

import copy
from typing import Any, Protocol, TypeVar, runtime_checkable

from torch import nn


@runtime_checkable
class Reparameterisable(Protocol):
    """Has the method of a block that is trained as branches and equals fewer layers in eval()."""

    training: bool

    def reparameterised(self) -> nn.Module:
        """Returns the layers that it equals, with its running statistics taken in."""


_Net = TypeVar("_Net", bound=nn.Module)


def reparameterised(net: _Net) -> _Net:
    """Returns a copy of `net` in which each block with a method `reparameterised()` is replaced by what it returns.

    The copy computes what `net` computes in eval(), within float32's rounding, with fewer parameters and multiply-adds.
    Train the net itself. Quantization needs no call of this: what `prepare` and `quantize` capture is fused, too, in
    this and any other net.
    """
    memo: dict[int, Any] = {}
    for module in net.modules():
        if module is not net and isinstance(module, Reparameterisable):
            memo[id(module)] = module.reparameterised().train(module.training)
    return copy.deepcopy(net, memo)


def is_reparameterisable(net: nn.Module) -> bool:
    """Tells whether the net has blocks that `reparameterised` replaces."""
    return any(module is not net and isinstance(module, Reparameterisable) for module in net.modules())
