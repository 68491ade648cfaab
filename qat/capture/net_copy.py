"""Copies a net of any kind: as it is, or with blocks that are trained as branches replaced by what they equal."""

import copy
from typing import Any, Protocol, TypeVar, runtime_checkable

from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)


@runtime_checkable
class Reparameterisable(Protocol):
    """Has the method of a block that is trained as branches and equals fewer layers in eval()."""

    training: bool

    def reparameterised(self) -> nn.Module:
        """Returns the layers that it equals, its batch norms' running statistics taken in, without changing itself."""


def copy_net(net: Net) -> Net:
    """Returns a copy that shares nothing with `net`; a weight computed in forward() is computed again there.

    Pruning and old weight norm keep computed weights that Python's own copy refuses.
    """
    return copy.deepcopy(net, _computed(net))


def reparameterised(net: Net) -> Net:
    """Returns a copy of `net` in which each block with a method `reparameterised()` is replaced by what it returns.

    The copy computes what `net` computes in eval(), within float32's rounding, with fewer parameters and multiply-adds.
    Train the net itself. Quantization needs no call of this: it captures the copy.
    """
    memo = _computed(net)
    for module in net.modules():
        if module is not net and isinstance(module, Reparameterisable):
            memo[id(module)] = module.reparameterised().train(module.training)
    return copy.deepcopy(net, memo)


def is_reparameterisable(net: nn.Module) -> bool:
    """Tells whether the net has blocks that `reparameterised` replaces."""
    return any(module is not net and isinstance(module, Reparameterisable) for module in net.modules())


def _computed(net: nn.Module) -> dict[int, Any]:
    """Returns copies of the weights that forward() computes, by the identity of their originals."""
    return {
        id(value): value.detach().clone()
        for module in net.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
