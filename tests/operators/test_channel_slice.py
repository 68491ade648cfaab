"""ChannelSlice: every runtime gives the codes, and the float32 values, of the positions that are asked for."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.graph_builder import Builder, Wire
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.random_cases import random_pictures
from tests.support.operators.runtimes import RUNTIMES, Recipe, assert_exact, assert_near_float, float32, int8

SLICES: dict[str, tuple[int, int]] = {"the first": (0, 2), "the last": (9, 12), "the middle": (3, 8)}


def sliced(name: str) -> Recipe:
    def recipe(build: Builder) -> Wire:
        return build.channels(build.conv(build.input, 12, 3, stride=2), *SLICES[name])

    return recipe


def of_rows(build: Builder) -> Wire:
    return build.channels(build.conv(build.input, 12, 3, stride=2), 2, 7, axis=1)


def of_columns(build: Builder) -> Wire:
    return build.channels(build.conv(build.input, 12, 3, stride=2), 1, 4, axis=2)


def tokens(build: Builder) -> Wire:
    return build.rearrange(build.conv(build.input, 12, 3, stride=2), (12, 64), (1, 0), (64, 12))


RECIPES: dict[str, Recipe] = {
    **{name: sliced(name) for name in SLICES},
    "rows": of_rows,
    "columns": of_columns,
    "tokens": lambda build: build.channels(tokens(build), 5, 64, axis=0),
    "channels of tokens": lambda build: build.channels(tokens(build), 3, 9, axis=1),
    "an axis of four": lambda build: build.channels(
        build.rearrange(tokens(build), (64, 3, 4), (0, 1, 2), (8, 8, 3, 4)), 1, 3, axis=2
    ),
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_reference_is_the_integer_model(name: str) -> None:
    assert_modelled(int8(RECIPES[name]), random_pictures(16, 16))


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("name", RECIPES)
def test_every_runtime_is_exact_in_int8_and_near_in_float32(name: str, runtime: Any, tmp_path: Path) -> None:
    assert_exact(runtime, int8(RECIPES[name]), tmp_path)
    assert_near_float(runtime, float32(RECIPES[name]), tmp_path)
