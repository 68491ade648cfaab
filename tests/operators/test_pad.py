"""Pad: every runtime puts zeros around the codes, and around the float32 values, along any axis."""

from pathlib import Path
from typing import Any

import pytest

from mobile_sdk.errors import BundleError
from mobile_sdk.graph.checks.shape_check import check_shapes
from mobile_sdk.graph.operators import Pad
from tests.support.graph_builder import Builder, Wire
from tests.support.operators.emulated_arm import differing
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.one_operator import contract_for
from tests.support.operators.random_cases import grid, picture, random_pictures
from tests.support.operators.reference_cases import one
from tests.support.operators.runtimes import RUNTIMES, Recipe, assert_exact, assert_near_float, float32, int8

Sides = tuple[tuple[int, ...], tuple[int, ...]]
AMOUNTS: dict[str, Sides] = {
    "rows and columns": ((0, 1, 2), (0, 3, 0)),
    "channels": ((0, 0, 0), (5, 0, 0)),
    "channels on both sides, and a row": ((2, 1, 0), (1, 0, 0)),
    "nothing": ((0, 0, 0), (0, 0, 0)),
}
ABOVE: Sides = ((0, 1, 0), (0, 0, 0))
BELOW: Sides = ((0, 0, 0), (0, 1, 0))


def padded(sides: Sides) -> Recipe:
    return lambda build: build.pad(build.conv(build.input, 4, 3, stride=2), *sides)


def rows(build: Builder) -> Wire:
    tokens = build.rearrange(build.conv(build.input, 4, 3, stride=2), (4, 64), (1, 0), (64, 4))
    return build.pad(tokens, (1, 0), (2, 3))


RECIPES = {name: padded(sides) for name, sides in AMOUNTS.items()} | {"rows of tokens": rows}


@pytest.mark.parametrize("name", RECIPES)
def test_the_reference_is_the_integer_model(name: str) -> None:
    assert_modelled(int8(RECIPES[name]), random_pictures(16, 16))


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("name", RECIPES)
def test_every_runtime_is_exact_in_int8_and_near_in_float32(name: str, runtime: Any, tmp_path: Path) -> None:
    assert_exact(runtime, int8(RECIPES[name]), tmp_path)
    assert_near_float(runtime, float32(RECIPES[name]), tmp_path)


@pytest.mark.parametrize("name", ["rows and columns", "channels"])
def test_arm_and_reference_agree(name, cortex_a76, tmp_path):
    assert differing(int8(RECIPES[name]), random_pictures(16, 16), cortex_a76, tmp_path) == {}


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_a_file_is_read_back_as_what_was_asked_for_and_not_as_another_side(runtime, tmp_path):
    above, below = int8(padded(ABOVE)), int8(padded(BELOW))
    paths = [tmp_path / each / runtime.model_file for each in ("one", "same", "other")]
    for path, graph in zip(paths, (above, above, below), strict=True):
        path.parent.mkdir()
        runtime.export(graph, contract_for(graph), path)
    assert runtime.differences(paths[0], paths[1], above) == []
    assert runtime.differences(paths[0], paths[2], above) != []


def test_a_file_whose_padding_has_other_axes_than_its_tensor_is_refused():
    source = picture(8, 8)
    graph = one(Pad, (3, 9, 8), grid(1 / 128), source, input=source, before=(0, 1), after=(0, 0))
    with pytest.raises(BundleError, match="zeros along 3 axes"):
        check_shapes(graph)
