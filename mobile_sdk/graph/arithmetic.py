"""Implements the runtimes' own integer arithmetic: how XNNPACK turns scales into multipliers and rounds.

All rules are XNNPACK's (`src/operators/*.c`, `src/microparams-init.c`), which LiteRT and ExecuTorch both call; every
intermediate is float32 where theirs is. Codes are centred (`q - zero_point`) in every argument and result of a rule.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Add, Clamp, Constant, MatMul, Quantization, Sub, Tensor

ADD_RATIO_RANGE = (2.0**-10, 2.0**8)  # XNNPACK refuses an Add whose input/output scale ratio is outside
PRODUCT_RATIO_RANGE = (2.0**-16, 2.0**8)  # the same for Mul, on s_a * s_b / s_y
REQUANTIZATION_RANGE = (2.0**-32, 2.0**8)  # the same for convolutions, on s_x * s_w / s_y
EXACT_IN_FLOAT32 = 2**24  # and every integer below it
HARD_SIGMOID_SHIFT, HARD_SIGMOID_SPAN = 3.0, 6.0  # relu6(x + 3) / 6 (MobileNetV3, arXiv 1905.02244, section 5.2)
SCALE_MOVE = np.float32(1 + 2.0**-18)  # from one scale to the next that is tried, until all processors agree
SATURATING = 255.5  # a factor below all three upper ends, by which every code but zero passes the whole output grid

GATE = Quantization(scale=float(np.float32(HARD_SIGMOID_SPAN / (INT8_MAX - INT8_MIN))), zero_point=INT8_MIN)
"""This is the grid of relu6(x + 3), `HARD_SIGMOID_SPAN` times the hard-sigmoid, whose saturation is the clamp.

The division would cost an operator, so the multiple stays in the codes, and the next weights absorb it.
"""


def quantization_of(operand: Tensor | Constant) -> Quantization:
    """Returns the operand's quantization, which every int8 graph has."""
    assert operand.quantization is not None, f"{operand.name} is float32"
    return operand.quantization


def clamp_range(quantization: Quantization, clamp: Clamp) -> tuple[int, int]:
    """Returns the lowest and highest code that an output may take, centred.

    Six is rounded with its zero point, half to even, as XNNPACK does in both runtimes; this matters only if 6 is half a
    step off.
    """
    zero = quantization.zero_point
    low = 0 if clamp is not Clamp.NONE else INT8_MIN - zero
    high = INT8_MAX - zero
    if clamp is Clamp.RELU6:
        with np.errstate(over="ignore"):  # infinitely many steps are more than 127 as well
            six = np.rint(np.float32(6.0) / np.float32(quantization.scale) + np.float32(zero))
        high = min(high, int(min(six, INT8_MAX)) - zero)
    return low, high


