"""Float32 operators between conversions: an island in an int8 graph, on the channels of a convolution of a picture."""

from pathlib import Path
from typing import Any

import numpy as np

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Dequantize, Graph, Operator, Quantize, Tensor
from mobile_sdk.graph.reference import Reference
from tests.support.graph_builder import pictures
from tests.support.operators.one_operator import convolution, grid, picture, tensor
from tests.support.operators.runtimes import CORE_ML, computed

CHANNELS, SIDE_PX = 8, 8
MAP = (CHANNELS, SIDE_PX, SIDE_PX)
VALUES, RESULT = (Tensor(name=name, shape=MAP, quantization=None) for name in ("values", "result"))
MOST_STEPS = 1
LARGEST_SHARE = 1e-3  # of codes that differ; 2 of 204,800 did for softmax, 1 and 0 for norms


def island(operator: Operator, scale: float, zero_point: int) -> Graph:
    """A convolution, its values, the operator from VALUES to RESULT, and the result's codes on this grid."""
    source = picture(SIDE_PX)
    codes = tensor("codes", MAP, 1 / 64)
    result = Tensor(name="result_codes", shape=MAP, quantization=grid(scale, zero_point))
    return Graph(
        input=source,
        operators=(
            convolution(source, codes, 1 / 100),
            Dequantize(input=codes, output=VALUES, path="net.values"),
            operator,
            Quantize(input=RESULT, output=result, path="net.codes"),
        ),
    )


def assert_within_a_step(runtime: Any, graph: Graph, folder: Path) -> None:
    """Codes are the reference's, but for a few that lie next to a tie of the output's grid, all in one partition."""
    images = pictures(graph, 32)
    expected = Reference(graph).run(images).astype(np.int64)
    found = computed(runtime, graph, images, folder)
    if runtime is CORE_ML:
        output = arithmetic.quantization_of(graph.output)
        found = np.rint(found / np.float32(output.scale)) + output.zero_point
    steps = np.abs(found - expected)
    assert len(np.unique(expected)) > 60, "the codes say nothing"
    assert steps.max() <= MOST_STEPS
    assert np.count_nonzero(steps) <= LARGEST_SHARE * steps.size
    structure = runtime.structure(folder / runtime.model_file)
    assert (structure.partitions, structure.not_delegated) == (1, ())
