"""JoinRows: strips that are put together again are the map, in every runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk.graph.operators import Graph, JoinRows, Rows
from mobile_sdk.graph.reference import Reference
from tests.support.operators.random_cases import grid, picture, random_pictures, tensor
from tests.support.operators.runtimes import RUNTIMES, assert_exact

PICTURE, GRID = picture(16, 16), grid(1 / 128)
IMAGES = random_pictures(16, 16)
STARTS = ((0, 5), (5, 12), (12, 16))


def rows(start: int, stop: int) -> Rows:
    output = tensor((3, stop - start, 16), GRID, f"rows_{start}")
    return Rows(output=output, path=f"net.rows_{start}", input=PICTURE, start=start)


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_strips_that_are_joined_are_the_map(runtime: Any, tmp_path: Path) -> None:
    strips = tuple(rows(*strip) for strip in STARTS)
    joined = JoinRows(output=tensor((3, 16, 16), GRID), path="net.join", parts=tuple(strip.output for strip in strips))
    graph = Graph(input=PICTURE, operators=(*strips, joined))
    np.testing.assert_array_equal(Reference(graph).run(IMAGES), IMAGES.astype(int) - 128)
    assert_exact(runtime, graph, tmp_path, IMAGES)
