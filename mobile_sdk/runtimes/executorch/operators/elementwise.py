"""Writes sums, differences, products, activations and functions of one number."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

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

_NODES: Mapping[Function, str] = {
    Function.SIGMOID: "XNNSigmoid",
    Function.TANH: "XNNTanh",
    Function.GELU: "XNNGelu",
    Function.EXP: "XNNExp",
    Function.ABS: "XNNAbs",
}
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
    chain = _chain(operator)
    if operator.output.quantization is not None:
        chain = [("XNNConvert", {}, None), *chain, ("XNNConvert", {}, None)]
    source = inputs[0]
    for index, (kind, settings, constant) in enumerate(chain):
        is_last = index == len(chain) - 1
        target = output if is_last else file.value(list(runtime_shape(operator.output.shape)), None)
        if constant is None:
            file.unary(kind, source, target, **settings)
        else:
            file.binary(kind, source, file.scalar(np.float32(constant)), target)
        source = target


def _chain(operator: UnaryFunction) -> list[tuple[str, dict[str, Any], float | None]]:
    """Returns the names of float32 nodes, their settings, and the second operand of those that have two."""
    match operator.function:
        case Function.ELU:
            return [("XNNELU", {"alpha": 1.0}, None)]
        case Function.LEAKY_RELU:
            return [("XNNLeakyReLU", {"negative_slope": operator.parameters[0]}, None)]
        case Function.CLAMP:
            low, high = operator.parameters
            return [("XNNMaximum", {}, low), ("XNNMinimum", {}, high)]
        case Function.SOFTPLUS:
            return [("XNNExp", {}, None), ("XNNAdd", {}, 1.0), ("XNNLog", {}, None)]
        case Function.TANH_SOFTPLUS:
            return [*_chain(replace(operator, function=Function.SOFTPLUS)), ("XNNTanh", {}, None)]
        case _:
            return [(_NODES[operator.function], {}, None)]
