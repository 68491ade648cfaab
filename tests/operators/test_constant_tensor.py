"""ConstantTensor: sums, differences, products and concatenations with numbers that no picture changes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.errors import BundleError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.checks.shape_check import check_shapes
from mobile_sdk.graph.operators import Add, Concat, ConstantTensor, Dequantize, Graph, Mul, Quantization, Sub, Tensor
from tests.support.operators.emulated_arm import differing
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.one_operator import contract_for
from tests.support.operators.random_cases import grid, random_pictures
from tests.support.operators.runtimes import (
    CORE_ML,
    GIVING_CODES,
    RUNTIMES,
    assert_exact,
    assert_near_float,
)

SIDE_PX = 8
MAP = (3, SIDE_PX, SIDE_PX)
SHAPES = [MAP, (1, SIDE_PX, SIDE_PX), (3, 1, 1), (3, 1, SIDE_PX), (1, 1, 1)]


def constant(shape: tuple[int, ...], on: Quantization | None, seed: int) -> ConstantTensor:
    random = np.random.default_rng(seed)
    codes = random.integers(-128, 128, shape).astype(np.int8)
    values = codes if on is not None else random.normal(size=shape).astype(np.float32)
    return ConstantTensor(
        output=Tensor(name="constant", shape=shape, quantization=on), values=values, path="net.constant"
    )


def with_constant(kind: type[Any], shape: tuple[int, ...], zeros: tuple[int, int, int], *, seed: int, is_first: bool):
    x = grid(1 / 128, zeros[0])
    source = Tensor(name="picture", shape=MAP, quantization=x)
    own = grid(0.011, zeros[1])
    other = constant(shape, own, seed)
    a, b = (other.output, source) if is_first else (source, other.output)
    y = grid(0.017, zeros[2])
    if kind is Mul:
        second = arithmetic.quantization_of(b)
        codes = np.arange(-128, 128) - second.zero_point
        scale = arithmetic.settle_product_scale(arithmetic.quantization_of(a), codes, second.scale, y)
        y = grid(scale, zeros[2])
    last = kind(a=a, b=b, output=Tensor(name="y", shape=MAP, quantization=y), path="net.y")
    return Graph(input=source, operators=(other, last))


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from([Add, Sub, Mul]),
    shape=st.sampled_from(SHAPES),
    zeros=st.tuples(*[st.integers(-100, 100)] * 3),
    seed=st.integers(0, 99),
    is_first=st.booleans(),
)
def test_any_constant_operand_is_the_integer_model_and_exact_in_litert_executorch_and_onnx(
    tmp_path, kind, shape, zeros, seed, is_first
):
    graph = with_constant(kind, shape, zeros, seed=seed, is_first=is_first)
    check_shapes(graph)
    images = random_pictures(SIDE_PX, SIDE_PX, seed)
    assert_modelled(graph, images, values=1)
    for runtime in GIVING_CODES:
        assert_exact(runtime, graph, tmp_path, images)


@pytest.mark.parametrize(("kind", "shape"), [(Add, MAP), (Sub, (3, 1, 1)), (Mul, (1, SIDE_PX, SIDE_PX))])
def test_a_constant_operand_is_exact_in_core_ml(kind, shape, tmp_path):
    graph = with_constant(kind, shape, (3, -20, 7), seed=0, is_first=False)
    assert_exact(CORE_ML, graph, tmp_path, random_pictures(SIDE_PX, SIDE_PX))


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_a_concatenation_with_constants_is_exact(runtime, tmp_path):
    source = Tensor(name="picture", shape=MAP, quantization=grid(1 / 128, 5))
    other = constant((2, SIDE_PX, SIDE_PX), grid(1 / 128, 5), 0)
    output = Tensor(name="y", shape=(5, SIDE_PX, SIDE_PX), quantization=grid(1 / 128, 5))
    last = Concat(parts=(other.output, source), output=output, path="net.y")
    graph = Graph(input=source, operators=(other, last))
    assert_modelled(graph, random_pictures(SIDE_PX, SIDE_PX))
    assert_exact(runtime, graph, tmp_path, random_pictures(SIDE_PX, SIDE_PX))


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_a_float_graphs_constant_is_near_the_float_reference(runtime, tmp_path):
    source = Tensor(name="picture", shape=MAP, quantization=grid(1 / 128))
    real = Dequantize(output=Tensor(name="real", shape=MAP, quantization=None), input=source, path="")
    other = constant((3, 1, SIDE_PX), None, 0)
    last = Add(a=real.output, b=other.output, output=Tensor(name="y", shape=MAP, quantization=None), path="net.y")
    assert_near_float(runtime, Graph(input=source, operators=(real, other, last)), tmp_path)


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_another_constant_in_a_file_is_found_when_it_is_read_back(runtime, tmp_path):
    paths = [tmp_path / name / runtime.model_file for name in ("one", "other")]
    graphs = [with_constant(Add, MAP, (3, -20, 7), seed=seed, is_first=False) for seed in (0, 1)]
    for path, graph in zip(paths, graphs, strict=True):
        path.parent.mkdir()
        runtime.export(graph, contract_for(graph), path)
    assert runtime.differences(paths[0], paths[1], graphs[0]) != []


def test_arm_and_reference_agree_on_a_constant_operand(cortex_a76, tmp_path):
    graph = with_constant(Sub, MAP, (3, -20, 7), seed=0, is_first=True)
    assert differing(graph, random_pictures(SIDE_PX, SIDE_PX), cortex_a76, tmp_path) == {}


@pytest.mark.parametrize("values", [np.zeros((3, 8, 8), np.float32), np.zeros((2, 8, 8), np.int8)])
def test_constants_of_another_type_or_shape_are_refused_in_a_file(values):
    graph = with_constant(Add, MAP, (0, 0, 0), seed=0, is_first=False)
    own, last = graph.operators
    wrong = ConstantTensor(output=own.output, values=values, path=own.path)
    with pytest.raises(BundleError, match=r"ConstantTensor at net\.constant"):
        check_shapes(Graph(input=graph.input, operators=(wrong, last)))
