"""The runtimes' arithmetic against models that are written straight from the rule, in integers and fractions."""

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Clamp, Constant, Quantization, Tensor

CODES = np.arange(-128, 128)
LARGEST_MOVE = 1e-4  # of a settled scale; a thousand random products moved theirs by 1.2e-5 at most


def float32(value: float) -> float:
    return float(np.float32(value))


def grid(scale: float, zero_point: int = 0) -> Quantization:
    return Quantization(scale=float32(scale), zero_point=zero_point)


ZERO_POINTS = st.integers(-128, 127)
GRIDS = st.builds(lambda exponent, zero: grid(2.0**exponent, zero), st.floats(-10, 2), ZERO_POINTS)
DYADIC_GRIDS = st.builds(lambda exponent, zero: grid(2.0**exponent, zero), st.integers(-10, 2), ZERO_POINTS)
ANY_GRIDS = GRIDS | DYADIC_GRIDS


@pytest.mark.parametrize(
    ("clamp", "scale", "zero", "expected"),
    [
        (Clamp.NONE, 0.1, 5, (-133, 122)),
        (Clamp.RELU, 0.1, 5, (0, 122)),
        (Clamp.RELU, 0.1, -128, (0, 255)),
        (Clamp.RELU6, 0.1, 5, (0, 60)),
        (Clamp.RELU6, 6 / 255, -128, (0, 255)),  # saturation is the clamp
        (Clamp.RELU6, 0.01, 0, (0, 127)),  # int8 ends before 6
        (Clamp.RELU6, 4.0, 0, (0, 2)),  # 1.5 codes, half to even
        (Clamp.RELU6, 4.0, 1, (0, 1)),  # 2.5 with the zero point
    ],
)
def test_a_clamp_ends_at_the_code_of_zero_and_at_the_code_nearest_to_six(clamp, scale, zero, expected):
    assert arithmetic.clamp_range(grid(scale, zero), clamp) == expected


def test_a_float_operand_has_no_quantization():
    tensor = Tensor(name="logits", shape=(3,), quantization=None)
    with pytest.raises(AssertionError, match="logits is float32"):
        arithmetic.quantization_of(tensor)
    assert arithmetic.quantization_of(Constant(name="c", value=1, quantization=grid(0.5))) == grid(0.5)


@given(x=GRIDS, y=GRIDS, scales=st.lists(st.floats(2.0**-20, 1.0, width=32), min_size=1, max_size=4))
def test_a_requantization_factor_is_rounded_to_float32_after_each_step(x, y, scales):
    weight_scales = np.array(scales, np.float32)
    biases = [float32(x.scale * scale) for scale in weight_scales.tolist()]  # float64 products of float32 are exact
    assert arithmetic.bias_scales(x, weight_scales).tolist() == biases
    factors = [float32(bias / y.scale) for bias in biases]
    found = arithmetic.requantization(x, weight_scales, y)
    assert found.dtype == np.float32 and found.tolist() == factors


@given(a=ANY_GRIDS, b=ANY_GRIDS, y=ANY_GRIDS)
def test_a_sum_never_leaves_32_bits(a, b, y):
    low, high = arithmetic.ADD_RATIO_RANGE
    assume(all(low <= float32(operand.scale / y.scale) < high for operand in (a, b)))
    factor_a, factor_b, shift = arithmetic.add_factors(a, b, y)
    assert 2**20 <= max(factor_a, factor_b) <= 2**21 and 12 <= shift <= 30
    furthest = [max(127 - operand.zero_point, operand.zero_point + 128) for operand in (a, b)]
    assert furthest[0] * factor_a + furthest[1] * factor_b + 2 ** (shift - 1) < 2**31


@given(a=ANY_GRIDS, b=ANY_GRIDS, y=ANY_GRIDS, codes=st.tuples(st.integers(-255, 255), st.integers(-255, 255)))
def test_a_sum_is_the_nearest_code_to_the_real_sum(a, b, y, codes):
    low, high = arithmetic.ADD_RATIO_RANGE
    assume(all(low <= float32(operand.scale / y.scale) < high for operand in (a, b)))
    factor_a, factor_b, shift = arithmetic.add_factors(a, b, y)
    found = (codes[0] * factor_a + codes[1] * factor_b + 2 ** (shift - 1)) >> shift
    scales = [Fraction(operand.scale) / Fraction(y.scale) for operand in (a, b)]
    real = scales[0] * codes[0] + scales[1] * codes[1]
    assert abs(found - real) <= Fraction(1, 2) + max(scales) * Fraction(510, 2**20)


