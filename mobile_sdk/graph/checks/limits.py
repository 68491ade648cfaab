"""Checks every graph against the runtimes' limits before a file of it is written.

XNNPACK adds products in int32, which wraps silently, and refuses a scale beyond its own bounds only when a phone loads
the file: LiteRT then ends the process or computes that operator by kernels that round otherwise. A program that this
SDK froze keeps all limits; one that was made elsewhere is refused here by name.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from mobile_sdk.errors import CompileError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph import operators as ops
from mobile_sdk.graph.code_tables import is_settled
from mobile_sdk.graph.operator_table import OperatorTable

SCALE_RANGE = (2.0**-126, 2.0**126)  # a float32 with all its bits, and its inverse too
_HINT = "quantize the net with this SDK, which keeps to that"


@np.errstate(over="ignore")  # what overflows is refused, as infinity
def check_graph(graph: ops.Graph) -> None:
    """Raises CompileError, with a module path, for the first operator that a runtime would refuse or compute wrongly.

    float32 operators are not checked.
    """
    check_sums(graph)
    for operator in graph.operators:
        if operator.output.quantization is None or None in [x.quantization for x in operator.inputs]:
            continue
        for expected, (low, high), found in _bounded(operator):
            outside = [each for each in found if not low <= each < high]
            if outside:
                raise _refusal(operator, f"{expected} in [{low:g}, {high:g})", f"{outside[0]:g}")


def check_sums(graph: ops.Graph) -> None:
    """Raises CompileError if a picture may exist that takes a sum of an int8 operator out of int32.

    Sums of 4-bit weights have to stay within 28 bits: see `sum_limit`.
    """
    for operator in graph.operators:
        if operator.output.quantization is None:
            continue
        least, greatest = (0, 0) if operator.traits.keeps_grid else _sums[operator](operator)
        limit = ops.sum_limit(operator.weight_bits if isinstance(operator, ops.Weighted) else 8)
        if least < -limit - 1 or greatest > limit:
            holds = "sums that int32 holds" if limit == ops.INT32_MAX else "sums that 28 bits hold beside 4-bit weights"
            raise _refusal(operator, holds, f"{least:,} to {greatest:,}")


_sums: OperatorTable[Callable[[Any], tuple[int, int]]] = OperatorTable("the check of sums in int32")
"""Each entry returns the least and the greatest sum inside an operator that a runtime holds in int32."""


@_sums.of(ops.Conv2d, ops.ConvTranspose2d, ops.Linear)
def _sums_of_products(operator: ops.Weighted) -> tuple[int, int]:
    grid = arithmetic.quantization_of(operator.input)
    least, greatest = arithmetic.sum_ranges(operator.weight, operator.bias, grid)
    return int(least.min()), int(greatest.max())


@_sums.of(ops.Mean)
def _sums_of_a_map(operator: ops.Mean) -> tuple[int, int]:
    _, height, width = operator.input.shape
    return height * width * ops.INT8_MIN, height * width * ops.INT8_MAX  # uncentred


@_sums.of(ops.MatMul)
def _sums_of_two_matrices(operator: ops.MatMul) -> tuple[int, int]:
    most = arithmetic.largest_matrix_sum(operator)
    return -most, most


@_sums.of(ops.Add, ops.ConstantTensor, ops.Sub, ops.Mul, ops.Quantize, ops.UnaryFunction)
def _no_sums(operator: ops.Operator) -> tuple[int, int]:
    """Returns no range: a product of two codes always fits; for sums see `add_factors`."""
    return 0, 0


_Bounded = tuple[str, tuple[float, float], Iterable[float]]
"""It holds the name of a bounded quantity, its bounds, and its numbers."""


def _bounded(operator: ops.Operator) -> Iterator[_Bounded]:
    grids = [arithmetic.quantization_of(each) for each in (*operator.inputs, operator.output)]
    *inputs, output = grids
    yield "scales", SCALE_RANGE, [grid.scale for grid in grids]
    if operator.traits.keeps_grid:
        yield "input scales of 1 output scale", (1, 1 + 2.0**-23), [x.scale / output.scale for x in inputs]
    else:
        yield from _bounds[operator](operator, inputs, output)


_bounds: OperatorTable[Callable[[Any, Sequence[ops.Quantization], ops.Quantization], Iterator[_Bounded]]] = (
    OperatorTable("the check of scales")
)


@_bounds.of(ops.Conv2d, ops.ConvTranspose2d, ops.Linear)
def _bounds_of_products(
    operator: ops.Weighted, inputs: Sequence[ops.Quantization], output: ops.Quantization
) -> Iterator[_Bounded]:
    scales = operator.weight_scales
    assert scales is not None
    codes = (int(operator.weight.min()), int(operator.weight.max()))
    limit = ops.weight_limit(operator.weight_bits)  # of 8 bits, because Arm's kernels add two products in int16
    yield "weights" if operator.weight_bits == 8 else "4-bit weights", (-limit, limit + 1), codes
    yield "scales of weights", SCALE_RANGE, scales
    yield "s_x * s_w", SCALE_RANGE, arithmetic.bias_scales(inputs[0], scales)
    factors = arithmetic.requantization(inputs[0], scales, output)
    yield "s_x * s_w / s_y", arithmetic.REQUANTIZATION_RANGE, factors


@_bounds.of(ops.Add, ops.Sub)
def _bounds_of_a_sum(
    operator: ops.Add | ops.Sub, inputs: Sequence[ops.Quantization], output: ops.Quantization
) -> Iterator[_Bounded]:
    ratios = [float(np.float32(grid.scale) / np.float32(output.scale)) for grid in inputs]
    yield "scales of a sum over its own", arithmetic.ADD_RATIO_RANGE, ratios


@_bounds.of(ops.Mul)
def _bounds_of_a_product(
    operator: ops.Mul, inputs: Sequence[ops.Quantization], output: ops.Quantization
) -> Iterator[_Bounded]:
    factor = float(arithmetic.product_factor(inputs[0], inputs[1], output))
    yield "s_a * s_b / s_y", arithmetic.PRODUCT_RATIO_RANGE, [factor]


@_bounds.of(ops.MatMul)
def _bounds_of_a_matrix_product(
    operator: ops.MatMul, inputs: Sequence[ops.Quantization], output: ops.Quantization
) -> Iterator[_Bounded]:
    yield "zero point of the second matrix", (0, 1), [inputs[1].zero_point]
    factor = float(arithmetic.product_factor(inputs[0], inputs[1], output))
    yield "s_a * s_b / s_y", arithmetic.REQUANTIZATION_RANGE, [factor]


@_bounds.of(ops.Mean, ops.ConstantTensor)
def _no_further_bounds(
    operator: ops.Mean | ops.ConstantTensor, inputs: Sequence[ops.Quantization], output: ops.Quantization
) -> Iterator[_Bounded]:
    """Yields nothing: its scales alone are bounded."""
    yield from ()


@_bounds.of(ops.UnaryFunction)
def _bounds_of_a_table(
    operator: ops.UnaryFunction, inputs: Sequence[ops.Quantization], output: ops.Quantization
) -> Iterator[_Bounded]:
    yield "share of settled tables", (1, 2), [is_settled(operator)]


def _refusal(operator: ops.Operator, expected: str, found: str) -> CompileError:
    return CompileError(f"expected {expected} at {operator.path}, found {found}", hint=_HINT)
