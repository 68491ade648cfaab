"""Rearrange: every runtime moves the codes as the integer model does, for any reshape and transposition."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.graph.operators import Graph, Rearrange
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from mobile_sdk.program.viewed_program import load_with_view
from tests.support.graph_builder import Builder, Wire
from tests.support.operators.emulated_arm import differing
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.one_operator import contract_for
from tests.support.operators.random_cases import SEEDS, grid, picture, random_pictures
from tests.support.operators.reference_cases import one
from tests.support.operators.runtimes import (
    GIVING_CODES,
    LITERT,
    RUNTIMES,
    Recipe,
    assert_exact,
    assert_near_float,
    float32,
    int8,
)
from tests.support.program_files import RECORD

Move = tuple[Sequence[int], Sequence[int], Sequence[int]]
"""It holds the split, the order of its axes, and the output's shape."""

MOVES: dict[str, Move] = {  # of a map (12, 4, 8)
    "tokens": ((12, 32), (1, 0), (32, 12)),
    "rows of channels": ((12, 32), (0, 1), (12, 32)),
    "a flattened map": ((384,), (0,), (384,)),
    "pixel shuffle": ((3, 2, 2, 4, 8), (0, 3, 1, 4, 2), (3, 8, 16)),
    "pixel unshuffle": ((12, 2, 2, 4, 2), (0, 2, 4, 1, 3), (48, 2, 4)),
    "windows of tokens": ((12, 2, 2, 4, 2), (1, 3, 2, 4, 0), (32, 12)),
    "patches as a tensor of four axes": ((12, 2, 2, 4, 2), (2, 4, 1, 3, 0), (4, 2, 4, 12)),
    "a map whose axes do not divide": ((384,), (0,), (32, 6, 2)),
    "heads of rows": ((3, 4, 32), (0, 2, 1), (3, 32, 4)),
    "a turned map": ((12, 4, 8), (0, 2, 1), (12, 8, 4)),
    "nothing": ((12, 4, 8), (0, 1, 2), (12, 4, 8)),
    "six axes in another order": ((3, 4, 2, 2, 2, 4), (5, 2, 0, 4, 1, 3), (8, 48)),
    "seven axes in another order": ((3, 2, 2, 2, 2, 2, 4), (6, 2, 0, 4, 1, 5, 3), (384,)),
}

OTHER_ORDERS = {"pixel shuffle": (0, 3, 2, 4, 1), "six axes in another order": (5, 2, 0, 4, 3, 1)}


def moved(name: str) -> Recipe:
    def recipe(build: Builder) -> Wire:
        x = build.conv(build.input, 12, 3, stride=2)  # (12, 8, 8)
        return build.rearrange(build.channels(x, 2, 6, axis=1), *MOVES[name])

    return recipe


@pytest.mark.parametrize("name", MOVES)
def test_the_reference_is_the_integer_model(name: str) -> None:
    assert_modelled(int8(moved(name)), random_pictures(16, 16))


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("name", MOVES)
def test_every_runtime_is_exact_in_int8_and_near_in_float32(name: str, runtime: Any, tmp_path: Path) -> None:
    assert_exact(runtime, int8(moved(name)), tmp_path)
    assert_near_float(runtime, float32(moved(name)), tmp_path)


def random_rearrangement(factors: Sequence[int], seed: int) -> Graph:
    """A picture, each of whose sides has these factors, as a tensor of one to five axes."""
    random = np.random.default_rng(seed)
    side = prod(factors)
    source = picture(side, side, grid(1 / 128, 5))
    split = _merged([3, *factors, *factors], random)
    shape = _merged(random.permutation([3, *factors, *factors]).tolist(), random)
    order = random.permutation(len(split)).tolist()
    return one(Rearrange, tuple(shape), grid(1 / 128, 5), source, input=source, split=tuple(split), order=tuple(order))


def _merged(sizes: Sequence[int], random: np.random.Generator) -> list[int]:
    """Returns the sizes, of which neighbours are multiplied until five at most are left."""
    left = list(sizes)
    while len(left) > 5 or (len(left) > 1 and random.random() < 0.5):
        at = int(random.integers(len(left) - 1))
        left[at : at + 2] = [left[at] * left[at + 1]]
    return left


@settings(max_examples=25)
@given(factors=st.sampled_from([(2, 5), (3, 3), (2, 2, 2), (2, 2, 3)]), seed=SEEDS)
def test_any_rearrangement_of_a_picture_is_exact_in_litert_executorch_and_onnx(tmp_path, factors, seed):
    graph = random_rearrangement(factors, seed)
    _, height, width = graph.input.shape
    images = random_pictures(height, width, seed)
    assert_modelled(graph, images, values=1)
    for runtime in GIVING_CODES:
        assert_exact(runtime, graph, tmp_path, images)


@pytest.mark.parametrize("name", ["pixel shuffle", "windows of tokens", "a map whose axes do not divide"])
def test_arm_and_reference_agree(name, cortex_a76, tmp_path):
    assert differing(int8(moved(name)), random_pictures(16, 16), cortex_a76, tmp_path) == {}


@pytest.mark.parametrize("name", OTHER_ORDERS)
@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_a_file_is_read_back_as_what_was_asked_for_and_not_as_another_rearrangement(runtime, name, tmp_path):
    graph, paths = int8(moved(name)), [tmp_path / each / runtime.model_file for each in ("one", "other")]
    for path in paths:
        path.parent.mkdir()
        runtime.export(graph, contract_for(graph), path)
    assert runtime.differences(paths[0], paths[1], graph) == []
    other = replace(graph, operators=(*graph.operators[:-1], replace(graph.operators[-1], order=OTHER_ORDERS[name])))
    runtime.export(other, contract_for(other), paths[1])
    assert runtime.differences(paths[0], paths[1], graph) != []


def test_what_a_runtime_stores_in_one_order_is_written_as_a_single_reshape(tmp_path):
    recipe: Recipe = lambda build: build.rearrange(  # noqa: E731
        build.conv(build.input, 12, 3), (2, 6, 16, 16), (1, 2, 3, 0), (6, 16, 32)
    )
    assert int8(recipe).operators[-1].stored == ()
    structure = assert_exact(LITERT, int8(recipe), tmp_path)
    assert "TRANSPOSE" not in str(structure)
    assert len(np.unique(Reference(int8(recipe)).run(random_pictures(16, 16)))) > 3


def test_a_program_file_holds_moves_along_any_axis_and_pytorch_computes_them(tmp_path: Path) -> None:
    def recipe(build: Builder) -> Wire:
        tokens = build.rearrange(build.conv(build.input, 12, 3), (12, 256), (1, 0), (256, 12))
        joined = build.concat(build.channels(tokens, 7, 31, axis=0), tokens, axis=0)
        return build.rearrange(build.channels(joined, 2, 6, axis=1), (280, 4), (0, 1), (10, 7, 16))

    graph = int8(recipe)
    program = Program(graph=graph, contract=contract_for(graph), record=RECORD)
    program.save(tmp_path / "program.pt2")
    assert load_with_view(tmp_path / "program.pt2").graph.digest() == graph.digest()
    module = torch.export.load(tmp_path / "program.pt2").module()
    images = random_pictures(16, 16)
    codes = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(torch.int16).sub(128).to(torch.int8)
    found = np.concatenate([module(code[None]).numpy() for code in codes]).transpose(0, 2, 3, 1)
    steps = np.abs(found.astype(int) - Reference(graph).run(images).astype(int))
    assert steps.max() <= 1  # the convolution alone rounds
