"""UnaryFunction: the integer model in the reference, and the reference's codes in every runtime, for all 256 codes."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.contract import Contract
from mobile_sdk.errors import CompileError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.code_tables import code_table, is_settled, settle_table_scale
from mobile_sdk.graph.operators import Function, Graph, Quantization, UnaryFunction
from mobile_sdk.graph.reference import Reference
from tests.support.graphs import float_graph
from tests.support.operators.emulated_arm import differing
from tests.support.operators.one_operator import contract_for
from tests.support.operators.random_cases import grid
from tests.support.operators.reference_cases import one, square
from tests.support.operators.runtimes import (
    GIVING_CODES,
    LITERT,
    RUNTIMES,
    assert_exact,
    assert_near_float,
)

ALL_CODES = np.arange(768).astype(np.uint8).reshape(1, 16, 16, 3)
GRIDS_OF = {  # the input's scale and zero point, and the output's: ranges that nets have
    Function.SIGMOID: ((0.06, 3), (1 / 255, -128)),
    Function.TANH: ((0.03, -20), (1 / 127, 0)),
    Function.GELU: ((0.0313, 10), (0.02, -119)),
    Function.ELU: ((0.05, 0), (0.03, -95)),
    Function.LEAKY_RELU: ((0.0313, 11), (0.02, -100)),
    Function.CLAMP: ((0.0313, 4), (0.0157, 20)),
    Function.SOFTPLUS: ((0.06, 3), (0.02, -128)),
    Function.TANH_SOFTPLUS: ((0.05, -30), (1 / 255, -128)),
    Function.EXP: ((0.02, 40), (0.05, -128)),
    Function.ABS: ((0.04, -7), (0.021, -128)),
    Function.AFFINE: ((0.04, -7), (0.031, 12)),
    Function.POWER: ((0.04, -100), (0.021, -128)),
    Function.RECIPROCAL: ((0.04, -7), (0.1, 3)),
    Function.LOG: ((0.04, -100), (0.05, 10)),
    Function.SIN: ((0.04, -7), (1 / 127, 0)),
    Function.COS: ((0.04, -7), (1 / 127, 0)),
    Function.SCALED_ELU: ((0.05, 0), (0.03, -60)),
    Function.SCALED_SOFTPLUS: ((0.06, 3), (0.08, 127)),
    Function.GELU_TANH: ((0.0313, 10), (0.02, -119)),
}


def function_graph(function: Function, x: Quantization, y: Quantization, parameters: tuple[float, ...]) -> Graph:
    """Returns a graph that applies the function to the picture's codes, its output scale settled."""
    source = square(16, x)
    settled = settle_table_scale(function, parameters, x, y)
    return one(UnaryFunction, (3, 16, 16), settled, source, input=source, function=function, parameters=parameters)


PARAMETERS: dict[Function, tuple[float, ...]] = {
    Function.LEAKY_RELU: (0.125,),
    Function.CLAMP: (-1.0, 1.5),
    Function.AFFINE: (-0.75, 1.5),
    Function.POWER: (0.5,),
    Function.SCALED_ELU: (1.625, 1.0625, 0.75),
    Function.SCALED_SOFTPLUS: (-1.0,),
}


def typical(function: Function) -> Graph:
    x, y = (grid(*each) for each in GRIDS_OF[function])
    return function_graph(function, x, y, PARAMETERS.get(function, ()))


@pytest.mark.parametrize("function", Function)
@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_all_256_codes_are_the_tables_in_every_runtime(runtime, function, tmp_path):
    assert_exact(runtime, typical(function), tmp_path, ALL_CODES)


@settings(max_examples=60)
@given(
    function=st.sampled_from(list(Function)),
    scales=st.tuples(st.floats(1e-4, 0.3), st.floats(1e-4, 0.5)),
    zeros=st.tuples(st.integers(-128, 127), st.integers(-128, 127)),
)
def test_any_settled_table_is_exact_in_litert_executorch_and_onnx(tmp_path, function, scales, zeros):
    graph = function_graph(function, grid(scales[0], zeros[0]), grid(scales[1], zeros[1]), PARAMETERS.get(function, ()))
    for runtime in GIVING_CODES:
        assert_exact(runtime, graph, tmp_path, ALL_CODES)


@pytest.mark.parametrize("function", Function)
def test_arm_and_reference_agree_on_all_256_codes(function, cortex_a76, tmp_path):
    assert differing(typical(function), ALL_CODES, cortex_a76, tmp_path) == {}


