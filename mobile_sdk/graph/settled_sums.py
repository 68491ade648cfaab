"""Moves the output scale of a sum until every runtime's way of adding gives the same code for every pair of codes.

XNNPACK adds in fixed point (`arithmetic.add_factors`). Others add in float32: the ratios of scales times the codes
(ONNX Runtime on x86-64, `onnxruntime/core/mlas/lib/qladd.cpp` and `intrinsics/avx2/qladd_avx2.cpp`), the real values
divided by the output's scale, or one operand in units of the other (Core ML); a compiler may fuse a product with the
sum. ONNX Runtime on Arm adds in fixed point with a bit more, and rounds ties away from zero. All of these differ only
where the exact sum lies next to a tie of the output's grid. On a settled scale they agree there, too.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Add, Constant, Quantization, Sub, Tensor

_FLOAT32_ROUNDINGS = 2.0**-18  # of the largest code, in steps of the output: more than all float32 roundings together

Codes = NDArray[np.int64]


def settle_sum_scale(a: Quantization, b: Quantization, y: Quantization, *, is_difference: bool = False) -> float:
    """Returns the nearest output scale from `y.scale` upwards with which all 65,536 pairs of codes have one sum.

    It takes up to 14 tries as a rule. Raises ValueError as `arithmetic.nearest_scale` does.
    """
    codes_a, codes_b = arithmetic.centred_codes(a), arithmetic.centred_codes(b)

    def agree(scale: np.float32) -> bool:
        grid = Quantization(scale=float(scale), zero_point=y.zero_point)
        return _agree(codes_a, codes_b, a, b, grid, is_difference)

    return arithmetic.nearest_scale(y.scale, agree)


def is_settled_sum(operator: Add | Sub) -> bool:
    """Tells whether every way of adding gives the reference's codes, for all codes that the operands can have."""
    a, b, y = (arithmetic.quantization_of(each) for each in (operator.a, operator.b, operator.output))
    return _agree(_codes_of(operator.a, a), _codes_of(operator.b, b), a, b, y, isinstance(operator, Sub))


def _codes_of(operand: Tensor | Constant, grid: Quantization) -> Codes:
    if isinstance(operand, Constant):
        return np.array([int(operand.value) - grid.zero_point])
    return arithmetic.centred_codes(grid)


def _agree(
    codes_a: Codes, codes_b: Codes, a: Quantization, b: Quantization, y: Quantization, is_difference: bool
) -> bool:
    """Tells whether every way of adding agrees on all pairs of centred codes; only pairs next to a tie are tried."""
    sign = -1 if is_difference else 1
    ratio_a, ratio_b = (float(np.float32(grid.scale) / np.float32(y.scale)) for grid in (a, b))
    exact = np.add.outer(codes_a * ratio_a, codes_b * (sign * ratio_b))
    *_, shift = arithmetic.add_factors(a, b, y)
    largest = 255 * (ratio_a + ratio_b)
    reach = 255 * 2.0**-shift + _FLOAT32_ROUNDINGS * max(largest, 1) + _FLOAT32_ROUNDINGS * 2**8
    is_near = np.abs(exact - np.floor(exact) - 0.5) < reach
    low, high = INT8_MIN - y.zero_point, INT8_MAX - y.zero_point
    is_near &= (exact > low - 1) & (exact < high + 1)
    at_a, at_b = np.nonzero(is_near)
    first, *others = _sums(codes_a[at_a], sign * codes_b[at_b], a, b, y)
    if not is_difference:
        others += _uncentred(codes_a[at_a], codes_b[at_b], a, b, y, lowest=INT8_MIN)
        others += _uncentred(codes_a[at_a], codes_b[at_b], a, b, y, lowest=0)
    return all(np.array_equal(first.clip(low, high), other.clip(low, high)) for other in others)


