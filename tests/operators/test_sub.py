"""Sub: the integer model in the reference, and the reference's codes in every runtime and on Arm."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Clamp, Graph, Sub
from tests.support.operators.emulated_arm import PAIRS, differing, pair_graph
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.random_cases import GRIDS, RATIOS, ZERO, grid, tensor, two_operands
from tests.support.operators.runtimes import (
    CORE_ML,
    GIVING_CODES,
    RUNTIMES,
    assert_exact,
)

ALL_CODES = np.arange(768).astype(np.uint8).reshape(1, 16, 16, 3)


@settings(max_examples=60)
@given(
    x=GRIDS,
    other=st.tuples(RATIOS, ZERO),
    y=st.tuples(RATIOS, ZERO),
    clamp=st.sampled_from(list(Clamp)),
    is_turned=st.booleans(),
)
def test_any_difference_is_the_integer_model_and_exact_on_all_codes(tmp_path, x, other, y, clamp, is_turned):
    low, high = arithmetic.ADD_RATIO_RANGE  # freeze keeps to it
    assume(all(low < ratio / y[0] < high * 0.99 for ratio in (1, other[0])))
    source, conv = two_operands(x, grid(x.scale * other[0], other[1]), (3, 16, 16))
    a, b = (conv.output, source) if is_turned else (source, conv.output)
    sub = Sub(output=tensor((3, 16, 16), grid(x.scale * y[0], y[1])), path="net.sub", a=a, b=b, clamp=clamp)
    graph = Graph(input=source, operators=(conv, sub))
    assert_modelled(graph, ALL_CODES, values=1)
    for runtime in GIVING_CODES:
        assert_exact(runtime, graph, tmp_path, ALL_CODES)


@pytest.mark.parametrize("clamp", Clamp)
def test_a_difference_is_exact_in_core_ml(clamp, tmp_path):
    source, conv = two_operands(grid(0.02, 7), grid(0.011, -30), (3, 16, 16))
    sub = Sub(output=tensor((3, 16, 16), grid(0.017, -60)), path="net.sub", a=source, b=conv.output, clamp=clamp)
    assert_exact(CORE_ML, Graph(input=source, operators=(conv, sub)), tmp_path, ALL_CODES)


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_a_tensor_less_itself_is_zero(runtime, tmp_path):
    source, conv = two_operands(grid(0.02, 7), grid(0.011, -30), (3, 16, 16))
    sub = Sub(output=tensor((3, 16, 16), grid(0.017, -60)), path="net.sub", a=conv.output, b=conv.output)
    assert_exact(runtime, Graph(input=source, operators=(conv, sub)), tmp_path, ALL_CODES)


@pytest.mark.parametrize(
    ("a", "b", "y"),
    [
        ((1 / 64, -128), (1 / 64, 127), (1 / 32, 0)),  # a tie in every other pair
        ((0.3, -9), (0.0004, 12), (0.29, 5)),  # a ratio near XNNPACK's limit of 2^-10
    ],
)
def test_arm_and_reference_agree_on_a_difference_of_every_pair(a, b, y, cortex_a76, tmp_path):
    assert differing(pair_graph(Sub, grid(*a), grid(*b), grid(*y)), PAIRS, cortex_a76, tmp_path) == {}
