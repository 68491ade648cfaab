"""Computes the gradients of a grid's step: LSQ (Esser et al., arXiv 1902.08153) with the ends of LSQ+.

A range from `low` to `high` has steps of `(high - low) / 255`. Inside, a value moves with the step by its rounding
error, in steps; beyond an end it moves with that end (LSQ+, Bhalgat et al., arXiv 2004.09576, section 3.1).
"""

import math

import torch
from torch import Tensor

from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN

LEVELS = INT8_MAX - INT8_MIN
SAMPLE = 4  # one image in so many decides a step's gradient: part of so large a sum estimates it well


def sample(*tensors: Tensor) -> list[Tensor]:
    """Returns the first images of every tensor, one in `SAMPLE` and at least one."""
    return [tensor[: math.ceil(len(tensor) / SAMPLE)] for tensor in tensors]


def end_gradients(
    scale: float, ends: tuple[float, float], whole: Tensor, x: Tensor, gradient: Tensor, passed: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns the gradients of `(low, high)`, scalars, from a sample `x` of the tensor `whole`.

    `gradient` is that of the rounded values, `passed` the part of it that passes between the `ends`. Both gradients are
    scaled so that the step learns at the pace of LSQ's section 2.2, `1 / sqrt(features * 255)`, a range being 255
    steps.
    """
    low, high = ends
    steps = x * (1 / scale)
    inner = steps.round().sub_(steps).mul_(passed).sum() / LEVELS
    above = torch.ops.aten.threshold_backward(gradient, x, high).sum()
    below = torch.ops.aten.hardtanh_backward(gradient, x, -math.inf, low).sum() if low > -math.inf else 0.0
    features = whole.numel() / len(whole)
    pace = LEVELS**2 / math.sqrt(features * LEVELS) * len(whole) / len(x)
    return (below - inner) * pace, (above + inner) * pace


def weight_gradients(weight: Tensor, scales: Tensor, gradient: Tensor, limit: int) -> tuple[Tensor, Tensor]:
    """Returns the gradients of `weight` (O, …) and `scales` (O,), these at LSQ's `1 / sqrt(weights * limit)`."""
    codes = weight / scales.reshape(-1, *[1] * (weight.ndim - 1))
    passed = torch.ops.aten.hardtanh_backward(gradient, codes, -limit, limit)
    axes = tuple(range(1, weight.ndim))
    clipped = codes.round().clamp_(-limit, limit).mul_(gradient).sub_(codes.mul_(passed)).sum(axes)
    return passed, clipped.mul_(1 / math.sqrt(weight[0].numel() * limit))
