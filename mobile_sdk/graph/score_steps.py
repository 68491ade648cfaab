"""Scores in steps of their int8 grid: what two runtimes' outputs are compared in."""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.operators import Graph

_SNAP_STEPS = 1e-3  # a float32 score this near to a whole step is that step: dequantizing rounds by some 1e-5 steps


def in_steps(scores: NDArray[np.generic], graph: Graph) -> NDArray[np.float64]:
    """Scores in steps of the output scale, counted from the zero point; a float32 graph's scores as they are.

    A float32 score of an int8 graph (Core ML) counts as the whole step that it stands for, where it stands for one.
    """
    values = scores.astype(np.float64)
    grid = graph.output.quantization
    if grid is None:
        return values
    if np.issubdtype(scores.dtype, np.integer):
        return values - grid.zero_point
    steps = values / grid.scale
    with np.errstate(invalid="ignore"):
        whole = np.rint(steps)
        return np.where(np.abs(steps - whole) < _SNAP_STEPS, whole, steps)
