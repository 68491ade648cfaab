"""MaxPool2d: padding never wins, and every runtime gives the reference's codes."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.graph.operators import (
    Graph,
    MaxPool2d,
)
from mobile_sdk.graph.reference import Reference
from tests.support.graph_builder import Builder, Wire
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.random_cases import (
    SEEDS,
    ZERO,
    grid,
    picture,
    random_pictures,
    tensor,
)
from tests.support.operators.reference_cases import one, square, square_pictures
from tests.support.operators.runtimes import (
    EXECUTORCH,
    EXTRAS,
    LITERT,
    RUNTIMES,
    assert_exact,
    assert_near_float,
    float32,
    int8,
)


@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 1, 0)])
def test_padding_never_wins_a_maximum(padding):
    source = square(8, grid(1 / 64, 100))
    rows = (8 + padding[0] + padding[1] - 3) // 2 + 1
    columns = (8 + padding[2] + padding[3] - 3) // 2 + 1
    window = {"kernel": (3, 3), "stride": (2, 2), "padding": padding}
    graph = one(MaxPool2d, (3, rows, columns), grid(1 / 64, 100), source, input=source, **window)
    images = square_pictures(2) // 4  # below the zero point: zeros would win
    assert_modelled(graph, images)
    assert Reference(graph).run(images).max() < 0


@settings(max_examples=15)
@given(
    zero=ZERO,
    size=st.tuples(st.integers(4, 9), st.integers(4, 9)),
    kernel=st.sampled_from([(2, 2), (3, 3), (1, 3), (2, 1), (3, 2)]),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.tuples(*[st.integers(0, 1)] * 4),
    seed=SEEDS,
)
def test_any_max_pooling_is_exact_in_litert_and_the_extras(tmp_path, zero, size, kernel, stride, padding, seed):
    stride = (min(stride[0], kernel[0]), min(stride[1], kernel[1]))
    padding = tuple(min(pad, size // 2) for pad, size in zip(padding, (kernel[0],) * 2 + (kernel[1],) * 2, strict=True))
    source = picture(*size, grid(1 / 64, zero))
    rows, columns = ((size[i] + padding[2 * i] + padding[2 * i + 1] - kernel[i]) // stride[i] + 1 for i in range(2))
    window = {"kernel": kernel, "stride": stride, "padding": padding}
    pool = MaxPool2d(output=tensor((3, rows, columns), grid(1 / 64, zero)), path="net.pool", input=source, **window)
    for runtime in (LITERT, *EXTRAS):
        assert_exact(runtime, Graph(input=source, operators=(pool,)), tmp_path, random_pictures(*size, seed) // 2)


def test_a_padded_maximum_of_a_wide_window_repeats_the_edges_in_one_partition(tmp_path):
    source = picture(10, 9, grid(1 / 64, 3))
    window = {"kernel": (7, 6), "stride": (2, 3), "padding": (3, 3, 3, 2)}
    pool = MaxPool2d(output=tensor((3, 5, 3), grid(1 / 64, 3)), path="net.pool", input=source, **window)
    structure = assert_exact(LITERT, Graph(input=source, operators=(pool,)), tmp_path, random_pictures(10, 9))
    assert "PAD" not in structure.operators and structure.operators["CONCATENATION"] > 2


def test_pooling_with_uneven_padding_and_long_concatenations_are_exact(tmp_path):
    build = Builder(int8=True, seed=3)
    x = build.max_pool(build.conv(build.input, 6, 3, activation="relu6"), 3, 2, (0, 1, 0, 1))
    x = build.concat(*(build.conv(x, count, activation="relu6") for count in (2, 3, 4, 5, 6, 7, 8)))
    build.head(build.concat(build.conv(x, 22, 3, groups=1, activation="relu6")))
    assert_exact(EXECUTORCH, build.graph(), tmp_path)


def pooled(build: Builder) -> Wire:
    return build.max_pool(build.conv(build.input, 6, 3, activation="relu6"), 3, 2, (0, 1, 0, 1))


def test_the_reference_is_the_integer_model() -> None:
    assert_modelled(int8(pooled), random_pictures(16, 16))


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_every_runtime_is_exact_in_int8_and_near_in_float32(runtime: Any, tmp_path: Path) -> None:
    assert_exact(runtime, int8(pooled), tmp_path)
    assert_near_float(runtime, float32(pooled), tmp_path)
