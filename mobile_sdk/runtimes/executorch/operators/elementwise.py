"""Writes sums, differences, products, activations and functions of one number."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mobile_sdk.graph.code_tables import GELU_CUBIC, GELU_LINE, SMALLEST
from mobile_sdk.graph.operators import (
    Activation,
    ActivationKind,
    Add,
    Clamp,
    Function,
    Mul,
    Operator,
    Sub,
    UnaryFunction,
)
from mobile_sdk.runtimes.executorch.node_writer import NodeWriter
from mobile_sdk.runtimes.executorch.operators.table import write
from mobile_sdk.runtimes.shapes import runtime_shape

_BINARY: Mapping[type[Operator], str] = {Add: "XNNAdd", Sub: "XNNSubtract", Mul: "XNNMultiply"}


@write.of(Add, Sub, Mul)
def _binary(operator: Add | Sub | Mul, file: NodeWriter, inputs: list[int], output: int) -> None:
    file.binary(_BINARY[type(operator)], inputs[0], inputs[1], output, operator.clamp)


@write.of(Activation)
def _activation(operator: Activation, file: NodeWriter, inputs: list[int], output: int) -> None:
    source = inputs[0]
    match operator.kind:
        case ActivationKind.RELU:
            file.unary("XNNClamp", source, output, clamp=Clamp.RELU)
        case ActivationKind.RELU6:
            file.unary("XNNClamp", source, output, clamp=Clamp.RELU6)
        case ActivationKind.HARD_SWISH:
            file.unary("XNNHardswish", source, output)
        case ActivationKind.HARD_SIGMOID:  # XNNPACK has none: relu6(x + 3) / 6
            three, sixth = (file.scalar(np.float32(value)) for value in (3.0, 1 / 6))
            shifted = file.value(list(runtime_shape(operator.output.shape)), None)
            file.binary("XNNAdd", source, three, shifted, Clamp.RELU6)
            file.binary("XNNMultiply", shifted, sixth, output)


@write.of(UnaryFunction)
def _function(operator: UnaryFunction, file: NodeWriter, inputs: list[int], output: int) -> None:
    """Writes float32 operators, between conversions for codes: XNNPACK fuses all of them into a table."""
    chain = _CHAINS[operator.function](*operator.parameters)
    if operator.output.quantization is None and operator.function is Function.GELU_TANH:
        _gelu_tanh(file, inputs[0], output, list(runtime_shape(operator.output.shape)))
        return
    if operator.output.quantization is not None:
        idle = [_with("XNNMultiply", 1.0)] if operator.output.name in file.idle else []
        chain = [_named("XNNConvert"), *idle, *chain, _named("XNNConvert")]
    source = inputs[0]
    for index, (kind, settings, constant) in enumerate(chain):
        is_last = index == len(chain) - 1
        target = output if is_last else file.value(list(runtime_shape(operator.output.shape)), None)
        if constant is None:
            file.unary(kind, source, target, **settings)
        elif kind == "XNNDiv":
            file.binary(kind, file.scalar(np.float32(constant)), source, target)
        else:
            file.binary(kind, source, file.scalar(np.float32(constant)), target)
        source = target


def nodes_of(operator: UnaryFunction) -> int:
    """Returns the number of nodes of an int8 function."""
    return len(_CHAINS[operator.function](*operator.parameters)) + 2


def _gelu_tanh(file: NodeWriter, x: int, output: int, dims: list[int]) -> None:
    """Writes x * sigmoid(x * (GELU_LINE + GELU_CUBIC * x^2)) in float32."""
    square, cubic, line, inner, gate = (file.value(dims, None) for _ in range(5))
    file.unary("XNNSquare", x, square)
    file.binary("XNNMultiply", square, file.scalar(np.float32(GELU_CUBIC)), cubic)
    file.binary("XNNAdd", cubic, file.scalar(np.float32(GELU_LINE)), line)
    file.binary("XNNMultiply", line, x, inner)
    file.unary("XNNSigmoid", inner, gate)
    file.binary("XNNMultiply", gate, x, output)


Link = tuple[str, dict[str, Any], float | None]
"""It holds the name of a float32 node, its settings, and a second operand; an XNNDiv has it first."""


def _named(kind: str, **settings: Any) -> Link:
    return kind, settings, None


def _with(kind: str, constant: float) -> Link:
    return kind, {}, constant


def _softplus() -> list[Link]:
    return [_named("XNNExp"), _with("XNNAdd", 1.0), _named("XNNLog")]


def _logarithm() -> list[Link]:
    return [_with("XNNMaximum", SMALLEST), _named("XNNLog")]


_CHAINS: Mapping[Function, Callable[..., list[Link]]] = {
    Function.SIGMOID: lambda: [_named("XNNSigmoid")],
    Function.TANH: lambda: [_named("XNNTanh")],
    Function.GELU: lambda: [_named("XNNGelu")],
    Function.GELU_TANH: lambda: [_named("XNNGelu")],  # the scale is settled so that both forms give the same codes
    Function.ELU: lambda: [_named("XNNELU", alpha=1.0)],
    Function.SCALED_ELU: lambda alpha, scale, inner: [
        _with("XNNMultiply", inner),
        _named("XNNELU", alpha=1.0),
        _named("XNNLeakyReLU", negative_slope=float(np.float32(alpha * inner))),
        _with("XNNMultiply", scale / inner),
    ],
    Function.LEAKY_RELU: lambda slope: [_named("XNNLeakyReLU", negative_slope=slope)],
    Function.CLAMP: lambda low, high: [_with("XNNMaximum", low), _with("XNNMinimum", high)],
    Function.SOFTPLUS: _softplus,
    Function.SCALED_SOFTPLUS: lambda beta: [_with("XNNMultiply", beta), *_softplus(), _with("XNNMultiply", 1 / beta)],
    Function.TANH_SOFTPLUS: lambda: [*_softplus(), _named("XNNTanh")],
    Function.EXP: lambda: [_named("XNNExp")],
    Function.LOG: _logarithm,
    Function.POWER: lambda exponent: [*_logarithm(), _with("XNNMultiply", exponent), _named("XNNExp")],
    Function.RECIPROCAL: lambda: [_with("XNNDiv", 1.0)],
    Function.ABS: lambda: [_named("XNNAbs")],
    Function.SIN: lambda: [_named("XNNSin")],
    Function.COS: lambda: [_named("XNNCos")],
    Function.AFFINE: lambda gain, offset: [_with("XNNMultiply", gain), _with("XNNAdd", offset)],
}
"""Each returns a function's nodes, of the parameters that the function names."""
