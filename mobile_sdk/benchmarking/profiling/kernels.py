"""Finds the operators of a graph that each kernel of a runtime computes.

A profiler names kernels ("Convolution (NHWC, QC8) DWConv #2") in the order of execution, and no layers. XNNPACK fuses
neighbours, as a curve that is one table, and splits others, as a norm that is seven kernels. Both lists have one order,
so that the alignment with the most pairs of one kind is the answer, as in a comparison of two texts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mobile_sdk.graph.operators import Graph, Operator
from mobile_sdk.graph.operators.traits import WorkKind

_TABLE = "Invalid Unary Op"  # XNNPACK's name of a fused table
_UNARY = (_TABLE, "Clamp", "Sigmoid", "Tanh", "GELU", "ELU", "HardSwish", "LeakyReLU", "Abs", "Square", "Exp")
_KERNELS: Mapping[WorkKind, tuple[str, ...]] = {
    WorkKind.CONVOLUTION: ("Convolution", "Fully Connected"),
    WorkKind.TRANSPOSED_CONVOLUTION: ("Deconvolution",),
    WorkKind.LINEAR: ("Fully Connected", "Convolution"),
    WorkKind.SUM: ("Add", "Subtract", *_UNARY),
    WorkKind.PRODUCT: ("Multiply", *_UNARY),
    WorkKind.ACTIVATION: (*_UNARY, "Add", "Multiply", "Maximum", "Minimum"),
    WorkKind.MEAN: ("Mean", "Sum"),
    WorkKind.POOLING: ("Max Pooling", "Average Pooling", "Constant Pad", "Mean"),
    WorkKind.CONCATENATION: ("Copy", "Concat"),
    WorkKind.SLICE: ("Slice", "Copy", "Split"),
    WorkKind.SHUFFLE: ("Transpose", "Copy", "Static Reshape"),
    WorkKind.RESIZE: ("Resize",),
    WorkKind.ROWS: ("Slice", "Copy", "Concat"),
    WorkKind.CONVERSION: ("Convert", *_UNARY),
    WorkKind.BOXES: ("Add", "Multiply", "Slice", "Copy", *_UNARY),
    WorkKind.MATRIX_PRODUCT: ("Batch Matrix Multiply",),
    WorkKind.SOFTMAX: ("Softmax",),
    WorkKind.NORMALIZATION: ("Mean", "Subtract", "Multiply", "Add", "Square", "Reciprocal Square Root", "Normalize"),
    WorkKind.NONE: ("Static Reshape", "Copy"),
}
_SAME = 0.5  # a kernel beside another of its operator, or the other way round, counts less than a pair of two new ones


@dataclass(frozen=True, kw_only=True)
class _Step:
    """Names a way to a place in the alignment: how many operators and kernels it takes, and whether they are a pair."""

    operators: int
    kernels: int
    is_pair: bool


_STEPS = (
    _Step(operators=1, kernels=1, is_pair=True),
    _Step(operators=1, kernels=0, is_pair=True),  # one more operator of the kernel before
    _Step(operators=0, kernels=1, is_pair=True),  # one more kernel of the operator before
    _Step(operators=1, kernels=0, is_pair=False),
    _Step(operators=0, kernels=1, is_pair=False),
)


def operators_of(kernels: Sequence[str], graph: Graph) -> list[tuple[Operator, ...]]:
    """Returns for each kernel, by its name in the runtime, the operators that it computes; may be none."""
    fits = np.array([[_fits(operator, name) for name in kernels] for operator in graph.operators], bool)
    best = np.zeros((len(graph.operators) + 1, len(kernels) + 1))
    taken = np.full(best.shape, -1)
    for row, column in np.ndindex(best.shape):
        if row or column:
            best[row, column], taken[row, column] = max(_ways(best, taken, fits, row, column), key=lambda way: way[0])
    found: list[list[Operator]] = [[] for _ in kernels]
    row, column = len(graph.operators), len(kernels)
    while row or column:
        step = _STEPS[taken[row, column]]
        if step.is_pair:
            found[column - 1].insert(0, graph.operators[row - 1])
        row, column = row - step.operators, column - step.kernels
    return [tuple(each) for each in found]


def _ways(
    best: "np.ndarray[tuple[int, int], np.dtype[np.float64]]",
    taken: "np.ndarray[tuple[int, int], np.dtype[np.int64]]",
    fits: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]",
    row: int,
    column: int,
) -> list[tuple[float, int]]:
    """Returns the value and the number of every step that can end here."""
    ways = []
    for index, step in enumerate(_STEPS):
        before = (row - step.operators, column - step.kernels)
        if min(before) < 0:
            continue
        if not step.is_pair:
            ways.append((best[before], index))
            continue
        is_new = step.operators and step.kernels
        continues = is_new or (min(row, column) > 0 and taken[before] >= 0 and _STEPS[taken[before]].is_pair)
        if continues and row and column and fits[row - 1, column - 1]:
            ways.append((best[before] + (1.0 if is_new else _SAME), index))
    return ways


def _fits(operator: Operator, kernel: str) -> bool:
    return kernel.startswith(_KERNELS[operator.traits.work])
