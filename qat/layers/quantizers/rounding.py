"""Rounds activations to int8 grids, forward and backward, in the memory of one tensor.

PyTorch's own fake-quantization operators store a mask beside their input and are not vectorised: on a CPU they take
twenty times as long as a clamp of the same tensor. Here a tensor is cut into blocks that stay in the cache while a few
vectorised operators pass over them; backward needs the input, or for h-swish its slope, and one pass.
"""

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from mobile_sdk.graph.arithmetic import GATE, HARD_SIGMOID_SHIFT, HARD_SIGMOID_SPAN
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Quantization
from qat.layers.integer_rounding import ROUNDER
from qat.layers.quantizers.step_gradients import LEVELS, end_gradients, sample

_ROUNDER_BITS = 0x4B400000  # of ROUNDER, as int32
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


class Curve(Protocol):
    """Represents an activation of one number with the phone's roundings inside; `out` gets the result."""

    def value(self, x: Tensor, out: Tensor) -> None:
        """Computes the function of `x`."""
        ...

    def slope(self, x: Tensor, out: Tensor) -> None:
        """Computes what its gradient is multiplied by."""
        ...


class HardSwishCurve:
    """Computes h-swish with the rounded gate, its slope with the smooth one."""

    def value(self, x: Tensor, out: Tensor) -> None:
        """Computes h-swish of `x`."""
        _swish(x, out)

    def slope(self, x: Tensor, out: Tensor) -> None:
        """Computes the smooth h-swish's slope."""
        torch.ops.aten.hardswish_backward(x.new_ones(()).expand_as(x), x, out=out)


@dataclass(frozen=True, kw_only=True)
class SiluCurve:
    """Computes `x * sigmoid(x)` with the sigmoid on its grid (arXiv 1702.03118)."""

    gate: Rounding

    def value(self, x: Tensor, out: Tensor) -> None:
        """Computes SiLU of `x`."""
        torch.sigmoid(x, out=out)
        _round(self.gate.grid, out, out)
        out.mul_(x)

    def slope(self, x: Tensor, out: Tensor) -> None:
        """Computes the rounded gate, and `x` times the sigmoid's slope where the gate's grid holds it."""
        sigmoid = torch.sigmoid(x)
        torch.ops.aten.sigmoid_backward(x, sigmoid, grad_input=out)
        torch.ops.aten.hardtanh_backward(out, sigmoid, *self.gate.ends, grad_input=out)
        _round(self.gate.grid, sigmoid, sigmoid)
        out.add_(sigmoid)


class CurveTable:
    """Holds a curve's values and slopes for the 256 codes of the grid before it."""

    def __init__(self, before: Rounding, curve: Curve, device: torch.device) -> None:
        self.before = before
        codes = torch.arange(INT8_MIN, INT8_MAX + 1, dtype=torch.float32, device=device)
        steps = codes.sub_(before.grid.zero_point).mul_(before.grid.scale)
        self.values, self.slopes = torch.empty_like(steps), torch.empty_like(steps)
        curve.value(steps, self.values)
        curve.slope(steps, self.slopes)

    @torch.no_grad()
    def extremes(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the least and the greatest value over the codes from that of `low` to that of `high`."""
        first, last = self._index(torch.stack([low, high])).clamp_(0, LEVELS).tolist()
        return extremes(self.values[first : last + 1])

    def ended_at(self, after: Rounding) -> "CurveTable":
        """Returns the table with rounded values, whose gradients pass only within the ends of the grid `after`."""
        ended = copy.copy(self)
        ended.slopes = torch.ops.aten.hardtanh_backward(self.slopes, self.values, *after.ends)
        ended.values = _rounded_copy(after.grid, self.values)
        return ended

    def read(self, x: Tensor, values: Tensor, slopes: Tensor) -> None:
        """Writes values and slopes of the numbers `x`, all vectors; NaN has the value NaN."""
        index = self._index(x)
        try:
            torch.index_select(self.values, 0, index, out=values)
        except IndexError:
            index = self._index(x.nan_to_num())
            torch.index_select(self.values, 0, index, out=values)
            values[x.isnan()] = math.nan
        torch.index_select(self.slopes, 0, index, out=slopes)

    def _index(self, x: Tensor) -> Tensor:
        """Returns where each number stands in the table, int32; beyond its end for what is no number.

        A float32 between 2^23 and 2^24 has no fraction: adding to it rounds half to even, and its last bits count.
        """
        grid = self.before.grid
        low, high = INT8_MIN - grid.zero_point, INT8_MAX - grid.zero_point
        steps = torch.mul(x, 1 / grid.scale).clamp_(low, high).add_(ROUNDER)
        return steps.view(torch.int32).sub_(_ROUNDER_BITS + low)


def rounded_curve(table: CurveTable, after: Rounding, x: Tensor) -> Tensor:
    """Returns the table's curve of `x`, which is rounded to the grid before it, rounded to `after`, bit for bit.

    Backward needs one tensor of `x`'s size: the slope, read in the forward pass.
    """
    learned = (table.before.low, table.before.high, after.low, after.high)
    result: Tensor = _RoundedCurve.apply(x.float(), *learned, table, after)  # type: ignore[no-untyped-call]
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


class _RoundedCurve(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        low: Tensor | None,
        high: Tensor | None,
        bottom: Tensor | None,
        top: Tensor | None,
        table: CurveTable,
        after: Rounding,
    ) -> Tensor:
        x = _dense(x)
        result, slope = torch.empty_like(x), torch.empty_like(x)
        ended = table.ended_at(after)
        for part, out, rise in _flat_blocks(x, result, slope):
            ended.read(part, out, rise)
            torch.ops.aten.hardtanh_backward(rise, part, *table.before.ends, grad_input=rise)
        ctx.save_for_backward(slope, None if high is None and top is None else x)
        ctx.table, ctx.after = table, after
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (slope, x), before, after = ctx.saved_tensors, ctx.table.before, ctx.after
        gradient = _laid_out_like(slope, gradient)
        result = gradient * slope
        if x is None:
            return result, *[None] * 6
        ends = (before.low, before.high, after.low, after.high)
        found = _curve_end_gradients(ctx.table, after, x, *sample(x, gradient))
        learned = (each if end is not None else None for end, each in zip(ends, found, strict=True))
        return result, *learned, None, None


def _curve_end_gradients(
    table: CurveTable, after: Rounding, x: Tensor, some: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns the gradients of the range ends before the curve, and of those after it."""
    before, value, slope = table.before, torch.empty_like(some), torch.empty_like(some)
    table.read(_flat(some), _flat(value), _flat(slope))
    passed = torch.ops.aten.hardtanh_backward(gradient, value, *after.ends)
    ends_after = end_gradients(after.grid.scale, after.ends, x, value, gradient, passed)
    inner = passed * slope
    passed = torch.ops.aten.hardtanh_backward(inner, some, *before.ends)
    return *end_gradients(before.grid.scale, before.ends, x, some, inner, passed), *ends_after


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


def _flat_blocks(*tensors: Tensor) -> Iterable[tuple[Tensor, ...]]:
    """Returns the tensors, of one layout, as vectors cut alike."""
    return _blocks(*(_flat(tensor) for tensor in tensors))


def _blocks(*tensors: Tensor) -> Iterable[tuple[Tensor, ...]]:
    """Returns the tensors, of one layout, whole or as vectors cut alike; only CPUs' caches need it."""
    if tensors[0].numel() <= BLOCK or tensors[0].device.type != "cpu":
        return (tensors,)
    return zip(*(torch.split(_flat(tensor), BLOCK) for tensor in tensors), strict=True)
