"""MatMul: every runtime gives the reference's codes, for matrices and for one a head, in one partition."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.errors import BundleError, CompileError
from mobile_sdk.graph.checks.shape_check import check_shapes
from mobile_sdk.graph.operators import Graph, MatMul, Quantization, Rearrange, Tensor
from mobile_sdk.graph.reference import Reference
from tests.support.graph_builder import Builder, Wire, pictures
from tests.support.operators.emulated_arm import differing
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.one_operator import convolution, grid, picture
from tests.support.operators.runtimes import (
    EXTRAS,
    LITERT,
    RUNTIMES,
    assert_exact,
    assert_near_float,
    float32,
)

SIDE_PX, PIXELS = 8, 64
ZERO = st.integers(-128, 127)


def product(a: Quantization, b: Quantization, y: Quantization, *, heads: int, depth: int, is_mixing: bool) -> Graph:
    """Scores of all pairs of pixels, or, if it mixes pixels, these scores' product with vectors of all pixels."""
    source = picture(SIDE_PX)
    maps = [
        Tensor(name=f"map_{name}", shape=(heads * depth, SIDE_PX, SIDE_PX), quantization=own)
        for name, own in (("a", a), ("b", b))
    ]
    layers = [
        convolution(source, each, each_grid.scale, seed=seed)
        for seed, (each, each_grid) in enumerate(zip(maps, (a, b), strict=True))
    ]
    of_heads = (1, heads) if heads > 1 else ()
    left, right = (depth, PIXELS) if is_mixing else (PIXELS, depth), (PIXELS, depth) if is_mixing else (depth, PIXELS)
    orders = ((0, 1, 2), (0, 2, 1)) if is_mixing else ((0, 2, 1), (0, 1, 2))
    matrices = [
        Rearrange(
            input=each,
            output=Tensor(name=f"{each.name}.matrix", shape=(*of_heads, *shape), quantization=each.quantization),
            path=f"net.{each.name}",
            split=(heads, depth, PIXELS),
            order=order,
        )
        for each, shape, order in zip(maps, (left, right), orders, strict=True)
    ]
    output = Tensor(name="product", shape=(*of_heads, left[0], right[1]), quantization=y)
    last = MatMul(a=matrices[0].output, b=matrices[1].output, output=output, path="net.product")
    return Graph(input=source, operators=(*layers, *matrices, last))


ORDINARY = {"a": grid(1 / 50, -9), "b": grid(1 / 60), "y": grid(1 / 7, 11)}


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("is_mixing", [False, True])
def test_every_runtime_is_exact_in_int8(runtime: Any, heads: int, is_mixing: bool, tmp_path: Path) -> None:
    assert_exact(runtime, product(**ORDINARY, heads=heads, depth=5, is_mixing=is_mixing), tmp_path)


@settings(max_examples=15, deadline=None)
@given(
    zeros=st.tuples(ZERO, ZERO),
    exponents=st.tuples(st.floats(-7, -3), st.floats(-7, -3), st.floats(-4, 1)),
    heads=st.integers(1, 4),
    depth=st.integers(1, 20),
    is_mixing=st.booleans(),
)
def test_any_product_of_matrices_is_exact_in_litert_and_the_extras(
    tmp_path, zeros, exponents, heads, depth, is_mixing
) -> None:
    a, b, y = (grid(2.0**exponent, zero) for exponent, zero in zip(exponents, (zeros[0], 0, zeros[1]), strict=True))
    graph = product(a, b, y, heads=heads, depth=depth, is_mixing=is_mixing)
    for runtime in (LITERT, *EXTRAS):
        assert_exact(runtime, graph, tmp_path, pictures(graph, 2))


@pytest.mark.parametrize("heads", [1, 3])
def test_the_reference_is_the_integer_model(heads: int) -> None:
    graph = product(**ORDINARY, heads=heads, depth=5, is_mixing=False)
    check_shapes(graph)
    assert_modelled(graph, pictures(graph, 2), values=20)


def test_a_second_matrix_with_a_zero_point_is_refused() -> None:
    with pytest.raises(CompileError, match=r"zero point of the second matrix in \[0, 1\) at net\.product, found 3"):
        Reference(product(grid(1 / 50), grid(1 / 60, 3), grid(1 / 7), heads=2, depth=4, is_mixing=False))


def test_matrices_that_do_not_fit_are_refused() -> None:
    graph = product(**ORDINARY, heads=2, depth=4, is_mixing=False)
    *others, last = graph.operators
    assert isinstance(last, MatMul)
    turned = MatMul(a=last.b, b=last.b, output=last.output, path=last.path)
    with pytest.raises(BundleError, match=r"a second matrix of 64 rows.* in MatMul at net\.product"):
        check_shapes(Graph(input=graph.input, operators=(*others, turned)))


def of_two_heads(build: Builder) -> Wire:
    a = build.rearrange(build.conv(build.input, 8), (2, 4, 256), (0, 2, 1), (1, 2, 256, 4))
    b = build.rearrange(build.conv(build.input, 8), (2, 4, 256), (0, 1, 2), (1, 2, 4, 256))
    return build.matmul(a, b)


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_every_runtime_is_near_in_float32(runtime: Any, tmp_path: Path) -> None:
    assert_near_float(runtime, float32(of_two_heads), tmp_path)


def test_arm_computes_the_same_codes(arm_core: Any, tmp_path: Path) -> None:
    graph = product(**ORDINARY, heads=3, depth=20, is_mixing=True)
    assert not differing(graph, pictures(graph, 4), arm_core, tmp_path)
