"""Finds what a float32 tensor can hold, for every picture, from the graph's numbers alone.

All values of a tensor are in an interval and are whole multiples of one power of two, its unit. Float32 holds every
such number exactly while there are at most 2^24 units of it. A tensor that an elementwise chain makes of int8 codes
takes 256 values at most, and these are known one by one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import operators as ops
from mobile_sdk.graph.arithmetic import EXACT_IN_FLOAT32, quantization_of
from mobile_sdk.graph.operator_table import OperatorTable
from mobile_sdk.graph.operators.traits import Values


@dataclass(frozen=True, kw_only=True, eq=False)
class Held:
    """Holds an interval and a unit; `few` are all values, if they are few. The unit of zeros is infinite."""

    low: float
    high: float
    unit: float
    few: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, few: NDArray[np.float32]) -> "Held":
        """Returns the range of these values and no others."""
        exact = few.astype(np.float64)
        return cls(low=float(exact.min()), high=float(exact.max()), unit=float(unit_of(exact[None])[0]), few=few)

    @property
    def largest(self) -> float:
        """Returns the largest magnitude."""
        return max(-self.low, self.high)

    def clamped(self, clamp: ops.Clamp) -> "Held":
        """Returns the range after the clamp."""
        low, high = clamp.bounds
        if self.few is not None:
            return Held.of(self.few.clip(low, high))
        ends = (float(np.clip(end, low, high)) for end in (self.low, self.high))
        unit = min(self.unit, 2.0) if clamp is ops.Clamp.RELU6 else self.unit  # 6 is 3 times 2
        return Held(low=next(ends), high=next(ends), unit=unit)


def held_in(operators: Sequence[ops.Operator]) -> dict[str, Held | None]:
    """Returns the range of every float32 tensor, by its name, of operators in the order of execution."""
    held: dict[str, Held | None] = {}
    for operator in operators:
        if operator.output.quantization is None:
            inputs = [held.get(x.name) for x in operator.inputs if isinstance(x, ops.Tensor)]
            held[operator.output.name] = _held_after(operator, inputs)
    return held


def sums_are_exact(operator: ops.Weighted, x: Held) -> bool:
    """Tells whether products of weights and values are multiples of one unit, and the worst sum is below 2^24 of it."""
    filters = operator.weight.astype(np.float64).reshape(len(operator.weight), -1)
    summing = filters.any(axis=1)  # a channel without weights equals its bias
    filters, bias = filters[summing], operator.bias.astype(np.float64)[summing]
    units = np.minimum(x.unit * unit_of(filters), unit_of(bias[:, None]))
    worst = np.abs(filters).sum(axis=1) * x.largest + np.abs(bias)
    return bool((worst < EXACT_IN_FLOAT32 * units).all())


def resizing_is_exact(operator: ops.ResizeBilinear, x: Held | None) -> bool:
    """Tells whether weights, differences of neighbours and their products are exact in float32.

    Runtimes add weighted differences, PyTorch adds weighted values. One pixel is repeated: differences are zero.
    """
    if x is None or _is_one_pixel(operator):
        return _is_one_pixel(operator)
    return 2 * x.largest * _shares(operator) < EXACT_IN_FLOAT32 * x.unit


def resizable_unit(operator: ops.ResizeBilinear, x: Held) -> float:
    """Returns the smallest power of two to which values must be rounded so that their resizing is exact."""
    unit = 2.0 ** np.ceil(np.log2(2 * x.largest * _shares(operator) / EXACT_IN_FLOAT32))
    return float(unit if 2 * (x.largest + unit) * _shares(operator) < EXACT_IN_FLOAT32 * unit else 2 * unit)


def unit_of(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the largest power of two that divides each row's float32 numbers; infinite for zeros."""
    mantissas, exponents = np.frexp(rows)
    whole = np.ldexp(mantissas, 24).astype(np.int64)  # a float32 has 24 bits
    lowest = np.log2(np.maximum(whole & -whole, 1)).astype(np.int64)
    powers = np.where(whole == 0, np.inf, exponents + lowest - 24).min(axis=1)
    return np.asarray(2.0**powers)


def _held_after(operator: ops.Operator, inputs: Sequence[Held | None]) -> Held | None:
    """Returns the output's range for its inputs' ranges; None if it depends on the order of summation."""
    if isinstance(operator, ops.Dequantize):
        return _of_codes(operator)
    hold = _of_chosen if operator.traits.values is Values.CHOSEN else _rules[operator]
    known = [each for each in inputs if each is not None]
    return hold(operator, known) if len(known) == len(inputs) else None


_rules: OperatorTable[Callable[[Any, Sequence[Held]], Held | None]] = OperatorTable("the analysis of float32 ranges")


def _of_codes(operator: ops.Dequantize) -> Held:
    grid = quantization_of(operator.input)
    codes = np.arange(ops.INT8_MIN, ops.INT8_MAX + 1) - grid.zero_point
    return Held.of(np.float32(grid.scale) * codes.astype(np.float32))


