"""Add: the integer model in the reference, and the reference's codes in every runtime and on Arm."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from mobile_sdk.devices import EmulatedCore
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import (
    Add,
    Clamp,
    Constant,
    Graph,
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
def test_any_sum_is_the_integer_model_on_all_codes(a, ratio, zero, clamp, operand, code):
    source = square(16, a)
    mirrored, other = second_operand(source, operand, code)
    images = np.arange(768).astype(np.uint8).reshape(1, 16, 16, 3)  # every code occurs
    graph = one(Add, (3, 16, 16), grid(a.scale * ratio, zero), source, a=source, b=other, clamp=clamp)
    assert_modelled(Graph(input=source, operators=(mirrored, *graph.operators)), images, values=1)


@settings(max_examples=40)
@given(
    x=GRIDS,
    other=st.tuples(RATIOS, ZERO),
    y=st.tuples(RATIOS, ZERO),
    clamp=st.sampled_from(list(Clamp)),
    operand=st.sampled_from(["tensor", "itself", "constant"]),
    code=st.integers(-128, 127),
)
@example(x=grid(1.0, 0), other=(0.1, 0), y=(4.0, 1), clamp=Clamp.RELU6, operand="tensor", code=0)  # 6 is 1.5 steps
def test_any_sum_is_exact_on_all_codes_in_litert_and_the_extras(tmp_path, x, other, y, clamp, operand, code):
    low, high = arithmetic.ADD_RATIO_RANGE  # freeze keeps to it
    assume(all(low < ratio / y[0] < high * 0.99 for ratio in (1, other[0])))
    codes = grid(x.scale * other[0], other[1])
    source, conv = two_operands(x, codes, (3, 16, 16))
    constant = Constant(name="constant", value=code, quantization=codes)
    b = {"tensor": conv.output, "itself": source, "constant": constant}[operand]
    add = Add(output=tensor((3, 16, 16), grid(x.scale * y[0], y[1])), path="net.add", a=source, b=b, clamp=clamp)
    before = (conv,) if operand == "tensor" else ()
    images = np.arange(768).astype(np.uint8).reshape(1, 16, 16, 3)
    for runtime in (LITERT, *EXTRAS):
        assert_exact(runtime, Graph(input=source, operators=(*before, add)), tmp_path, images)


@settings(max_examples=40)
@given(grids=st.tuples(GRIDS, GRIDS), clamp=st.sampled_from(list(Clamp)))
def test_any_sum_is_exact_in_executorch(tmp_path, grids, clamp):
    source = Tensor(name="picture", shape=(3, 16, 16), quantization=grids[0])
    output = Tensor(name="result", shape=(3, 16, 16), quantization=grids[1])
    graph = Graph(input=source, operators=(Add(a=source, b=source, clamp=clamp, output=output, path="result"),))
    images = np.arange(768).astype(np.uint8).reshape(1, 16, 16, 3)  # every code occurs
    assert_exact(EXECUTORCH, graph, tmp_path, images)


@pytest.mark.parametrize("clamp", Clamp)
def test_a_clamped_sum_is_exact_in_core_ml(clamp: Clamp, tmp_path: Path) -> None:
    build = graphs.Builder(int8=True, seed=5)
    x = build.add(build.conv(build.input, 6, 3), build.conv(build.input, 6, 3), clamp)
    build.head(x)
    graph = build.graph()
    assert_exact(CORE_ML, graph, tmp_path, graphs.pictures(graph, 8))


@pytest.mark.parametrize(
    ("a", "b", "y"),
    [
        ((1 / 64, -128), (1 / 64, 127), (1 / 32, 0)),  # a tie in every other pair
        ((0.0004, 12), (0.3, -9), (0.29, 5)),  # a ratio near XNNPACK's limit of 2^-10
    ],
)
def test_arm_and_reference_agree_on_a_sum_of_every_pair(
    a: tuple[float, int], b: tuple[float, int], y: tuple[float, int], cortex_a76: EmulatedCore, tmp_path: Path
) -> None:
    assert differing(pair_graph(Add, grid(*a), grid(*b), grid(*y)), PAIRS, cortex_a76, tmp_path) == {}
