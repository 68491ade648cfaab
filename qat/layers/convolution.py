"""Computes `F.conv2d` by kernels that are fast and correct on a CPU.

oneDNN's fast kernel for the weights' gradient of depthwise layers takes filters up to three columns wide. But the
columns of a filter have independent gradients: three at a time they are those of a narrower layer.

Its kernel for the weights' gradient of 1 x 1 layers with a stride, channels last, writes beyond its memory if there are
few channels (oneDNN 3.12, PyTorch 2.13). Of 1,800 layers of all kinds no other did. The pixels that such a layer reads
are therefore selected first, and convolved with a stride of one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

COLUMNS = 3  # filter columns that the fast kernel takes


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Tensor:
    """Returns the result of `F.conv2d` with the same arguments."""
    if _is_strided_pointwise(weight, stride, padding, groups):
        x, stride = x[:, :, :: stride[0], :: stride[1]], (1, 1)
    if weight.shape[2:] == x.shape[2:] == (1, 1) and groups == 1 and padding == (0, 0):
        return F.linear(x.flatten(1), weight.flatten(1), bias)[..., None, None]
    if _has_slow_gradient(x, weight, dilation):
        result: Tensor = _WideDepthwise.apply(x, weight, stride, padding)  # type: ignore[no-untyped-call]
        return result if bias is None else result + bias.reshape(-1, 1, 1)
    return F.conv2d(x, weight, bias, stride, padding, dilation, groups)


@contextmanager
def safe_gradients(net: nn.Module) -> Iterator[None]:
    """Keeps PyTorch's own layers in `net`, inside the `with`, from the kernel that writes beyond its memory."""
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d) and _is_in_danger(layer)]
    for layer in layers:
        layer.forward = partial(_forward, layer)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _is_in_danger(layer: nn.Conv2d) -> bool:
    is_pytorchs = type(layer).forward is nn.Conv2d.forward and "forward" not in vars(layer)
    is_padded = layer.padding not in ((0, 0), "valid")
    return is_pytorchs and not is_padded and _is_strided_pointwise(layer.weight, layer.stride, (0, 0), layer.groups)


def _forward(layer: nn.Conv2d, x: Tensor) -> Tensor:
    down, right = layer.stride
    return convolution(x, layer.weight, layer.bias, (down, right), (0, 0), (1, 1), 1)


def _is_strided_pointwise(weight: Tensor, stride: tuple[int, ...], padding: tuple[int, int], groups: int) -> bool:
    return weight.shape[2:] == (1, 1) and groups == 1 and padding == (0, 0) and max(stride) > 1


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
        top, left = ctx.padding
        padded = F.pad(x, (left, left, top, top))
        parts, start = [], 0
        for part in weight.split(COLUMNS, dim=3):
            parts.append(_columns_gradient(padded, part, gradient, ctx.stride, start))
            start += COLUMNS
        return of_x, torch.cat(parts, dim=3), None, None


def _columns_gradient(padded: Tensor, part: Tensor, gradient: Tensor, stride: tuple[int, int], start: int) -> Tensor:
    """Returns the gradient for `part` of the weights, whose columns begin at column `start` of the filter."""
    rows, columns = (
        (outputs - 1) * step + size
        for outputs, step, size in zip(gradient.shape[2:], stride, part.shape[2:], strict=True)
    )
    read = padded[:, :, :rows, start : start + columns]
    return _gradients(read, part, gradient, stride, (0, 0), (False, True))[1]


def _gradients(
    x: Tensor,
    weight: Tensor,
    gradient: Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    wanted: tuple[bool, bool],
) -> tuple[Tensor, Tensor]:
    """Returns the gradients of `x` and `weight`."""
    of_x, of_weight, _ = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, stride, padding, (1, 1), False, (0, 0), len(weight), (*wanted, False)
    )
    return of_x, of_weight
