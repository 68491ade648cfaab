"""Rounds activations to int8 grids, forward and backward, in the memory of one tensor.

PyTorch's own fake-quantization operators store a mask beside their input and are not vectorised: on a CPU they take
twenty times as long as a clamp of the same tensor. Here a tensor is cut into blocks that stay in the cache while a few
vectorised operators pass over them; backward needs the input, or for h-swish its slope, and one pass.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mobile_sdk.graph.arithmetic import GATE, HARD_SIGMOID_SHIFT, HARD_SIGMOID_SPAN
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Quantization
from qat.layers.quantizers.step_gradients import LEVELS, end_gradients, sample

BLOCK = 2**18  # elements: 1 MiB of float32, which a core's second cache holds


@dataclass(frozen=True, kw_only=True, eq=False)
class Rounding:
    """Holds a grid, and, if it is learned, the ends of its range, scalars that then get gradients.

    A gradient passes if a value is within the grid's ends, and with an open lower end also below it.
    """

    grid: Quantization
    low: Tensor | None = None
    high: Tensor | None = None
    is_open_below: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """Returns the values between which gradients pass."""
        low, high = ((code - self.grid.zero_point) * self.grid.scale for code in (INT8_MIN, INT8_MAX))
        return -math.inf if self.is_open_below else low, high


def round_to(to: Rounding, x: Tensor) -> Tensor:
    """Returns `x` on the grid, of its shape and layout, float32."""
    result: Tensor = _Rounded.apply(x.float(), to.low, to.high, to)  # type: ignore[no-untyped-call]
    return result


def gated_swish(x: Tensor) -> Tensor:
    """Returns h-swish with the phone's rounded gate and the smooth gate's gradient (arXiv 1905.02244, section 5.2)."""
    result: Tensor = _GatedSwish.apply(x.float())  # type: ignore[no-untyped-call]
    return result


def rounded_swish(before: Rounding, after: Rounding, x: Tensor) -> Tensor:
    """Returns `round_to(after, gated_swish(round_to(before, x)))` bit for bit, `after` open below.

    Backward needs one tensor of `x`'s size: the slope, computed in the forward pass.
    """
    learned = (before.low, before.high, after.high)
    result: Tensor = _RoundedSwish.apply(x.float(), *learned, before, after)  # type: ignore[no-untyped-call]
    return result


@torch.no_grad()
def swish_after(before: Rounding, x: Tensor) -> Tensor:
    """Returns `gated_swish(round_to(before, x))` for a few values without gradients."""
    result = torch.empty_like(x)
    _swish(_rounded_copy(before.grid, x), result)
    return result


def extremes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the least and the greatest value, float32, read in memory's order."""
    low, high = torch.aminmax(_flat(_dense(x.detach())))
    return low.float(), high.float()


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, low: Tensor | None, high: Tensor | None, to: Rounding) -> Tensor:
        x = _dense(x)
        ctx.save_for_backward(x)
        ctx.to = to
        result = torch.empty_like(x)
        for part, out in _blocks(x, result):
            _round(to.grid, part, out)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x,), to = ctx.saved_tensors, ctx.to
        gradient = _laid_out_like(x, gradient)
        result = torch.ops.aten.hardtanh_backward(gradient, x, *to.ends)
        if to.high is None:
            return result, None, None, None
        few = sample(x, gradient, result)
        low, high = end_gradients(to.grid.scale, to.ends, x, *few)
        return result, low if to.low is not None else None, high, None