@pytest.mark.parametrize("function", Function)
@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_a_float_graphs_function_is_near_the_float_reference_in_every_runtime(runtime, function, tmp_path):
    graph = float_graph("inverted residual")
    output = replace(graph.output, name="function")
    parameters = PARAMETERS.get(function, ())
    operator = UnaryFunction(
        output=output, path="net.function", input=graph.output, function=function, parameters=parameters
    )
    ending = Graph(input=graph.input, operators=(*graph.operators, operator))
    assert_near_float(runtime, ending, tmp_path)


def test_a_table_near_a_tie_is_refused_before_a_file_is_written(tmp_path):
    source = square(16, grid(1 / 32, 0))
    graph = one(UnaryFunction, (3, 16, 16), grid(1 / 16, 0), source, input=source, function=Function.ABS, parameters=())
    with pytest.raises(CompileError, match="settled"):
        LITERT.export(graph, Contract(name="n", labels=("a", "b")), tmp_path / "model.tflite")


@pytest.mark.parametrize("function", Function)
@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_a_file_of_the_function_is_read_back_as_what_was_asked_for(runtime, function, tmp_path):
    graph, paths = typical(function), [tmp_path / each / runtime.model_file for each in ("one", "other")]
    for path in paths:
        path.parent.mkdir()
        runtime.export(graph, contract_for(graph), path)
    assert runtime.differences(paths[0], paths[1], graph) == []


def test_a_clamp_of_turned_bounds_is_the_upper_one_everywhere_as_in_pytorch(tmp_path):
    graph = function_graph(Function.CLAMP, grid(0.03, 0), grid(0.02, -20), (2.0, -2.0))
    for runtime in GIVING_CODES:
        assert_exact(runtime, graph, tmp_path, ALL_CODES)


def test_an_exponential_that_float32_cannot_hold_is_settled_only_where_it_saturates(tmp_path):
    with pytest.raises(ValueError, match="above 88"):
        settle_table_scale(Function.SOFTPLUS, (), grid(1.0, 0), grid(0.5, -128))
    with pytest.raises(ValueError, match="above 88"):
        settle_table_scale(Function.EXP, (), grid(1.0, 0), grid(2.0**122, -128))
    graph = function_graph(Function.SOFTPLUS, grid(1.0, 0), grid(0.25, -128), ())
    for runtime in GIVING_CODES:
        assert_exact(runtime, graph, tmp_path, ALL_CODES)


@settings(max_examples=100)
@given(
    function=st.sampled_from(list(Function)),
    scales=st.tuples(st.floats(1e-4, 0.3), st.floats(1e-4, 0.5)),
    zeros=st.tuples(st.integers(-128, 127), st.integers(-128, 127)),
)
def test_a_settled_table_is_the_rounded_function_and_no_entry_lies_near_a_tie(function, scales, zeros):
    graph = function_graph(function, grid(scales[0], zeros[0]), grid(scales[1], zeros[1]), PARAMETERS.get(function, ()))
    (operator,) = graph.operators
    assert is_settled(operator)
    x, y = (arithmetic.quantization_of(each) for each in (operator.input, operator.output))
    for code, entry in zip(range(-128, 128), code_table(operator).tolist(), strict=True):
        real = by_definition(function, (code - x.zero_point) * x.scale)
        assert entry == max(-128, min(127, round(real / y.scale + y.zero_point)))
    codes = Reference(graph).run(ALL_CODES)[0]
    np.testing.assert_array_equal(codes.ravel(), code_table(operator)[ALL_CODES.ravel()])


def by_definition(function: Function, x: float) -> float:
    """Returns the function's value, in double precision."""
    softplus = max(x, 0) + math.log1p(math.exp(-abs(x)))
    values = {
        Function.SIGMOID: 1 / (1 + math.exp(-x)),
        Function.TANH: math.tanh(x),
        Function.GELU: x / 2 * (1 + math.erf(x / math.sqrt(2))),
        Function.ELU: x if x > 0 else math.expm1(x),
        Function.LEAKY_RELU: x if x > 0 else 0.125 * x,
        Function.CLAMP: min(max(x, -1.0), 1.5),
        Function.SOFTPLUS: softplus,
        Function.TANH_SOFTPLUS: math.tanh(softplus),
        Function.EXP: math.exp(min(x, 88)),
        Function.ABS: abs(x),
        Function.AFFINE: 1.5 - 0.75 * x,
        Function.POWER: math.sqrt(max(x, 0)),
        Function.RECIPROCAL: 1 / x if x else 2.0**120,
        Function.LOG: math.log(max(x, 2.0**-126)),
        Function.SIN: math.sin(x),
        Function.COS: math.cos(x),
        Function.SCALED_ELU: 1.0625 * (x if x > 0 else 1.625 * math.expm1(0.75 * x)),
        Function.SCALED_SOFTPLUS: -softplus + x,
        Function.GELU_TANH: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    }
    return values[function]
