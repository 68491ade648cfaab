"""Concat: every runtime gives the reference's codes, for any number of parts."""

from pathlib import Path
from typing import Any

import pytest

from mobile_sdk.graph.operators import (
    Concat,
    Graph,
)
from tests.support.graph_builder import Builder, Wire
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.random_cases import (
    grid,
    picture,
    random_pictures,
    tensor,
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


@pytest.mark.parametrize("parts", [2, 3, 4, 5, 6, 9])
def test_any_number_of_parts_is_concatenated_exactly(tmp_path, parts):
    build = Builder(int8=True, seed=parts)
    x = build.conv(build.input, 4, activation="relu6")
    wires = [build.conv(x, 1 + index, activation="relu6") for index in range(parts)]
    build.concat(*wires)
    for runtime in (LITERT, *EXTRAS):
        assert_exact(runtime, build.graph(), tmp_path)


def test_one_tensor_may_be_concatenated_with_itself(tmp_path):
    source = picture(5, 5)
    joined = Concat(output=tensor((6, 5, 5), grid(1 / 128)), path="net.cat", parts=(source, source))
    for runtime in (LITERT, *EXTRAS):
        assert_exact(runtime, Graph(input=source, operators=(joined,)), tmp_path)


def joined(build: Builder) -> Wire:
    return build.concat(*(build.conv(build.input, count, 3, activation="relu6") for count in (2, 3, 4, 5, 6, 7)))


def test_the_reference_is_the_integer_model() -> None:
    assert_modelled(int8(joined), random_pictures(16, 16))


def tokens(build: Builder) -> Wire:
    return build.rearrange(build.conv(build.input, 4, 3, stride=2), (4, 64), (1, 0), (64, 4))


ALONG: dict[str, Recipe] = {
    "rows": lambda build: build.concat(*[build.conv(build.input, 3, 3, activation="relu6")] * 2, axis=1),
    "columns of seven": lambda build: build.concat(
        *(build.conv(build.input, 3, 3, activation="relu6") for _ in range(7)), axis=2
    ),
    "tokens": lambda build: build.concat(*[tokens(build)] * 2, axis=0),
    "channels of tokens": lambda build: build.concat(*[tokens(build)] * 6, axis=1),
}


@pytest.mark.parametrize("name", ALONG)
def test_a_concatenation_along_another_axis_is_the_integer_model(name: str) -> None:
    assert_modelled(int8(ALONG[name]), random_pictures(16, 16))


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("name", ALONG)
def test_another_axis_is_exact_in_int8_and_near_in_float32(name: str, runtime: Any, tmp_path: Path) -> None:
    assert_exact(runtime, int8(ALONG[name]), tmp_path)
    assert_near_float(runtime, float32(ALONG[name]), tmp_path)


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_every_runtime_is_exact_in_int8_and_near_in_float32(runtime: Any, tmp_path: Path) -> None:
    assert_exact(runtime, int8(joined), tmp_path)
    assert_near_float(runtime, float32(joined), tmp_path)