def bias_scales(x: Quantization, weight_scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the grid of the int32 bias, float32 `s_x * s_w[c]`."""
    return np.float32(x.scale) * weight_scales


def requantization(x: Quantization, weight_scales: NDArray[np.float32], y: Quantization) -> NDArray[np.float32]:
    """Returns the factor per channel from a convolution's accumulator to a code: float32 `s_x * s_w[c] / s_y`."""
    return bias_scales(x, weight_scales) / np.float32(y.scale)


def sum_ranges(
    weight: NDArray[np.integer], bias: NDArray[np.integer], x: Quantization
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the least and greatest `sum((q - z_x) * w) + bias` per channel, over all int8 inputs.

    Both are reached, and padding, which counts as zero, stays between them. XNNPACK's kernels add uncentred codes to
    `bias - z_x * sum(w)` in int32 (`src/packing.c`); an intermediate sum that wraps wraps back, so that the sum is
    exact if its own range is within int32.
    """
    rows = weight.reshape(len(weight), -1)
    positive = np.maximum(rows, 0).sum(axis=1, dtype=np.int64)
    negative = rows.sum(axis=1, dtype=np.int64) - positive
    low, high = INT8_MIN - x.zero_point, INT8_MAX - x.zero_point
    offset = bias.astype(np.int64)
    return positive * low + negative * high + offset, positive * high + negative * low + offset


def mean_terms(x: Quantization, y: Quantization, count: int) -> tuple[np.float32, np.float32]:
    """Returns `(f, b)` of Mean over `count` codes: `q_y = round_half_even(float32(sum(q) * f) + b)`, sum uncentred."""
    factor = np.float32(x.scale) / np.float32(y.scale) * (np.float32(1) / np.float32(count))
    return factor, np.float32(y.zero_point) - np.float32(x.zero_point * count) * factor


def add_factors(a: Quantization, b: Quantization, y: Quantization) -> tuple[int, int, int]:
    """Returns `(M_a, M_b, k)` of Add: `y = (a * M_a + b * M_b + 2^(k-1)) >> k`, in integers that fit 32 bits.

    Within ADD_RATIO_RANGE no M passes 2^21 and k is in 13..30, so no sum passes `2 * 255 * 2^21 + 2^29` < 2^31.
    """
    ratio_a = np.float32(a.scale) / np.float32(y.scale)
    ratio_b = np.float32(b.scale) / np.float32(y.scale)
    exponent = int(np.frexp(max(ratio_a, ratio_b))[1]) - 1
    shift = 20 - exponent
    return int(np.rint(np.ldexp(ratio_a, shift))), int(np.rint(np.ldexp(ratio_b, shift))), shift


def sum_factors(operator: Add | Sub) -> tuple[int, int, int]:
    """Returns `add_factors` of the operator; those of a difference have a negative `M_b`."""
    grids = (quantization_of(each) for each in (operator.a, operator.b, operator.output))
    factor_a, factor_b, shift = add_factors(*grids)
    return factor_a, -factor_b if isinstance(operator, Sub) else factor_b, shift


def largest_matrix_sum(operator: MatMul) -> int:
    """Returns a bound of the magnitude of a MatMul's sums of products of codes, for all codes."""
    zero_point = quantization_of(operator.a).zero_point
    furthest = max(INT8_MAX - zero_point, zero_point - INT8_MIN)
    return operator.depth * furthest * -INT8_MIN


def product_factor(a: Quantization, b: Quantization, y: Quantization) -> np.float32:
    """Returns the factor from a product of centred codes to a code: float32 `s_a * s_b / s_y`."""
    return np.float32(np.float32(a.scale) * np.float32(b.scale) / np.float32(y.scale))


def round_product(products: NDArray[np.int64], factor: np.float32) -> NDArray[np.int64]:
    """Rounds Mul as on x86-64, centred: through float32, half to even."""
    codes: NDArray[np.float32] = np.rint(products.astype(np.float32) * factor)
    return codes.astype(np.int64)


def round_product_arm(products: NDArray[np.int64], factor: np.float32) -> NDArray[np.int64]:
    """Rounds Mul as on Arm ("rndnu"): a 31-bit multiplier, truncated, then a shift that rounds half up."""
    mantissa, exponent = np.frexp(factor)
    multiplier = int(np.ldexp(np.float64(mantissa), 31))
    shift = -int(exponent)
    post_shift = max(shift, 1)
    high = ((products << (post_shift - shift)) * multiplier) >> 31
    codes: NDArray[np.int64] = (high + (1 << (post_shift - 1))) >> post_shift
    return codes


def round_square(codes: NDArray[np.int64], x: Quantization, y: Quantization) -> NDArray[np.int64]:
    """Squares a tensor, centred: XNNPACK looks squares up, computed in float32 and rounded with the zero point."""
    squares: NDArray[np.float32] = _squares(codes, x) * (np.float32(1) / np.float32(y.scale))
    rounded: NDArray[np.float32] = np.rint(squares + np.float32(y.zero_point))
    return rounded.astype(np.int64) - y.zero_point


def round_square_fused(codes: NDArray[np.int64], x: Quantization, y: Quantization) -> NDArray[np.int64]:
    """Squares as a compiler does that fuses the last product and sum: with one rounding to float32 in place of two."""
    inverse = np.float64(np.float32(1) / np.float32(y.scale))
    squares = _squares(codes, x).astype(np.float64) * inverse + y.zero_point
    return np.rint(squares.astype(np.float32)).astype(np.int64) - y.zero_point


def settle_product_scale(a: Quantization, codes_b: NDArray[np.int64], scale_b: float, y: Quantization) -> float:
    """Returns the output scale nearest to `y.scale` with which all processors give equal products of all codes.

    `codes_b` are the centred codes that the second operand can take (all 256, or a constant's one). Every pair is tried
    under all rules, so the agreement is proved, not sampled. The search goes only upward: a wider range never saturates
    more. It takes one to four tries as a rule, each of which moves the scale by 4 millionths.
    """
    products = np.unique(np.outer(centred_codes(a), codes_b))

    def rules(scale: np.float32) -> tuple[NDArray[np.int64], ...]:
        factor = np.float32(np.float32(a.scale) * np.float32(scale_b) / scale)
        return round_product(products, factor), round_product_arm(products, factor)

    return _settle(y.scale, rules)


def settle_square_scale(x: Quantization, y: Quantization) -> float:
    """Returns such a scale for a tensor's square, over its 256 codes.

    LiteRT multiplies a picture's codes as two tensors.
    """
    codes = centred_codes(x)

    def rules(scale: np.float32) -> tuple[NDArray[np.int64], ...]:
        output = Quantization(scale=float(scale), zero_point=y.zero_point)
        factor = product_factor(x, x, output)
        products = round_product(codes * codes, factor), round_product_arm(codes * codes, factor)
        return round_square(codes, x, output), round_square_fused(codes, x, output), *products

    return _settle(y.scale, rules)


def settle_mean_scale(x: Quantization, y: Quantization, count: int) -> float:
    """Returns such a scale for a mean over `count` codes: every build gives one code for every sum.

    Multiplying and adding the offset rounds twice on x86-64 and in ExecuTorch's Arm build; LiteRT's Arm build fuses the
    two, in the offset too. Every rule is monotone in the sum, so trying the sums around each step from one code to the
    next proves the agreement.
    """

    def rules(scale: np.float32) -> tuple[NDArray[np.int64], ...]:
        return _means_by_every_rule(x, Quantization(scale=float(scale), zero_point=y.zero_point), count)

    return _settle(y.scale, rules)


def nearest_scale(wanted: float, is_settled: Callable[[np.float32], bool]) -> float:
    """Returns the first scale that is settled, from `wanted` upwards in moves of 4 millionths.

    Raises ValueError if none of 10,000 is.
    """
    scale = np.float32(wanted)
    for _ in range(10_000):
        if is_settled(scale):
            return float(scale)
        scale = np.float32(scale * SCALE_MOVE)
    raise ValueError(f"no output scale near {wanted} makes all processors agree")


def centred_codes(grid: Quantization) -> NDArray[np.int64]:
    """Returns all 256 codes less their zero point."""
    return np.arange(INT8_MIN, INT8_MAX + 1) - grid.zero_point


def _settle(wanted: float, rules: Callable[[np.float32], tuple[NDArray[np.int64], ...]]) -> float:
    def agree(scale: np.float32) -> bool:
        first, *others = (np.clip(codes, -256, 256) for codes in rules(scale))  # beyond these all saturate
        return all(np.array_equal(first, other) for other in others)

    return nearest_scale(wanted, agree)


def _squares(codes: NDArray[np.int64], x: Quantization) -> NDArray[np.float32]:
    values: NDArray[np.float32] = codes.astype(np.float32) * np.float32(x.scale)
    return values * values


def _means_by_every_rule(x: Quantization, y: Quantization, count: int) -> tuple[NDArray[np.int64], ...]:
    """Returns the means of the sums around every step, each of the two operations fused or not."""
    factor, offset = mean_terms(x, y, count)
    fused_offset = np.float32(y.zero_point - np.float64(x.zero_point * count) * factor)
    reach = 2 + int(2.0**-20 * (abs(offset) + 256) / factor)  # in sums: farther from a step no rounding error matters
    steps = np.rint((np.arange(INT8_MIN, INT8_MAX) + 0.5 - np.float64(offset)) / factor).astype(np.int64)
    nearby = steps[:, None] + np.arange(-reach, reach + 1)
    sums = np.unique(nearby.clip(INT8_MIN * count, INT8_MAX * count))
    means = []
    for constant in (offset, fused_offset):
        means.append(sums.astype(np.float32) * factor + constant)
        means.append((sums * np.float64(factor) + np.float64(constant)).astype(np.float32))
    return tuple(np.rint(mean).clip(INT8_MIN, INT8_MAX).astype(np.int64) for mean in means)
