"""Dequantize: a code becomes the value that it stands for, to the bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk.graph.operators import Dequantize, Graph, Tensor
from tests.support.operators.random_cases import picture
from tests.support.operators.runtimes import GIVING_CODES, computed

CODES = np.arange(768).astype(np.uint8).reshape(1, 16, 16, 3)  # every code occurs
PICTURE = picture(16, 16)
VALUES = Tensor(name="values", shape=PICTURE.shape, quantization=None)
VALUE_OF = Dequantize(output=VALUES, path="net.dequantize", input=PICTURE)


@pytest.mark.parametrize("runtime", GIVING_CODES, ids=lambda runtime: runtime.name)
def test_a_code_becomes_its_value_to_the_bit(runtime: Any, tmp_path: Path) -> None:
    """Core ML writes no graph that ends in one: there, the tests of Quantize go through it."""
    graph = Graph(input=PICTURE, operators=(VALUE_OF,))
    found = computed(runtime, graph, CODES, tmp_path)
    np.testing.assert_array_equal(found, (CODES.astype(np.float32) - 128) / 128)
