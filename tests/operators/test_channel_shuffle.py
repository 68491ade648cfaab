"""ChannelShuffle: every runtime gives the reference's codes, in the order of ShuffleNet's paper."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.graph.operators import (
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Graph,
)
from mobile_sdk.graph.reference import Reference
from tests.support.graph_builder import Builder, Wire
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.random_cases import (
    SEEDS,
    grid,
    picture,
    random_pictures,
    tensor,
)
from tests.support.operators.runtimes import (
    EXTRAS,
    LITERT,
    RUNTIMES,
    assert_exact,
    assert_near_float,
    float32,
    int8,
)


@settings(max_examples=10)
@given(groups=st.sampled_from([1, 2, 3]), rows=st.integers(1, 3), size=st.integers(1, 5), seed=SEEDS)
def test_any_shuffle_of_any_slice_is_exact(tmp_path, groups, rows, size, seed):
    source = picture(size, size)
    repeated = Concat(output=tensor((12, size, size), grid(1 / 128), "repeated"), path="net.cat", parts=(source,) * 4)
    first, count = seed % (12 - groups * rows + 1), groups * rows
    part = tensor((count, size, size), grid(1 / 128), "part")
    taken = ChannelSlice(output=part, path="net.slice", input=repeated.output, start=first, stop=first + count)
    shuffled = ChannelShuffle(output=replace(part, name="result"), path="net.shuffle", input=part, groups=groups)
    graph = Graph(input=source, operators=(repeated, taken, shuffled))
    images = random_pictures(size, size, seed)
    for runtime in (LITERT, *EXTRAS):
        assert_exact(runtime, graph, tmp_path, images)
    whole = np.concatenate([images.transpose(0, 3, 1, 2).astype(np.int32) - 128] * 4, axis=1)
    turned = whole[:, first : first + count].reshape(2, groups, rows, size, size).swapaxes(1, 2)
    expected = turned.reshape(2, count, size, size).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(Reference(graph).run(images), expected)


def shuffled(build: Builder) -> Wire:
    return build.shuffle(build.conv(build.input, 12, 3), 3)


def test_the_reference_is_the_integer_model() -> None:
    assert_modelled(int8(shuffled), random_pictures(16, 16))


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_every_runtime_is_exact_in_int8_and_near_in_float32(runtime: Any, tmp_path: Path) -> None:
    assert_exact(runtime, int8(shuffled), tmp_path)
    assert_near_float(runtime, float32(shuffled), tmp_path)