class _GatedSwish(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = _dense(x)
        ctx.save_for_backward(x)
        result = torch.empty_like(x)
        for part, out in _blocks(x, result):
            _swish(part, out)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        result: Tensor = torch.ops.aten.hardswish_backward(gradient, *ctx.saved_tensors)
        return result


class _RoundedSwish(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        low: Tensor | None,
        high: Tensor | None,
        top: Tensor | None,
        before: Rounding,
        after: Rounding,
    ) -> Tensor:
        x = _dense(x)
        result, slope = torch.empty_like(x), torch.empty_like(x)
        for part, out, rise in _blocks(x, result, slope):
            rounded = _rounded_copy(before.grid, part)
            _swish(rounded, out)
            _slope(before, after, part, rounded, out, rise)
            _round(after.grid, out, out)
        ctx.save_for_backward(slope, None if before.high is None else x)
        ctx.before, ctx.after = before, after
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (slope, x), before, after = ctx.saved_tensors, ctx.before, ctx.after
        gradient = _laid_out_like(slope, gradient)
        result = gradient * slope
        if x is None:
            return result, None, None, None, None, None
        low, high, top = _swish_end_gradients(before, after, x, *sample(x, gradient))
        return result, low if before.low is not None else None, high, top, None, None


def _slope(before: Rounding, after: Rounding, x: Tensor, rounded: Tensor, product: Tensor, out: Tensor) -> None:
    """Writes the slope of h-swish of the `rounded` `x`, 0 if `x` or the product is beyond its grid's ends."""
    torch.ops.aten.hardswish_backward(x.new_ones(()).expand_as(x), rounded, out=out)
    torch.ops.aten.hardtanh_backward(out, product, *after.ends, grad_input=out)
    torch.ops.aten.hardtanh_backward(out, x, *before.ends, grad_input=out)


def _swish_end_gradients(
    before: Rounding, after: Rounding, x: Tensor, some: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the gradients of the range ends before h-swish, and of the upper end after it."""
    rounded = _rounded_copy(before.grid, some)
    product = torch.empty_like(some)
    _swish(rounded, product)
    passed = torch.ops.aten.hardtanh_backward(gradient, product, *after.ends)
    _, top = end_gradients(after.grid.scale, after.ends, x, product, gradient, passed)
    inner = torch.ops.aten.hardswish_backward(passed, rounded)
    passed = torch.ops.aten.hardtanh_backward(inner, some, *before.ends)
    return *end_gradients(before.grid.scale, before.ends, x, some, inner, passed), top


def _round(grid: Quantization, x: Tensor, out: Tensor) -> None:
    """Rounds with the bits of torch.fake_quantize_per_tensor_affine; ties round to even."""
    torch.mul(x, 1 / grid.scale, out=out)
    out.round_().clamp_(INT8_MIN - grid.zero_point, INT8_MAX - grid.zero_point).mul_(grid.scale)


def _rounded_copy(grid: Quantization, x: Tensor) -> Tensor:
    result = torch.empty_like(x)
    _round(grid, x, result)
    return result


def _swish(x: Tensor, out: Tensor) -> None:
    torch.add(x, HARD_SIGMOID_SHIFT, out=out)
    out.mul_(1 / GATE.scale).round_().clamp_(0, LEVELS).mul_(x).mul_(GATE.scale / HARD_SIGMOID_SPAN)


def _dense(x: Tensor) -> Tensor:
    is_dense = x.is_contiguous() or (x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last))
    return x if is_dense else x.contiguous()


def _laid_out_like(x: Tensor, gradient: Tensor) -> Tensor:
    """Returns the gradient in the layout of `x`; a mean's gradient, for example, is expanded."""
    if gradient.stride() == x.stride() and gradient.dtype == x.dtype:
        return gradient
    return torch.empty_like(x).copy_(gradient)


def _flat(x: Tensor) -> Tensor:
    """Returns a dense tensor as a vector, in memory's order."""
    return x.as_strided((x.numel(),), (1,))


def _blocks(*tensors: Tensor) -> Iterable[tuple[Tensor, ...]]:
    """Returns the tensors, of one layout, whole or as vectors cut alike; only CPUs' caches need it."""
    if tensors[0].numel() <= BLOCK or tensors[0].device.type != "cpu":
        return (tensors,)
    return zip(*(torch.split(_flat(tensor), BLOCK) for tensor in tensors), strict=True)
