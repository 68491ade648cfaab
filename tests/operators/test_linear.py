"""Linear: every runtime gives the reference's codes."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.graph.operators import (
    Clamp,
    Graph,
    Linear,
    Reshape,
)
from tests.support.graph_builder import Builder, Wire
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.random_cases import (
    GRIDS,
    SEEDS,
    grid,
    picture,
    random_pictures,
    tensor,
    weights,
)
from tests.support.operators.runtimes import (
    EXTRAS,
    LITERT,
    RUNTIMES,
    Recipe,
    assert_exact,
    assert_near_float,
    float32,
    int8,
)


@settings(max_examples=20)
@given(grids=st.tuples(GRIDS, GRIDS), clamp=st.sampled_from(list(Clamp)), classes=st.integers(1, 20), seed=SEEDS)
def test_any_linear_layer_is_exact_in_litert_and_the_extras(tmp_path, grids, clamp, classes, seed):
    source = picture(1, 1)
    vector = Reshape(output=tensor((3,), grid(1 / 128), "vector"), path="net.flatten", input=source)
    linear = Linear(
        output=tensor((classes,), grids[1]),
        path="net.linear",
        input=vector.output,
        clamp=clamp,
        **weights((classes, 3), grid(1 / 128), grids[1], seed),
    )
    for runtime in (LITERT, *EXTRAS):
        assert_exact(runtime, Graph(input=source, operators=(vector, linear)), tmp_path, random_pictures(1, 1, seed))


def classes(build: Builder) -> Wire:
    return build.linear(build.reshape(build.mean(build.conv(build.input, 12, 3))))


def test_the_reference_is_the_integer_model() -> None:
    assert_modelled(int8(classes), random_pictures(16, 16))


def rows(build: Builder) -> Wire:
    """Pixels as rows of 12 numbers, and a layer on each."""
    return build.linear(build.rearrange(build.conv(build.input, 12, 3), (12, 256), (1, 0), (256, 12)), 7)


def test_the_reference_is_the_integer_model_on_rows() -> None:
    assert_modelled(int8(rows), random_pictures(16, 16))


@pytest.mark.parametrize("recipe", [classes, rows])
@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_every_runtime_is_exact_in_int8_and_near_in_float32(runtime: Any, recipe: Recipe, tmp_path: Path) -> None:
    assert_exact(runtime, int8(recipe), tmp_path)
    assert_near_float(runtime, float32(recipe), tmp_path)


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_rows_that_others_read_as_real_values_have_names_of_their_own(runtime: Any, tmp_path: Path) -> None:
    def joined(build: Builder) -> Wire:
        one = rows(build)
        return build.mul(build.linear(one, 7), one)

    assert_exact(runtime, int8(joined), tmp_path)
