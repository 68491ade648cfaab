"""Sums, differences and products of tensors that are repeated along axes: exact in every runtime, whatever the axes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.errors import BundleError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.checks.shape_check import check_shapes
from mobile_sdk.graph.operators import Add, Conv2d, Graph, Mul, Quantization, Sub, Tensor
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.random_cases import grid, random_pictures
from tests.support.operators.runtimes import CORE_ML, GIVING_CODES, assert_exact

SIDE_PX = 8
# The lengths of an axis in both operands.
SIDES = st.tuples(*[st.sampled_from([(SIDE_PX, SIDE_PX), (1, SIDE_PX), (SIDE_PX, 1)])] * 3)


def part_of(source: Tensor, shape: tuple[int, ...], on: Quantization, name: str, seed: int) -> Conv2d:
    """A convolution of the whole picture to a map whose sides are its own or 1."""
    kernel = tuple(SIDE_PX + 1 - side for side in shape[1:])
    codes = np.random.default_rng(seed).integers(-127, 128, (shape[0], 3, *kernel)).astype(np.int8)
    reach = 127 * 127 * np.sqrt(3 * kernel[0] * kernel[1])
    scales = np.full(len(codes), 200 * on.scale * 128 / reach, np.float32)
    return Conv2d(
        input=source,
        output=Tensor(name=name, shape=shape, quantization=on),
        path=name,
        weight=codes,
        weight_scales=scales,
        bias=np.zeros(len(codes), np.int32),
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        dilation=(1, 1),
        groups=1,
    )


def repeating(kind: type[Any], a: tuple[int, ...], b: tuple[int, ...], zeros: tuple[int, int, int], seed: int) -> Graph:
    source = Tensor(name="picture", shape=(3, SIDE_PX, SIDE_PX), quantization=grid(1 / 128))
    parts = [
        part_of(source, shape, grid(0.02, zero), name, seed)
        for shape, zero, name in ((a, zeros[0], "a"), (b, zeros[1], "b"))
    ]
    y = grid(0.03, zeros[2])
    if kind is Mul:
        codes = np.arange(-128, 128) - zeros[1]
        y = grid(arithmetic.settle_product_scale(grid(0.02, zeros[0]), codes, grid(0.02).scale, y), zeros[2])
    output = Tensor(name="y", shape=tuple(map(max, a, b)), quantization=y)
    last = kind(a=parts[0].output, b=parts[1].output, output=output, path="net.y")
    return Graph(input=source, operators=(*parts, last))


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from([Add, Sub, Mul]),
    sides=SIDES,
    zeros=st.tuples(*[st.integers(-60, 60)] * 3),
    seed=st.integers(0, 99),
)
def test_any_repeated_axes_are_the_integer_model_and_exact_in_litert_executorch_and_onnx(
    tmp_path, kind, sides, zeros, seed
):
    a, b = zip(*sides, strict=True)
    graph = repeating(kind, a, b, zeros, seed)
    check_shapes(graph)
    images = random_pictures(SIDE_PX, SIDE_PX, seed)
    assert_modelled(graph, images, values=1)
    for runtime in GIVING_CODES:
        assert_exact(runtime, graph, tmp_path, images)


@pytest.mark.parametrize(
    ("kind", "a", "b"),
    [
        (Add, (6, 1, 1), (6, 8, 8)),  # a vector of a map's mean, added to it
        (Sub, (6, 8, 8), (1, 8, 8)),
        (Mul, (1, 8, 8), (6, 8, 8)),  # a spatial gate (CBAM, arXiv 1807.06521)
        (Mul, (6, 8, 1), (6, 1, 8)),  # coordinate attention (arXiv 2103.02907)
    ],
)
def test_repeated_axes_are_exact_in_core_ml(kind, a, b, tmp_path):
    assert_exact(CORE_ML, repeating(kind, a, b, (3, -20, 7), 0), tmp_path, random_pictures(SIDE_PX, SIDE_PX))


@pytest.mark.parametrize("kind", [Add, Sub, Mul])
def test_axes_of_two_lengths_are_refused_in_a_file(kind):
    graph = repeating(kind, (8, 8, 1), (8, 1, 8), (0, 0, 0), 0)
    *parts, last = graph.operators
    wrong = Graph(input=graph.input, operators=(*parts, kind(a=graph.input, b=last.b, output=last.output, path="y")))
    with pytest.raises(BundleError, match="a second operand that fits"):
        check_shapes(wrong)