def _of_chosen(operator: ops.Operator, inputs: Sequence[Held]) -> Held:
    return inputs[0] if len(inputs) == 1 else _joined(inputs)


@_rules.of(ops.Mean, ops.AvgPool2d, ops.DecodeBoxes, ops.UnaryFunction, ops.MatMul, ops.Softmax, ops.Normalize)
def _unknown(operator: ops.Operator, inputs: Sequence[Held]) -> None:
    """Returns None: nothing is known of means and approximated functions, and nothing reads decoded boxes."""


@_rules.of(ops.ConstantTensor)
def _of_constants(operator: ops.ConstantTensor, inputs: Sequence[Held]) -> Held:
    return replace(Held.of(operator.values.ravel()), few=None)


@_rules.of(ops.Conv2d, ops.ConvTranspose2d, ops.Linear)
def _of_sums(operator: ops.Weighted, inputs: Sequence[Held]) -> Held | None:
    return _summed(operator, inputs[0]) if sums_are_exact(operator, inputs[0]) else None


@_rules.of(ops.ResizeBilinear)
def _of_resizing(operator: ops.ResizeBilinear, inputs: Sequence[Held]) -> Held | None:
    return _resized(operator, inputs[0]) if resizing_is_exact(operator, inputs[0]) else None


@_rules.of(ops.Pad)
def _of_padding(operator: ops.Pad, inputs: Sequence[Held]) -> Held:
    (x,) = inputs
    if x.few is not None:
        return Held.of(np.append(x.few, np.float32(0)))
    return Held(low=min(x.low, 0.0), high=max(x.high, 0.0), unit=x.unit)


@_rules.of(ops.Activation)
def _of_activation(operator: ops.Activation, inputs: Sequence[Held]) -> Held | None:
    clamp = operator.kind.clamp
    return None if clamp is None else inputs[0].clamped(clamp)


@_rules.of(ops.Add, ops.Sub, ops.Mul)
def _of_two_clamped(operator: ops.Add | ops.Sub | ops.Mul, inputs: Sequence[Held]) -> Held:
    return _of_two(operator, inputs).clamped(operator.clamp)


def _of_two(operator: ops.Add | ops.Sub | ops.Mul, inputs: Sequence[Held]) -> Held:
    """Returns the range of a sum or product, rounded once: to a coarser power of two, which the unit divides."""
    first = inputs[0]
    combine = {ops.Add: np.add, ops.Sub: np.subtract, ops.Mul: np.multiply}[type(operator)]
    if isinstance(operator.b, ops.Constant):
        value = np.float32(operator.b.value)
        if first.few is not None:
            return Held.of(combine(first.few, value))
        second = Held.of(value.reshape(1))
    else:
        second = inputs[1]
    ends = [combine(np.float32(a), np.float32(b)) for a in (first.low, first.high) for b in (second.low, second.high)]
    low, high = float(min(ends)), float(max(ends))
    unit = min(first.unit, second.unit) if combine is not np.multiply else first.unit * second.unit
    return Held(low=low, high=high, unit=max(unit, _step_away_from_zero(low, high)))


def _step_away_from_zero(low: float, high: float) -> float:
    """Returns the distance of neighbouring float32 numbers at the end of the interval that is nearest to zero."""
    return float(np.spacing(np.float32(min(abs(low), abs(high))))) if low * high > 0 else 0.0


def _joined(parts: Sequence[Held]) -> Held:
    return Held(
        low=min(part.low for part in parts),
        high=max(part.high for part in parts),
        unit=min(part.unit for part in parts),
    )


def _summed(operator: ops.Weighted, x: Held) -> Held:
    filters = operator.weight.astype(np.float64).reshape(len(operator.weight), -1)
    bias = operator.bias.astype(np.float64)
    low, high = min(x.low, 0.0), max(x.high, 0.0)  # padding
    up, down = filters.clip(min=0).sum(axis=1), filters.clip(max=0).sum(axis=1)
    unit = min(float((x.unit * unit_of(filters)).min()), float(unit_of(bias[None])[0]))
    ends = float((up * low + down * high + bias).min()), float((up * high + down * low + bias).max())
    return Held(low=ends[0], high=ends[1], unit=unit).clamped(operator.clamp)


def _resized(operator: ops.ResizeBilinear, x: Held) -> Held:
    return Held(low=x.low, high=x.high, unit=x.unit if _is_one_pixel(operator) else x.unit / _shares(operator))


def _shares(operator: ops.ResizeBilinear) -> float:
    """Returns the parts into which weights divide a unit: twice the factor, down and across.

    They are infinitely many where a side does not grow by a power of two between pixels' centres.
    """
    (_, *before), (_, *after) = operator.input.shape, operator.output.shape
    factors = [new / old for old, new in zip(before, after, strict=True)]
    are_exact = all(factor >= 1 and math.frexp(factor)[0] == 0.5 for factor in factors)
    return 4.0 * math.prod(factors) if are_exact and not operator.align_corners else math.inf


def _is_one_pixel(operator: ops.ResizeBilinear) -> bool:
    return operator.input.shape[1:] == (1, 1)
