"""Converts scores to steps of their int8 grid, the unit in which two runtimes' outputs are compared."""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.operators import Graph, Quantization
from mobile_sdk.graph.outputs import separated

_SNAP_STEPS = 1e-3  # a float32 score so near to a whole step is rounded to it: dequantizing rounds by some 1e-5 steps


def in_steps(scores: NDArray[np.generic], graph: Graph) -> NDArray[np.float64]:
    """Returns scores in steps of the output scale, counted from the zero point; a float32 graph's scores unchanged.

    A float32 score of an int8 graph (Core ML) within 1e-3 of a whole step is rounded to it; any other stays. Several
    outputs, each in steps of its own, come in one row a picture.
    """
    parts = separated(scores)
    if len(parts) == 1:
        return _in_steps(scores, graph.output.quantization)
    converted = (_in_steps(part, output.quantization) for part, output in zip(parts, graph.outputs, strict=True))
    return np.concatenate([part.reshape(len(scores), -1) for part in converted], axis=1)


def real_values(scores: NDArray[np.generic], graph: Graph) -> tuple[NDArray[np.float64], ...]:
    """Returns the real values (pictures, …) of each output, in the graph's order."""
    found = []
    for part, output in zip(separated(scores), graph.outputs, strict=True):
        steps = _in_steps(part, output.quantization)
        found.append(steps if output.quantization is None else steps * output.quantization.scale)
    return tuple(found)


def _in_steps(scores: NDArray[np.generic], grid: Quantization | None) -> NDArray[np.float64]:
    values = scores.astype(np.float64)
    if grid is None:
        return values
    if np.issubdtype(scores.dtype, np.integer):
        return values - grid.zero_point
    steps = values / grid.scale
    with np.errstate(invalid="ignore"):
        whole = np.rint(steps)
        return np.where(np.abs(steps - whole) < _SNAP_STEPS, whole, steps)
