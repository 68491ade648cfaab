"""Writes sums, differences, products, activations and functions of one number."""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.code_tables import code_table, square_table
from mobile_sdk.graph.operators import (
    INT8_MIN,
    Activation,
    ActivationKind,
    Add,
    Constant,
    Mul,
    Sub,
    Tensor,
    UnaryFunction,
)
from mobile_sdk.graph.settled_sums import is_settled_sum
from mobile_sdk.runtimes.coreai.functions import FUNCTIONS
from mobile_sdk.runtimes.coreai.operators.table import float32, int8
from mobile_sdk.runtimes.coreai.program import Operand
from mobile_sdk.runtimes.coreai.requantization import requantized
from mobile_sdk.runtimes.coreai.writer import INT8, INT32, CoreAIWriter
from mobile_sdk.runtimes.exact_sums import is_square, line_of_constant


@int8.of(Add, Sub)
def _add(operator: Add | Sub, file: CoreAIWriter) -> None:
    """Adds a constant by a line that is proved for all 256 codes, and two tensors as real values if that is settled.

    Else it computes the rule itself, in int32.
    """
    grid = arithmetic.quantization_of(operator.output)
    line = line_of_constant(operator) if isinstance(operator.b, Constant) else None
    if line is not None:
        steps = file.scaled(operator.a, float(line.factor), float(line.offset))
        code = file.clamped(file.quantize(steps, 1.0, grid.zero_point), grid, operator.clamp)
    elif isinstance(operator.b, Tensor) and is_settled_sum(operator):
        total = file.binary(_kind(operator), file.real(operator.a), file.real(operator.b))
        code = file.clamped(file.quantize(total, grid.scale, grid.zero_point), grid, operator.clamp)
    else:
        code = _whole_sum(operator, file)
    file.give(operator.output, code)


def _whole_sum(operator: Add | Sub, file: CoreAIWriter) -> Operand:
    """Writes `(a * M_a + b * M_b + rest) >> k`; all zero points are in the rest, and nothing passes 2^31."""
    *factors, shift = arithmetic.sum_factors(operator)
    rest, terms = 1 << (shift - 1), []
    for operand, factor in zip((operator.a, operator.b), factors, strict=True):
        rest -= arithmetic.quantization_of(operand).zero_point * factor
        if isinstance(operand, Constant):
            rest += int(operand.value) * factor
        else:
            terms.append(file.binary("mul", file.integers(operand), np.array(factor, np.int32), INT32))
    total = terms[0] if len(terms) == 1 else file.binary("add", terms[0], terms[1], INT32)
    shifted = file.binary("add", total, np.array(rest, np.int32), INT32)
    steps = file.binary("floor_divide", shifted, np.array(1 << shift, np.int32), INT32)
    grid = arithmetic.quantization_of(operator.output)
    low, high = arithmetic.clamp_range(grid, operator.clamp)
    code = file.binary("add", steps, np.array(grid.zero_point, np.int32), INT32) if grid.zero_point else steps
    code = file.binary("maximum", code, np.array(low + grid.zero_point, np.int32), INT32)
    code = file.binary("minimum", code, np.array(high + grid.zero_point, np.int32), INT32)
    return file.cast(code, INT8)


@int8.of(Mul)
def _mul(operator: Mul, file: CoreAIWriter) -> None:
    if is_square(operator):
        file.give(operator.output, _looked_up(operator.a, square_table(operator), file))
        return
    a, b, y = (arithmetic.quantization_of(each) for each in (operator.a, operator.b, operator.output))
    if isinstance(operator.b, Constant):
        other: Operand = np.array(operator.b.value - b.zero_point, np.float32)
    else:
        other = file.centred(operator.b)
    product = file.binary("mul", file.centred(operator.a), other)
    factor = np.array(arithmetic.product_factor(a, b, y))
    file.give(operator.output, requantized(file, product, factor, operator.output, operator.clamp))


@int8.of(UnaryFunction)
def _table(operator: UnaryFunction, file: CoreAIWriter) -> None:
    file.give(operator.output, _looked_up(operator.input, code_table(operator), file))


def _looked_up(source: Tensor, table: NDArray[np.int8], file: CoreAIWriter) -> Operand:
    """Writes a look-up in the table of all codes, from -128 on: no runtime's approximation of a function matters."""
    index = file.binary("add", file.integers(source), np.array(-INT8_MIN, np.int32), INT32)
    shape = file.shape(index)
    return file.operation("gather_nd", [table, file.reshape(index, (*shape, 1))], shape, INT8)


@float32.of(Add, Sub, Mul)
def _float_binary(operator: Add | Sub | Mul, file: CoreAIWriter) -> None:
    b = operator.b
    other = file.real(b) if isinstance(b, Tensor) else b.value
    value = file.binary(_kind(operator), file.real(operator.a), other)
    file.give_values(operator, value, held_apart=isinstance(b, Constant))


def _kind(operator: Add | Sub | Mul) -> str:
    return type(operator).__name__.lower()


@float32.of(Activation)
def _activation(operator: Activation, file: CoreAIWriter) -> None:
    x = file.real(operator.input)
    if operator.kind in (ActivationKind.RELU, ActivationKind.RELU6):
        value = file.unary("relu", x)
        if operator.kind is ActivationKind.RELU6:
            value = file.binary("minimum", value, 6.0)
    else:
        shifted = file.unary("relu", file.binary("add", x, arithmetic.HARD_SIGMOID_SHIFT))
        span = arithmetic.HARD_SIGMOID_SPAN
        value = file.binary("divide", file.binary("minimum", shifted, span), span)
        if operator.kind is ActivationKind.HARD_SWISH:
            value = file.binary("mul", x, value)
    file.give(operator.output, value)


@float32.of(UnaryFunction)
def _float_function(operator: UnaryFunction, file: CoreAIWriter) -> None:
    value = FUNCTIONS[operator.function](file, file.real(operator.input), *operator.parameters)
    file.give_values(operator, value)