def _sums(codes_a: Codes, codes_b: Codes, a: Quantization, b: Quantization, y: Quantization) -> Iterator[Codes]:
    """Yields the centred sums of centred codes by every rule, the reference's first.

    Of a difference, `codes_b` have the other sign.
    """
    factor_a, factor_b, shift = arithmetic.add_factors(a, b, y)
    yield (codes_a * factor_a + codes_b * factor_b + (1 << (shift - 1))) >> shift
    scale_a, scale_b, scale_y = (np.float32(grid.scale) for grid in (a, b, y))
    ratio_a, ratio_b = scale_a / scale_y, scale_b / scale_y
    yield sums_on_arm(codes_a, codes_b, ratio_a, ratio_b)
    yield from map(rounded, _line(codes_a, codes_b, ratio_a, ratio_b))
    for values in _line(codes_a, codes_b, scale_a, scale_b):
        yield from _divided(values, scale_y)
    for values in _line(codes_a, codes_b, scale_a / scale_b, np.float32(1)):
        yield from _divided(values, scale_y / scale_b)


def sums_on_arm(codes_a: Codes, codes_b: Codes, ratio_a: np.float32, ratio_b: np.float32) -> Codes:
    """Adds centred codes as ONNX Runtime does on Arm: multipliers of 22 bits, ties away from zero (`qladd.cpp`)."""
    shift = 22 - int(np.frexp(max(ratio_a, ratio_b))[1])
    factor_a, factor_b = (int(np.rint(np.ldexp(ratio, shift))) for ratio in (ratio_a, ratio_b))
    sums = codes_a * factor_a + codes_b * factor_b
    return (sums - (sums < 0) + (1 << (shift - 1))) >> shift


def _line(
    codes_a: Codes, codes_b: Codes, factor_a: np.float32, factor_b: np.float32
) -> tuple[NDArray[np.float32], ...]:
    """Returns `a * factor_a + b * factor_b` in float32: every operation rounded, or either product fused."""
    product_a, product_b = codes_a.astype(np.float32) * factor_a, codes_b.astype(np.float32) * factor_b
    return product_a + product_b, fused(codes_a, factor_a, product_b), fused(codes_b, factor_b, product_a)


def _divided(values: NDArray[np.float32], scale: np.float32) -> tuple[Codes, Codes]:
    return rounded(values / scale), rounded(values * (np.float32(1) / scale))


def _uncentred(
    codes_a: Codes, codes_b: Codes, a: Quantization, b: Quantization, y: Quantization, *, lowest: int
) -> tuple[Codes, Codes]:
    """Adds as ONNX Runtime does on x86-64, with AVX2 and with SSE2: codes as they are, zero points in one number.

    Codes begin at `lowest`: -128 as int8, 0 as uint8.
    """
    ratio_a, ratio_b = (np.float32(grid.scale) / np.float32(y.scale) for grid in (a, b))
    zero_a, zero_b, zero_y = (grid.zero_point - INT8_MIN + lowest for grid in (a, b, y))
    fixed = np.float32(zero_y) - (ratio_a * np.float32(zero_a) + ratio_b * np.float32(zero_b))
    raw_a, raw_b = codes_a + zero_a, codes_b + zero_b
    at_once = fused(raw_a, ratio_a, fused(raw_b, ratio_b, fixed))
    separate = (fixed + raw_a.astype(np.float32) * ratio_a) + raw_b.astype(np.float32) * ratio_b
    return rounded(at_once) - zero_y, rounded(separate) - zero_y


def fused(codes: Codes, factor: np.float32, addend: NDArray[np.float32] | np.float32) -> NDArray[np.float32]:
    """Returns `codes * factor + addend`, rounded once; float64 holds the product exactly."""
    total: NDArray[np.float64] = codes * np.float64(factor) + np.asarray(addend, np.float64)
    return total.astype(np.float32)


def rounded(values: NDArray[np.float32]) -> Codes:
    """Returns float32 steps as whole ones, half to even."""
    return np.rint(values).astype(np.int64)
