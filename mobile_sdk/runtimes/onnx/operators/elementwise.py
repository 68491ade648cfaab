"""Writes sums, differences, products, activations and functions of one number."""

import math

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.code_tables import code_table, square_table
from mobile_sdk.graph.operators import (
    Activation,
    ActivationKind,
    Add,
    Constant,
    Mul,
    Sub,
    Tensor,
    UnaryFunction,
)
from mobile_sdk.runtimes.onnx.function_chains import CHAINS, INPUT, LAST, LOOKED_UP
from mobile_sdk.runtimes.onnx.kernel_rules import Grids
from mobile_sdk.runtimes.onnx.operators.table import float32, int8
from mobile_sdk.runtimes.onnx.sums import product_grids, sum_grids
from mobile_sdk.runtimes.onnx.writer import FLOAT32, FLOAT64, INT32, OnnxWriter, stored


@int8.of(Add, Sub)
def _add(operator: Add | Sub, file: OnnxWriter) -> None:
    """Adds real values if every kernel gives the reference's codes, or else the reference's whole numbers."""
    if grids := sum_grids(operator):
        operands = _operands(operator, grids, file)
        file.quantize(file.node(type(operator).__name__, operands, ":sum"), operator.output, operator.clamp)
        return
    *factors, shift = arithmetic.sum_factors(operator)
    named = zip(("a", "b"), (operator.a, operator.b), factors, strict=True)
    terms = [_term(name, operand, math.ldexp(factor, -shift), file) for name, operand, factor in named]
    total = file.node("Add", terms, ":total")
    shifted = file.node("Add", [total, file.scalar(":half", 0.5, np.float64)], ":shifted")
    steps = file.node("Cast", [file.node("Floor", [shifted], ":floor")], ":steps", to=FLOAT32)
    file.round(steps, operator.output, operator.clamp)


def _term(name: str, operand: Tensor | Constant, share: float, file: OnnxWriter) -> str:
    """Returns a centred operand times its multiplier, in steps of the output: float64 holds it."""
    if isinstance(operand, Constant):
        centred = operand.value - arithmetic.quantization_of(operand).zero_point
        return file.scalar(f":{name}_term", centred * share, np.float64)
    wide = file.node("Cast", [file.centred(operand)], f":{name}_wide", to=FLOAT64)
    return file.node("Mul", [wide, file.scalar(f":{name}_share", share, np.float64)], f":{name}_term")


@int8.of(Mul)
def _mul(operator: Mul, file: OnnxWriter) -> None:
    """Multiplies real values if every kernel gives the reference's codes, or else whole numbers."""
    a, b, y = (arithmetic.quantization_of(each) for each in (operator.a, operator.b, operator.output))
    if isinstance(operator.b, Tensor) and operator.a.name == operator.b.name:
        _look_up(operator.a, operator, square_table(operator), file)
        return
    if grids := product_grids(operator):
        operands = _operands(operator, grids, file)
        file.quantize(file.node("Mul", operands, ":product"), operator.output, operator.clamp)
        return
    if isinstance(operator.b, Constant):
        other = file.scalar(":constant", operator.b.value - b.zero_point)
    else:
        other = file.centred(operator.b)
    product = file.node("Mul", [file.centred(operator.a), other], ":product")
    factor = file.scalar(":factor", float(arithmetic.product_factor(a, b, y)))
    file.round(file.node("Mul", [product, factor], ":steps"), operator.output, operator.clamp)


@int8.of(UnaryFunction)
def _table(operator: UnaryFunction, file: OnnxWriter) -> None:
    """Writes a function that ONNX Runtime looks up as it is, as its codes are settled; else the table of its codes."""
    if operator.function in LOOKED_UP:
        file.quantize(_function(operator, file, file.real(operator.input), ":value"), operator.output)
    else:
        _look_up(operator.input, operator, code_table(operator), file)


def _look_up(source: Tensor, operator: Mul | UnaryFunction, table: NDArray[np.int8], file: OnnxWriter) -> None:
    """Writes the table of all codes, from -128 on, as they are stored."""
    index = file.node("Cast", [file.name(source)], ":index", to=INT32)
    codes = file.constant(":table", stored(table))
    file.node("Gather", [codes, index], file.name(operator.output), axis=0)


def _operands(operator: Add | Sub | Mul, grids: Grids, file: OnnxWriter) -> list[str]:
    """Returns both operands' real values, on these grids."""
    found = []
    for name, operand, grid in zip(("a", "b"), (operator.a, operator.b), grids, strict=True):
        if isinstance(operand, Constant):
            code = file.constant(":constant", stored(int(operand.value)))
            found.append(file.dequantized(code, f":{name}", grid))
        elif operand.quantization == grid:
            found.append(file.real(operand))
        else:
            found.append(file.dequantized(file.name(operand), f":{name}", grid))
    return found


@float32.of(Add, Sub, Mul)
def _float_binary(operator: Add | Sub | Mul, file: OnnxWriter) -> None:
    b = operator.b
    operands = [file.real(operator.a), file.real(b) if isinstance(b, Tensor) else file.scalar(":constant", b.value)]
    file.give(operator, lambda name: file.node(type(operator).__name__, operands, name))


@float32.of(Activation)
def _activation(operator: Activation, file: OnnxWriter) -> None:
    source, output = file.real(operator.input), file.name(operator.output)
    match operator.kind:
        case ActivationKind.RELU:
            file.node("Relu", [source], output)
        case ActivationKind.RELU6:
            file.node("Clip", [source, file.scalar(":low", 0.0), file.scalar(":high", 6.0)], output)
        case ActivationKind.HARD_SWISH:
            file.node("HardSwish", [source], output)
        case ActivationKind.HARD_SIGMOID:
            file.node("HardSigmoid", [source], output, alpha=1 / 6, beta=0.5)


@float32.of(UnaryFunction)
def _float_function(operator: UnaryFunction, file: OnnxWriter) -> None:
    _function(operator, file, file.real(operator.input), file.name(operator.output))


def _function(operator: UnaryFunction, file: OnnxWriter, source: str, output: str) -> str:
    """Writes the function of real values as a chain of nodes, and returns the last one's output."""
    chain, last = CHAINS[operator.function](*operator.parameters), source
    for index, link in enumerate(chain):
        values = {INPUT: source, LAST: last}
        operands = [
            values[each] if isinstance(each, str) else file.scalar(f":{index}:operand{place}", each)
            for place, each in enumerate(link.operands)
        ]
        last = file.node(link.kind, operands, output if link is chain[-1] else f":{index}", **link.attributes)
    return last
