"""Replaces blocks that are trained as several branches by the single layers that they equal."""

import copy
from typing import Any, TypeVar

from torch import nn

_Net = TypeVar("_Net", bound=nn.Module)


def reparameterised(net: _Net) -> _Net:
    """Returns a copy of `net` in which each block with a method `reparameterised()` is replaced by what it returns.

    The copy computes what `net` computes in eval(), within float32's rounding, with fewer parameters and multiply-adds.
    Train the net itself. Quantization needs no call of this: what `prepare` and `quantize` capture is fused, too, in
    this and any other net.
    """
    memo: dict[int, Any] = {}
    for module in net.modules():
        fuse = getattr(module, "reparameterised", None)
        if module is not net and callable(fuse):
            memo[id(module)] = fuse().train(module.training)
    return copy.deepcopy(net, memo)