@given(x=ANY_GRIDS, ratio=st.floats(0.05, 20), zero=ZERO_POINTS, count=st.integers(1, 4096), seed=st.integers(0, 99))
def test_a_mean_is_within_half_a_step_and_what_float32_costs(x, ratio, zero, count, seed):
    y = grid(x.scale * ratio, zero)
    codes = np.random.default_rng(seed).integers(-128, 128, count)
    factor, offset = arithmetic.mean_terms(x, y, count)
    found = int(np.rint(np.float32(codes.sum()) * factor + offset))
    real = Fraction(x.scale) / Fraction(y.scale) * (Fraction(int(codes.sum()), count) - x.zero_point) + zero
    assert abs(found - real) <= Fraction(1, 2) + Fraction(float(256 / ratio + 256)) * Fraction(4, 2**24)


@given(x=ANY_GRIDS, ratio=st.floats(0.1, 4) | st.sampled_from([0.25, 0.5, 1.0]), zero=ZERO_POINTS)
def test_a_settled_mean_is_one_code_whether_or_not_a_compiler_fuses_for_all_sums(x, ratio, zero):
    y = grid(x.scale * ratio, zero)
    settled = Quantization(scale=arithmetic.settle_mean_scale(x, y, 49), zero_point=zero)
    sums = np.arange(-128 * 49, 127 * 49 + 1)
    factor, offset = arithmetic.mean_terms(x, settled, 49)
    apart = np.rint(sums.astype(np.float32) * factor + offset)
    fused = np.rint((sums * np.float64(factor) + np.float64(offset)).astype(np.float32))
    np.testing.assert_array_equal(apart.clip(-128, 127), fused.clip(-128, 127))
    assert y.scale <= settled.scale <= y.scale * (1 + LARGEST_MOVE)


@given(a=GRIDS, b=GRIDS, y=GRIDS)
def test_a_products_factor_is_float32_after_each_step(a, b, y):
    expected = float32(float32(a.scale * b.scale) / y.scale)
    assert float(arithmetic.product_factor(a, b, y)) == expected


RULES = (arithmetic.round_product, arithmetic.round_product_arm)
SQUARE_RULES = (arithmetic.round_square, arithmetic.round_square_fused)


@given(product=st.integers(-(255**2), 255**2), factor=st.floats(2.0**-16, 2.0**7, width=32))
def test_every_rule_for_products_gives_a_code_nearest_to_the_real_product(product, factor):
    real = Fraction(product) * Fraction(factor)
    for rule in RULES:
        (found,) = rule(np.array([product]), np.float32(factor))
        assert abs(int(found) - real) <= Fraction(1, 2) + abs(real) * Fraction(2, 2**23), rule.__name__


@given(x=ANY_GRIDS, share=st.floats(2.0**-5, 2.0), zero=ZERO_POINTS)
def test_every_rule_for_squares_gives_a_code_nearest_to_the_real_square(x, share, zero):
    y = grid(x.scale * x.scale * 256 * share, zero)
    codes = CODES - x.zero_point
    for rule in SQUARE_RULES:
        real = [Fraction(x.scale) ** 2 / Fraction(y.scale) * code**2 for code in codes.tolist()]
        for found, wanted in zip(rule(codes, x, y).tolist(), real, strict=True):
            assert abs(found - wanted) <= Fraction(1, 2) + (wanted + 256) * Fraction(4, 2**23), rule.__name__


def test_processors_differ_where_a_product_lies_between_two_codes():
    halves = np.array([-3, -1, 1, 3])
    assert arithmetic.round_product(halves, np.float32(0.5)).tolist() == [-2, 0, 0, 2]  # half to even
    assert arithmetic.round_product_arm(halves, np.float32(0.5)).tolist() == [-1, 0, 1, 2]  # half up


