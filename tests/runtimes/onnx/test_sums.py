"""The scales beside ONNX Runtime's sums, products and means: every kernel then gives the reference's codes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Add, Constant, Mean, Mul, Quantization, Sub, Tensor
from mobile_sdk.runtimes.onnx import kernel_rules
from mobile_sdk.runtimes.onnx.kernel_rules import Pairs
from mobile_sdk.runtimes.onnx.sums import MOST_STEPS, mean_grid, product_grids, sum_grids

ZERO_POINTS = st.tuples(*[st.integers(-128, 127)] * 3)
SCALES = st.floats(0.004, 0.5)
CODES = np.arange(-128, 128, dtype=np.int64)
ALL = Pairs(a=CODES.repeat(256), b=np.tile(CODES, 256))


def grid(scale: float, zero_point: int = 0) -> Quantization:
    return Quantization(scale=float(np.float32(scale)), zero_point=zero_point)


def binary(kind: type[Any], a: Quantization, b: Quantization | Constant, y: Quantization) -> Any:
    tensors = [Tensor(name=name, shape=(1,), quantization=each) for name, each in (("a", a), ("y", y))]
    second = b if isinstance(b, Constant) else Tensor(name="b", shape=(1,), quantization=b)
    return kind(a=tensors[0], b=second, output=tensors[1], path="net.sum")


def saturated(steps: Any, y: Quantization) -> Any:
    return np.clip(steps, -128 - y.zero_point, 127 - y.zero_point)


def reference_sum(operator: Add | Sub, pairs: Pairs) -> Any:
    a, b, y = (arithmetic.quantization_of(each) for each in (operator.a, operator.b, operator.output))
    factor_a, factor_b, shift = arithmetic.sum_factors(operator)
    total = (pairs.a - a.zero_point) * factor_a + (pairs.b - b.zero_point) * factor_b
    return saturated((total + (1 << (shift - 1))) >> shift, y)


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from([Add, Sub]), scales=st.tuples(SCALES, SCALES, SCALES), zeros=ZERO_POINTS)
def test_found_scales_give_the_reference_s_sums_by_every_kernel_for_all_pairs(kind, scales, zeros) -> None:
    """All 65,536 are tried here, where the search tries those near a tie."""
    a, b, y = map(grid, scales, zeros)
    operator = binary(kind, a, b, y)
    if found := sum_grids(operator):
        rules = kernel_rules.sums if kind is Add else kernel_rules.plain_differences
        expected = reference_sum(operator, ALL)
        for codes in rules(ALL, *found, y):
            np.testing.assert_array_equal(saturated(codes, y), expected)
        for own, moved in zip((a, b), found, strict=True):
            assert own.zero_point == moved.zero_point
            assert abs(moved.scale / own.scale - 1) <= MOST_STEPS * 2.0**-23


@settings(max_examples=40, deadline=None)
@given(scales=st.tuples(SCALES, SCALES, SCALES), zeros=ZERO_POINTS)
def test_found_scales_give_the_reference_s_products_by_every_kernel_for_all_pairs(scales, zeros) -> None:
    a, b, y = map(grid, scales, zeros)
    if found := product_grids(binary(Mul, a, b, y)):
        factor = arithmetic.product_factor(a, b, y)
        whole = (ALL.a - a.zero_point) * (ALL.b - b.zero_point)
        expected = saturated(arithmetic.round_product(whole, factor), y)
        for codes in kernel_rules.products(ALL, *found, y):
            np.testing.assert_array_equal(saturated(codes, y), expected)


@pytest.mark.parametrize("count", [1, 4, 49, 196])
def test_a_found_scale_gives_the_reference_s_means_by_every_kernel_for_all_sums(count: int) -> None:
    random, tried = np.random.default_rng(count), 0
    for _ in range(20):
        x, y = (grid(random.uniform(0.01, 0.2), int(random.integers(-128, 128))) for _ in range(2))
        tensors = [Tensor(name=n, shape=s, quantization=q) for n, s, q in (("x", (1, 1, count), x), ("y", (1,), y))]
        found = mean_grid(Mean(input=tensors[0], output=tensors[1], path="net.mean"))
        if found is None:
            continue
        factor, offset = arithmetic.mean_terms(x, y, count)
        sums = np.arange(-128 * count, 127 * count + 1)
        expected = np.clip(np.rint(sums.astype(np.float32) * factor + offset), -128, 127)
        for codes in kernel_rules.means(sums - count * x.zero_point, found, y, count):
            np.testing.assert_array_equal(np.clip(codes + y.zero_point, -128, 127), expected)
        tried += 1
    assert tried >= 15


def test_nearly_all_sums_and_products_have_such_scales() -> None:
    random = np.random.default_rng(0)
    found = {Add: 0, Sub: 0, Mul: 0}
    for kind in found:
        for _ in range(40):
            a, b = (grid(random.uniform(0.02, 0.2), int(random.integers(-100, 100))) for _ in range(2))
            y = grid(max(a.scale, b.scale) * random.uniform(0.7, 1.6), int(random.integers(-100, 100)))
            found[kind] += (product_grids if kind is Mul else sum_grids)(binary(kind, a, b, y)) is not None
    assert found[Add] >= 30 and found[Sub] >= 34 and found[Mul] >= 38, found


@pytest.mark.parametrize("code", [127, -128, 1])
def test_a_constant_s_scale_moves_until_no_sum_is_a_tie(code: int) -> None:
    """With 127 steps of 3 / 127, the sum with a zero lies halfway between two codes of relu6(x + 3)."""
    three = Constant(name="three", value=code, quantization=grid(3 / 127))
    for scale in (0.0213, 0.0507, 0.0131):
        a, y = grid(scale), grid(6 / 255, -128)
        operator = binary(Add, a, three, y)
        found = sum_grids(operator)
        assert found is not None and found[0] == a
        pairs = Pairs(a=CODES, b=np.full(256, code))
        for codes in kernel_rules.sums(pairs, *found, y):
            np.testing.assert_array_equal(saturated(codes, y), reference_sum(operator, pairs))


def test_ties_everywhere_have_no_such_scales() -> None:
    """Halves go up in the reference, and to even or away from zero in the kernels: both signs cannot be met."""
    half = grid(0.5)
    assert sum_grids(binary(Add, half, half, grid(1.0))) is None
    assert sum_grids(binary(Sub, half, half, grid(1.0))) is None


def test_means_of_more_codes_than_float32_holds_have_no_such_scale() -> None:
    x, y = (
        Tensor(name=name, shape=shape, quantization=grid(0.1)) for name, shape in (("x", (1, 300, 300)), ("y", (1,)))
    )
    assert mean_grid(Mean(input=x, output=y, path="net.mean")) is None
