"""Copies a net of any kind; pruning and old weight norm keep computed weights that Python's own copy refuses."""

import copy
from typing import TypeVar

from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)


def copy_net(net: Net) -> Net:
    """Returns a copy that shares nothing with `net`; a weight computed in forward() is computed again there."""
    computed = {
        id(value): value.detach().clone()
        for module in net.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    return copy.deepcopy(net, computed)
