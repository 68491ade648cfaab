"""Rows: a strip has the codes of its rows of the map, in every runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk.graph.operators import Graph, Rows
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
@pytest.mark.parametrize("strip", STARTS, ids=["top", "middle", "bottom"])
def test_a_strip_has_the_codes_of_its_rows(strip: tuple[int, int], runtime: Any, tmp_path: Path) -> None:
    graph = Graph(input=PICTURE, operators=(rows(*strip),))
    np.testing.assert_array_equal(Reference(graph).run(IMAGES), IMAGES[:, slice(*strip)].astype(int) - 128)
    assert_exact(runtime, graph, tmp_path, IMAGES)
