"""What the runtimes hold and accept: every graph is held against it before a file of it is written.

XNNPACK adds products in int32, which wraps without a word, and refuses a scale beyond its own bounds only when a phone
loads the file: LiteRT then ends the process or computes that operator by kernels that round otherwise. A program that
this SDK froze keeps to all of it; one that was made elsewhere is refused here by name.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from mobile_sdk.errors import CompileError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import (
    INT8_MAX,
    INT8_MIN,
    INT32_MAX,
    Add,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2d,
    Graph,
    JoinRows,
    Linear,
    MaxPool2d,
    Mean,
    Mul,
    Operator,
    Reshape,
    ResizeBilinear,
    Rows,
)

SCALE_RANGE = (2.0**-126, 2.0**126)  # a float32 with all its bits, and so is its inverse
_HINT = "quantize the net with this SDK, which keeps to that"
_ON_ONE_GRID = (MaxPool2d, Concat, ChannelSlice, ChannelShuffle, ResizeBilinear, Rows, JoinRows, Reshape)
_LOOKED_AT = (Conv2d, Linear, Add, Mul, Mean, *_ON_ONE_GRID)


def check_graph(graph: Graph) -> None:
    """Raises CompileError, with a module path, for the first operator that a runtime would refuse or compute wrongly.

    float32 operators are not looked at.
    """
    check_sums(graph)
    for operator in graph.operators:
        if operator.output.quantization is None or not isinstance(operator, _LOOKED_AT):
            continue
        if operator.inputs[0].quantization is None:
            continue
        for expected, (low, high), found in _bounded(operator):
            outside = [each for each in found if not low <= each < high]
            if outside:
                raise _refusal(operator, f"{expected} in [{low:g}, {high:g})", f"{outside[0]:g}")


def check_sums(graph: Graph) -> None:
    """Raises CompileError where a picture may exist that takes a sum of an int8 operator out of int32."""
    for operator in graph.operators:
        if operator.output.quantization is None:
            continue
        least, greatest = _sums(operator)
        if least < -INT32_MAX - 1 or greatest > INT32_MAX:
            raise _refusal(operator, "sums that int32 holds", f"{least:,} to {greatest:,}")


def _sums(operator: Operator) -> tuple[int, int]:
    """The least and the greatest sum inside the operator that a runtime holds in int32; see `add_factors` for Add."""
    match operator:
        case Conv2d() | Linear():
            grid = arithmetic.quantization_of(operator.input)
            least, greatest = arithmetic.sum_ranges(operator.weight, operator.bias, grid)
            return int(least.min()), int(greatest.max())
        case Mean(input=input):
            _, height, width = input.shape
            return height * width * INT8_MIN, height * width * INT8_MAX  # uncentred
        case _:
            return 0, 0


_Bounded = tuple[str, tuple[float, float], Iterable[float]]
"""What is bounded, by what, and the numbers that it has."""


def _bounded(operator: Operator) -> Iterator[_Bounded]:
    grids = [arithmetic.quantization_of(each) for each in (*operator.inputs, operator.output)]
    *inputs, output = grids
    yield "scales", SCALE_RANGE, [grid.scale for grid in grids]
    match operator:
        case Conv2d(weight_scales=scales) | Linear(weight_scales=scales):
            assert scales is not None
            codes = (int(operator.weight.min()), int(operator.weight.max()))
            yield "weights", (-INT8_MAX, INT8_MAX + 1), codes  # Arm's kernels add two products in int16
            yield "scales of weights", SCALE_RANGE, scales
            yield "s_x * s_w", SCALE_RANGE, arithmetic.bias_scales(inputs[0], scales)
            factors = arithmetic.requantization(inputs[0], scales, output)
            yield "s_x * s_w / s_y", arithmetic.REQUANTIZATION_RANGE, factors
        case Add():
            ratios = [float(np.float32(grid.scale) / np.float32(output.scale)) for grid in inputs]
            yield "scales of a sum over its own", arithmetic.ADD_RATIO_RANGE, ratios
        case Mul():
            factor = float(arithmetic.product_factor(inputs[0], inputs[1], output))
            yield "s_a * s_b / s_y", arithmetic.PRODUCT_RATIO_RANGE, [factor]
        case _ if isinstance(operator, _ON_ONE_GRID):
            yield "input scales of 1 output scale", (1, 1 + 2.0**-23), [x.scale / output.scale for x in inputs]


def _refusal(operator: Operator, expected: str, found: str) -> CompileError:
    return CompileError(f"expected {expected} at {operator.path}, found {found}", hint=_HINT)
