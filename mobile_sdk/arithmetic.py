"""The runtimes' own integer arithmetic: how XNNPACK turns scales into multipliers and rounds.

All rules are XNNPACK's (`src/operators/*.c`, `src/microparams-init.c`), which LiteRT and ExecuTorch both call; every
intermediate is float32 where theirs is. Codes are centred (`q - zero_point`) wherever a rule below takes or gives them.
"""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.integer_graph import INT8_MAX, INT8_MIN, Clamp, Constant, Quantization, Tensor

ADD_RATIO_RANGE = (2.0**-10, 2.0**8)  # XNNPACK refuses an Add whose input/output scale ratio lies outside
PRODUCT_RATIO_RANGE = (2.0**-16, 2.0**8)  # the same for Mul, on s_a * s_b / s_y
REQUANTIZATION_RANGE = (2.0**-32, 2.0**8)  # the same for convolutions, on s_x * s_w / s_y


def quantization_of(operand: Tensor | Constant) -> Quantization:
    """The operand's quantization; it is there in every int8 graph."""
    assert operand.quantization is not None, f"{operand.name} is float32"
    return operand.quantization


def clamp_range(quantization: Quantization, clamp: Clamp) -> tuple[int, int]:
    """The lowest and highest code that an output may take, centred."""
    zero = quantization.zero_point
    low = 0 if clamp is not Clamp.NONE else INT8_MIN - zero
    high = INT8_MAX - zero
    if clamp is Clamp.RELU6:
        high = min(high, int(np.rint(np.float32(6.0) / np.float32(quantization.scale))))
    return low, high


