"""AvgPool2d: in float32 only, without padding, it is the float reference's in every runtime."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mobile_sdk.graph.operators import AvgPool2d, Graph
from tests.support.graphs import float_graph
from tests.support.operators.runtimes import RUNTIMES, assert_near_float


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("window", [(2, 2), (4, 2)], ids=["square", "oblong"])
def test_average_pooling_runs_in_float(window: tuple[int, int], runtime: Any, tmp_path: Path) -> None:
    graph = float_graph("conv chain")
    source = graph.operators[1].output
    channels, *size = source.shape
    shape = (channels, *(length // side for length, side in zip(size, window, strict=True)))
    output = replace(source, name="pooled", shape=shape)
    geometry = {"kernel": window, "stride": window, "padding": (0, 0, 0, 0)}
    pool = AvgPool2d(input=source, output=output, path="net.pool", **geometry)
    assert_near_float(runtime, Graph(input=graph.input, operators=(*graph.operators[:2], pool)), tmp_path)
