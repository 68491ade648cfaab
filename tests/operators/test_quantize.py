"""Quantize: a value becomes the nearest code, ties to even; a Dequantize before it gives the values."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk.graph.operators import Dequantize, Graph, Quantize, Tensor
from mobile_sdk.graph.reference import Reference
from tests.support.operators.random_cases import grid, picture, tensor
from tests.support.operators.runtimes import RUNTIMES, assert_exact

CODES = np.arange(768).astype(np.uint8).reshape(1, 16, 16, 3)  # every code occurs
PICTURE = picture(16, 16)
VALUES = Tensor(name="values", shape=PICTURE.shape, quantization=None)
VALUE_OF = Dequantize(output=VALUES, path="net.dequantize", input=PICTURE)


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("scale", [1 / 128, 1 / 64, 0.013], ids=["of the picture", "with ties", "of its own"])
def test_a_value_becomes_the_nearest_code(scale: float, runtime: Any, tmp_path: Path) -> None:
    code_of = Quantize(output=tensor(PICTURE.shape, grid(scale, -7)), path="net.quantize", input=VALUES)
    graph = Graph(input=PICTURE, operators=(VALUE_OF, code_of))
    assert len(np.unique(Reference(graph).run(CODES))) > 60
    assert_exact(runtime, graph, tmp_path, CODES)