def test_a_square_is_rounded_with_its_zero_point_added():
    assert arithmetic.round_square(np.array([1, 3]), grid(1.0), grid(2.0, 0)).tolist() == [0, 4]
    assert arithmetic.round_square(np.array([1, 3]), grid(1.0), grid(2.0, 1)).tolist() == [1, 5]


def pairs_that_differ(a: Quantization, codes_b: np.ndarray, scale_b: float, y: Quantization) -> int:
    """How many pairs of codes get another code from one rule than from the other, all 65,536 of them tried."""
    factor = arithmetic.product_factor(a, grid(scale_b), y)
    products = np.multiply.outer(CODES - a.zero_point, codes_b)
    low, high = arithmetic.clamp_range(y, Clamp.NONE)
    first, second = (np.clip(rule(products, factor), low, high) for rule in RULES)
    return int((first != second).sum())


def test_dyadic_scales_are_where_processors_disagree_so_settling_has_work_to_do():
    a, y = grid(1 / 64, 3), grid(1 / 32, 0)
    assert pairs_that_differ(a, CODES, 1 / 128, y) > 500
    settled = arithmetic.settle_product_scale(a, CODES, 1 / 128, y)
    assert pairs_that_differ(a, CODES, 1 / 128, grid(settled)) == 0


@settings(max_examples=150)
@given(a=ANY_GRIDS, b=ANY_GRIDS, step=st.floats(2.0**-5, 2.0) | st.sampled_from([0.25, 0.5, 1.0]), zero=ZERO_POINTS)
def test_a_settled_product_is_one_code_on_every_processor_for_all_65536_pairs(a, b, step, zero):
    y = grid(a.scale * b.scale * 256 * step, zero)
    codes_b = CODES - b.zero_point
    settled = arithmetic.settle_product_scale(a, codes_b, b.scale, y)
    assert pairs_that_differ(a, codes_b, b.scale, Quantization(scale=settled, zero_point=zero)) == 0
    assert y.scale <= settled <= y.scale * (1 + LARGEST_MOVE)


@given(x=ANY_GRIDS, step=st.floats(2.0**-5, 2.0) | st.sampled_from([0.25, 0.5, 1.0]), zero=ZERO_POINTS)
def test_a_settled_square_is_one_code_fused_or_not_and_as_a_product(x, step, zero):
    y = grid(x.scale * x.scale * 256 * step, zero)
    settled = arithmetic.settle_square_scale(x, y)
    output = Quantization(scale=settled, zero_point=zero)
    low, high = arithmetic.clamp_range(output, Clamp.NONE)
    codes, factor = CODES - x.zero_point, arithmetic.product_factor(x, x, output)
    found = [rule(codes, x, output) for rule in SQUARE_RULES] + [rule(codes * codes, factor) for rule in RULES]
    assert len({tuple(np.clip(each, low, high).tolist()) for each in found}) == 1
    assert y.scale <= settled <= y.scale * (1 + LARGEST_MOVE)


@given(a=ANY_GRIDS, share=st.floats(0.9, 3.0) | st.sampled_from([1.0, 2.0]), constant=GRIDS, zero=ZERO_POINTS)
def test_a_settled_product_with_a_constant_is_one_code_on_every_processor(a, share, constant, zero):
    y = grid(a.scale * constant.scale * share, zero)
    settled = arithmetic.settle_product_scale(a, np.array([1]), constant.scale, y)
    assert pairs_that_differ(a, np.array([1]), constant.scale, Quantization(scale=settled, zero_point=zero)) == 0
    assert y.scale <= settled <= y.scale * (1 + LARGEST_MOVE)


def test_a_scale_that_is_settled_stays():
    a, y = grid(0.0173, -7), grid(0.0171, 11)
    settled = arithmetic.settle_product_scale(a, CODES + 128, 1 / 256, y)
    again = arithmetic.settle_product_scale(a, CODES + 128, 1 / 256, grid(settled, 11))
    assert again == settled


def test_settling_takes_milliseconds():
    start_s = time.process_time()
    for exponent in range(10):
        arithmetic.settle_product_scale(grid(2.0**-exponent, 3), CODES, 1 / 128, grid(2.0 ** (2 - exponent)))
    assert (time.process_time() - start_s) / 10 < 0.5  # 5 ms
