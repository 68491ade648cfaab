"""Defines `qat.rearrange`, which moves the values of every picture as the operator Rearrange does."""

from collections.abc import Sequence

import torch
from torch import Tensor


def rearrange(x: Tensor, split: Sequence[int], order: Sequence[int], shape: Sequence[int]) -> Tensor:
    """Returns `x` (N, …) read as (N, *split), its axes but the first in this order, as (N, *shape)."""
    turned = x.reshape(-1, *split).permute(0, *(1 + axis for axis in order))
    return turned.reshape(-1, *shape)


_LIBRARY = torch.library.Library("qat", "FRAGMENT")  # type: ignore[no-untyped-call]
_LIBRARY.define("rearrange(Tensor x, int[] split, int[] order, int[] shape) -> Tensor")  # type: ignore[no-untyped-call]
_LIBRARY.impl("rearrange", rearrange, "CompositeImplicitAutograd")  # type: ignore[no-untyped-call]
REARRANGE = torch.ops.qat.rearrange.default
