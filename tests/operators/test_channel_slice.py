"""ChannelSlice: every runtime gives the codes, and the float32 values, of the channels that are asked for."""

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


@pytest.mark.parametrize("name", SLICES)
def test_the_reference_is_the_integer_model(name: str) -> None:
    assert_modelled(int8(sliced(name)), random_pictures(16, 16))


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("name", SLICES)
def test_every_runtime_is_exact_in_int8_and_near_in_float32(name: str, runtime: Any, tmp_path: Path) -> None:
    assert_exact(runtime, int8(sliced(name)), tmp_path)
    assert_near_float(runtime, float32(sliced(name)), tmp_path)
