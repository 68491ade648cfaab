"""Mul: the integer model in the reference, and the reference's codes in every runtime and on Arm."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mobile_sdk.devices import EmulatedCore
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.arithmetic import product_factor
from mobile_sdk.graph.operators import (
    Clamp,
    Constant,
    Graph,
    Mul,
    Quantization,
    Tensor,
)
from tests.support import graphs
from tests.support.operators.emulated_arm import PAIRS, differing, pair_graph
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.random_cases import (
    GRIDS,
    RATIOS,
    ZERO,
    grid,
    tensor,
    two_operands,
)
from tests.support.operators.reference_cases import one, second_operand, square
from tests.support.operators.runtimes import CORE_ML, EXECUTORCH, EXTRAS, LITERT, assert_exact


@settings(max_examples=60)
@given(
    a=GRIDS,
    ratio=st.sampled_from([0.1, 0.4, 0.5, 1.0, 2.0]) | st.floats(0.01, 100),
    zero=st.integers(-128, 127),
    clamp=st.sampled_from(list(Clamp)),
    operand=st.sampled_from(["tensor", "itself", "constant"]),
    code=st.integers(-128, 127),
)
def test_any_product_is_the_integer_model_on_all_codes(a, ratio, zero, clamp, operand, code):
    source = square(16, a)
    mirrored, other = second_operand(source, operand, code)
    images = np.arange(768).astype(np.uint8).reshape(1, 16, 16, 3)  # every code occurs
    graph = one(
        Mul,
        (3, 16, 16),
        grid(a.scale * arithmetic.quantization_of(other).scale * 100 * ratio, zero),
        source,
        a=source,
        b=other,
        clamp=clamp,
    )
    assert_modelled(Graph(input=source, operators=(mirrored, *graph.operators)), images, values=1)


@settings(max_examples=40)
@given(
    x=GRIDS,
    other=st.tuples(RATIOS, ZERO),
    share=st.floats(0.02, 2) | st.sampled_from([0.25, 0.5, 1.0]),
    zero=ZERO,
    clamp=st.sampled_from(list(Clamp)),
    operand=st.sampled_from(["tensor", "gate", "itself", "constant"]),
)
def test_any_product_of_a_settled_scale_is_exact_in_litert_and_the_extras(
    tmp_path, x, other, share, zero, clamp, operand
):
    codes = grid(x.scale * other[0], other[1])
    source, conv = two_operands(x, codes, (3, 1, 1) if operand == "gate" else (3, 16, 16))
    constant = Constant(name="constant", value=1, quantization=grid(codes.scale, 0))
    operands: dict[str, Tensor | Constant] = {"itself": source, "constant": constant}
    b = operands.get(operand, conv.output)
    grid_b = arithmetic.quantization_of(b)
    codes_b = np.array([1]) if operand == "constant" else np.arange(-128, 128) - grid_b.zero_point
    wanted = grid(x.scale * grid_b.scale * share * (2 if operand == "constant" else 256), zero)
    settled = arithmetic.settle_product_scale(x, codes_b, grid_b.scale, wanted)
    if operand == "itself":
        settled = arithmetic.settle_square_scale(x, wanted)
    mul = Mul(output=tensor((3, 16, 16), grid(settled, zero)), path="net.mul", a=source, b=b, clamp=clamp)
    before = (conv,) if operand in ("tensor", "gate") else ()
    images = np.arange(768).astype(np.uint8).reshape(1, 16, 16, 3)
    for runtime in (LITERT, *EXTRAS):
        assert_exact(runtime, Graph(input=source, operators=(*before, mul)), tmp_path, images)


@settings(max_examples=40)
@given(grids=st.tuples(GRIDS, GRIDS), clamp=st.sampled_from(list(Clamp)))
def test_any_square_without_ties_is_exact_in_executorch(tmp_path, grids, clamp):
    assume(not has_ties(grids[0], grids[1]))
    source = Tensor(name="picture", shape=(3, 16, 16), quantization=grids[0])
    output = Tensor(name="result", shape=(3, 16, 16), quantization=grids[1])
    graph = Graph(input=source, operators=(Mul(a=source, b=source, clamp=clamp, output=output, path="result"),))
    images = np.arange(768).astype(np.uint8).reshape(1, 16, 16, 3)  # every code occurs
    assert_exact(EXECUTORCH, graph, tmp_path, images)


def has_ties(x: Quantization, y: Quantization) -> bool:
    """Tells whether some square is exactly between two codes; XNNPACK's kernels break such ties differently."""
    codes = np.arange(-128, 128) - x.zero_point
    reals = np.float32(codes * codes) * product_factor(x, x, y)
    return bool(np.any(reals - np.floor(reals) == 0.5))


@pytest.mark.parametrize("clamp", Clamp)
@pytest.mark.parametrize("kind", ["mul", "mul by a constant", "square"])
def test_a_clamped_product_is_exact_in_core_ml(kind: str, clamp: Clamp, tmp_path: Path) -> None:
    build = graphs.Builder(int8=True, seed=5)
    a, b = build.conv(build.input, 6, 3), build.conv(build.input, 6, 3)
    x = build.mul(a, b)
    last = build.operators[-1]
    assert isinstance(last, Mul)
    if kind == "mul by a constant":
        last = dataclasses.replace(last, b=Constant(name="b", value=-77.0, quantization=b.tensor.quantization))
    if kind == "square":
        last = dataclasses.replace(last, b=last.a)
    build.operators[-1] = dataclasses.replace(last, clamp=clamp)
    build.head(x)
    graph = build.graph()
    assert_exact(CORE_ML, graph, tmp_path, graphs.pictures(graph, 8))


@pytest.mark.parametrize(
    ("a", "b", "y"),
    [
        ((0.02, 3), (6 / 255, -128), (0.03, -7)),  # h-swish's gate
        ((1 / 64, -5), (1 / 128, 9), (1 / 32, 4)),  # ties everywhere before settling
        ((0.0173, 40), (1 / 255, -128), (0.0171, 38)),  # squeeze-and-excite's gate
    ],
)
def test_arm_and_reference_agree_on_a_settled_product_of_every_pair(
    a: tuple[float, int], b: tuple[float, int], y: tuple[float, int], cortex_a76: EmulatedCore, tmp_path: Path
) -> None:
    grid_a, grid_b, wanted = grid(*a), grid(*b), grid(*y)
    codes_b = np.arange(-128, 128) - grid_b.zero_point
    settled = grid(arithmetic.settle_product_scale(grid_a, codes_b, grid_b.scale, wanted), wanted.zero_point)
    assert differing(pair_graph(Mul, grid_a, grid_b, settled), PAIRS, cortex_a76, tmp_path) == {}
