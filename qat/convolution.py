"""A convolution as `F.conv2d` computes it, with gradients and tiny maps by the ways that are fastest on a processor.

oneDNN's fast kernel for the weights' gradient of depthwise layers takes filters up to three columns wide. But every
column of a filter has its gradient to itself: three at a time they are those of a narrower layer.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

COLUMNS = 3  # that the fast kernel takes


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Tensor:
    """`F.conv2d` with the same arguments."""
    if weight.shape[2:] == x.shape[2:] == (1, 1) and groups == 1 and padding == (0, 0):
        return F.linear(x.flatten(1), weight.flatten(1), bias)[..., None, None]
    if _has_slow_gradient(x, weight, dilation):
        result: Tensor = _WideDepthwise.apply(x, weight, stride, padding)  # type: ignore[no-untyped-call]
        return result if bias is None else result + bias.reshape(-1, 1, 1)
    return F.conv2d(x, weight, bias, stride, padding, dilation, groups)


def _has_slow_gradient(x: Tensor, weight: Tensor, dilation: tuple[int, int]) -> bool:
    is_wide_depthwise = weight.shape[1] == 1 and len(weight) == x.shape[1] and weight.shape[3] > COLUMNS
    is_plain = x.device.type == "cpu" and dilation == (1, 1) and not torch.is_autocast_enabled("cpu")
    return is_wide_depthwise and is_plain and weight.requires_grad


class _WideDepthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x, _ = _gradients(x, weight, gradient, ctx.stride, ctx.padding, (True, False))
        columns = weight.split(COLUMNS, dim=3)
        parts = [
            _of_columns(x, part, gradient, ctx.stride, (ctx.padding[0], ctx.padding[1] - COLUMNS * index))
            for index, part in enumerate(columns)
        ]
        return of_x, torch.cat(parts, dim=3), None, None


def _of_columns(x: Tensor, part: Tensor, gradient: Tensor, stride: tuple[int, int], start: tuple[int, int]) -> Tensor:
    """The gradient of the columns `part` of the weights, that begin `start` (rows, columns) before `x`."""
    ends = [
        (outputs - 1) * step + size - length - before
        for outputs, step, size, length, before in zip(
            gradient.shape[2:], stride, part.shape[2:], x.shape[2:], start, strict=True
        )
    ]
    met = F.pad(x, (start[1], ends[1], start[0], ends[0]))  # where negative, it is cut
    return _gradients(met, part, gradient, stride, (0, 0), (False, True))[1]


def _gradients(
    x: Tensor,
    weight: Tensor,
    gradient: Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    wanted: tuple[bool, bool],
) -> tuple[Tensor, Tensor]:
    """Those of `x` and `weight`."""
    of_x, of_weight, _ = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, stride, padding, (1, 1), False, (0, 0), len(weight), (*wanted, False)
    )
    return of_x, of_weight
