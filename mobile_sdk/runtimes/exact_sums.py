"""Tells which sums float32 holds without an error, and writes Add's integer rule as such sums.

A float32 holds every integer up to 2^24. As long as no sum passes that, neither the order of summation nor fused
multiply-adds change a result. Add's rule `(a * M_a + b * M_b + 2^(k-1)) >> k` has products of 29 bits, so each
multiplier is split, `M = high * 2^10 + low`; with `H` and `L` the sums of the two halves' products the rule is
`floor((H + floor(L / 2^10) + 2^(k-11)) / 2^(k-10))`, and that is `H + floor(L / 2^10) + 1/2` in steps of `2^(k-10)`,
rounded to the nearest: the half makes ties impossible. Bounds, for centred codes up to 255 and M up to 2^21: |H| <=
2^20, |L| < 2^19.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import CompileError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph import operators as ops
from mobile_sdk.graph.arithmetic import EXACT_IN_FLOAT32

HALF = np.float32(0.5)
_LOW_BITS = 10
_LOW = 1 << _LOW_BITS


@dataclass(frozen=True, kw_only=True)
class SplitFactors:
    """Holds Add's multipliers in halves, float32: the high ones are integers, the low ones integers / 2^10."""

    high_a: np.float32
    high_b: np.float32
    low_a: np.float32
    low_b: np.float32
    step: np.float32  # 2^(k-10): one step of the output in units of `H + L`


@dataclass(frozen=True, kw_only=True)
class Line:
    """Adds a constant as `round(a * factor + offset)` on centred codes."""

    factor: np.float32
    offset: np.float32


def largest_sum(operator: ops.Operator) -> int:
    """Returns the largest magnitude of a sum inside the operator, partial sums included; 0 if it has none."""
    summing = ops.Weighted | ops.Mean | ops.MatMul
    if not isinstance(operator, summing) or operator.output.quantization is None:
        return 0
    if isinstance(operator, ops.MatMul):
        return arithmetic.largest_matrix_sum(operator)
    zero_point = arithmetic.quantization_of(operator.input).zero_point
    furthest = max(ops.INT8_MAX - zero_point, zero_point - ops.INT8_MIN)
    if isinstance(operator, ops.Mean):
        _, height, width = operator.input.shape
        return height * width * furthest
    weights = np.abs(operator.weight.astype(np.int64)).reshape(len(operator.weight), -1).sum(axis=1)
    return int((weights * furthest + np.abs(operator.bias.astype(np.int64))).max())


def inexact_paths(graph: ops.Graph) -> list[str]:
    """Returns the paths whose sums may pass 2^24 for some picture, so that float32 rounds them by up to 2^-24.

    Only the worst case counts here (all codes at their furthest, every product of one sign). The reference rounds such
    a sum once, too; in another order of summation it can become another code if a tie is that near.
    """
    return [operator.path for operator in graph.operators if largest_sum(operator) >= EXACT_IN_FLOAT32]


def split_factors(operator: ops.Add | ops.Sub) -> SplitFactors:
    """Returns the halves of `arithmetic.sum_factors`; raises CompileError if the scales are too far apart for them."""
    factor_a, factor_b, shift = arithmetic.sum_factors(operator)
    if not _LOW_BITS < shift <= 30:
        raise CompileError(
            f"expected scales of a sum within 2^-10 to 2^8 of each other at {operator.path}, found a shift of {shift}",
            hint="quantize with this SDK, whose scales keep to it",
        )
    return SplitFactors(
        high_a=np.float32(factor_a >> _LOW_BITS),
        high_b=np.float32(factor_b >> _LOW_BITS),
        low_a=np.float32((factor_a % _LOW) / _LOW),
        low_b=np.float32((factor_b % _LOW) / _LOW),
        step=np.float32(2.0 ** (shift - _LOW_BITS)),
    )


def line_of_constant(operator: ops.Add | ops.Sub) -> Line | None:
    """Returns a line that gives the integer rule's result for all 256 codes; None if float32 has none.

    The offset is in the middle of the possible ones, so that no sum comes near a tie.
    """
    a, expected, (low, high) = _table(operator)
    factor_a, _, shift = arithmetic.sum_factors(operator)
    below = np.where(expected > low, (expected - 0.5) * 2.0**shift - a * factor_a, -np.inf).max()
    above = np.where(expected < high, (expected + 0.5) * 2.0**shift - a * factor_a, np.inf).min()
    if not np.isfinite(below) or not np.isfinite(above):
        return None
    factor = np.float32(np.ldexp(np.float64(factor_a), -shift))
    line = Line(factor=factor, offset=np.float32(np.ldexp((below + above) / 2, -shift)))
    return line if is_proved(line, operator) else None


def is_proved(line: Line, operator: ops.Add | ops.Sub) -> bool:
    """Tells whether the line gives the integer rule's code for each of the 256, with and without a fused multiply-add.

    No sum may be a tie, so that a runtime's rounding of ties does not matter either.
    """
    a, expected, (low, high) = _table(operator)
    separate = a.astype(np.float32) * line.factor + line.offset
    fused = (a * np.float64(line.factor) + np.float64(line.offset)).astype(np.float32)
    return all(_rounds_to(sums, expected, low, high) for sums in (separate, fused))


def _rounds_to(sums: NDArray[np.float32], expected: NDArray[np.int64], low: int, high: int) -> bool:
    saturated = np.clip(sums.astype(np.float64), low, high)
    return bool((np.abs(saturated - expected) < 0.5).all())


def _table(operator: ops.Add | ops.Sub) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[int, int]]:
    """Returns every centred code of `a`, its centred code with the constant, and the bounds of these."""
    assert isinstance(operator.b, ops.Constant)
    grid_a, grid_y = (arithmetic.quantization_of(each) for each in (operator.a, operator.output))
    factor_a, factor_b, shift = arithmetic.sum_factors(operator)
    low, high = arithmetic.clamp_range(grid_y, operator.clamp)
    a = np.arange(ops.INT8_MIN, ops.INT8_MAX + 1, dtype=np.int64) - grid_a.zero_point
    constant = centred(operator.b) * factor_b
    return a, np.clip((a * factor_a + constant + (1 << (shift - 1))) >> shift, low, high), (low, high)


def centred(constant: ops.Constant) -> int:
    """Returns a constant's code less its zero point."""
    return int(constant.value) - arithmetic.quantization_of(constant).zero_point


def is_square(operator: ops.Mul) -> bool:
    """Tells whether a tensor is multiplied by itself."""
    return isinstance(operator.b, ops.Tensor) and operator.a.name == operator.b.name


def requantization_factors(operator: ops.Weighted) -> NDArray[Any]:
    """Returns `arithmetic.requantization`, float32, shaped along the channels of a batch, or of rows."""
    assert operator.weight_scales is not None
    x, y = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    factors = arithmetic.requantization(x, operator.weight_scales, y)
    return factors.reshape((1, -1, *[1] * (operator.weight.ndim - 2)))


def whole_bias(operator: ops.Weighted) -> NDArray[np.float32]:
    """Returns the bias' codes in float32; raises CompileError if float32 would have to round one."""
    bias = operator.bias.astype(np.float32)
    rounded = operator.bias[bias.astype(np.float64) != operator.bias]
    if rounded.size:
        raise CompileError(
            f"expected bias codes that float32 holds at {operator.path}, found {rounded[0]}",
            hint="quantize with this SDK, whose biases keep to it",
        )
    return bias