def bias_scales(x: Quantization, weight_scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """The grid of the int32 bias, float32 `s_x * s_w[c]`."""
    return np.float32(x.scale) * weight_scales


def requantization(x: Quantization, weight_scales: NDArray[np.float32], y: Quantization) -> NDArray[np.float32]:
    """The factor per channel by which a convolution's accumulator becomes a code: float32 `s_x * s_w[c] / s_y`."""
    return bias_scales(x, weight_scales) / np.float32(y.scale)


def mean_terms(x: Quantization, y: Quantization, count: int) -> tuple[np.float32, np.float32]:
    """`(f, b)` of Mean over `count` codes: `q_y = round_half_even(float32(sum(q) * f) + b)`, the sum uncentred."""
    factor = np.float32(x.scale) / np.float32(y.scale) * (np.float32(1) / np.float32(count))
    return factor, np.float32(y.zero_point) - np.float32(x.zero_point * count) * factor


def add_factors(a: Quantization, b: Quantization, y: Quantization) -> tuple[int, int, int]:
    """`(M_a, M_b, k)` of Add: `y = (a * M_a + b * M_b + 2^(k-1)) >> k`, in integers that fit 32 bits."""
    ratio_a = np.float32(a.scale) / np.float32(y.scale)
    ratio_b = np.float32(b.scale) / np.float32(y.scale)
    exponent = int(np.frexp(max(ratio_a, ratio_b))[1]) - 1
    shift = 20 - exponent
    return int(np.rint(np.ldexp(ratio_a, shift))), int(np.rint(np.ldexp(ratio_b, shift))), shift


def product_factor(a: Quantization, b: Quantization, y: Quantization) -> np.float32:
    """The factor by which a product of centred codes becomes a code: float32 `s_a * s_b / s_y`."""
    return np.float32(np.float32(a.scale) * np.float32(b.scale) / np.float32(y.scale))


def round_product(products: NDArray[np.int64], factor: np.float32, zero_point: int) -> NDArray[np.int64]:
    """Mul's rounding on x86-64, centred: through float32, half to even once the zero point is added."""
    codes: NDArray[np.float32] = products.astype(np.float32) * factor + np.float32(zero_point)
    return np.rint(codes).astype(np.int64) - zero_point


def round_product_fused(products: NDArray[np.int64], factor: np.float32, zero_point: int) -> NDArray[np.int64]:
    """The same where a compiler fuses the product and the sum: one rounding to float32 in place of two."""
    codes = (products * np.float64(factor) + zero_point).astype(np.float32)
    return np.rint(codes).astype(np.int64) - zero_point


def round_product_first(products: NDArray[np.int64], factor: np.float32, _: int) -> NDArray[np.int64]:
    """The same with a constant operand, and in older kernels: half to even before the zero point is added."""
    codes: NDArray[np.float32] = np.rint(products.astype(np.float32) * factor)
    return codes.astype(np.int64)


def round_product_arm(products: NDArray[np.int64], factor: np.float32, _: int) -> NDArray[np.int64]:
    """Mul's rounding on Arm ("rndnu"): a 31-bit multiplier, truncated, then a shift that rounds half up."""
    mantissa, exponent = np.frexp(factor)
    multiplier = int(np.ldexp(np.float64(mantissa), 31))
    shift = -int(exponent)
    post_shift = max(shift, 1)
    high = ((products << (post_shift - shift)) * multiplier) >> 31
    codes: NDArray[np.int64] = (high + (1 << (post_shift - 1))) >> post_shift
    return codes


PRODUCT_RULES = (round_product, round_product_fused, round_product_first, round_product_arm)


def settle_product_scale(a: Quantization, codes_b: NDArray[np.int64], scale_b: float, y: Quantization) -> float:
    """The output scale nearest to `y.scale` under which every processor gives one product for every pair of codes.

    `codes_b` are the centred codes that the second operand can take (all 256, or a constant's one). Every pair is
    tried under all rules, so the agreement is proved, not sampled. Upward only: a wider range never saturates more.
    One to four tries settle it as a rule, each of which moves the scale by 4 millionths.
    """
    codes_a = np.arange(INT8_MIN, INT8_MAX + 1) - a.zero_point
    products = np.unique(np.outer(codes_a, codes_b))
    scale = np.float32(y.scale)
    for _ in range(10_000):
        factor = np.float32(np.float32(a.scale) * np.float32(scale_b) / scale)
        first, *others = (_saturated(rule(products, factor, y.zero_point)) for rule in PRODUCT_RULES)
        if all(np.array_equal(first, other) for other in others):
            return float(scale)
        scale = np.float32(scale * np.float32(1 + 2.0**-18))
    raise ValueError(f"no output scale near {y.scale} makes all processors agree on a product")


def settle_mean_scale(x: Quantization, y: Quantization, count: int) -> float:
    """The output scale nearest to `y.scale` under which every build gives one mean for every sum of `count` codes.

    Multiplying and adding the offset rounds twice on x86-64 and in ExecuTorch's Arm build; LiteRT's Arm build fuses the
    two, in the offset too. Every rule is monotone in the sum, so trying the sums around each step from one code to the
    next proves the agreement. Upward only: a wider range never saturates more.
    """
    scale = np.float32(y.scale)
    for _ in range(10_000):
        wider = Quantization(scale=float(scale), zero_point=y.zero_point)
        first, *others = _means_by_every_rule(x, wider, count)
        if all(np.array_equal(first, other) for other in others):
            return float(scale)
        scale = np.float32(scale * np.float32(1 + 2.0**-18))
    raise ValueError(f"no output scale near {y.scale} makes all builds agree on a mean of {count}")


def _means_by_every_rule(x: Quantization, y: Quantization, count: int) -> list[NDArray[np.float32]]:
    """The means of the sums around every step, each of the two operations fused or not."""
    factor, offset = mean_terms(x, y, count)
    fused_offset = np.float32(y.zero_point - np.float64(x.zero_point * count) * factor)
    reach = 2 + int(2.0**-20 * (abs(offset) + 256) / factor)  # in sums: farther from a step no error of rounding counts
    steps = np.rint((np.arange(INT8_MIN, INT8_MAX) + 0.5 - np.float64(offset)) / factor).astype(np.int64)
    nearby = steps[:, None] + np.arange(-reach, reach + 1)
    sums = np.unique(nearby.clip(INT8_MIN * count, INT8_MAX * count))
    means = []
    for constant in (offset, fused_offset):
        means.append(sums.astype(np.float32) * factor + constant)
        means.append((sums * np.float64(factor) + np.float64(constant)).astype(np.float32))
    return [np.rint(mean).clip(INT8_MIN, INT8_MAX) for mean in means]


def _saturated(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Codes that saturate whatever the zero point is are alike."""
    return np.clip(codes, -256, 256)
