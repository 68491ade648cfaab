"""Writes sums, differences, products, activations and functions of one number."""

from dataclasses import replace
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.graph.operators import (
    Activation,
    ActivationKind,
    Add,
    Clamp,
    Constant,
    Function,
    Mul,
    Sub,
    UnaryFunction,
)
from mobile_sdk.runtimes.shapes import runtime_shape
from mobile_sdk.runtimes.tflite.model_writer import FUSED, ModelWriter
from mobile_sdk.runtimes.tflite.operators.table import write

_STANDALONE = {
    ActivationKind.RELU: "RELU",
    ActivationKind.RELU6: "RELU6",
    ActivationKind.HARD_SWISH: "HARD_SWISH",
}


@write.of(Add, Sub, Mul)
def _binary(operator: Add | Sub | Mul, file: ModelWriter) -> None:
    kind = type(operator).__name__
    options = getattr(schema, f"{kind}OptionsT")()
    options.fusedActivationFunction = FUSED[operator.clamp]
    if isinstance(operator.b, Constant):
        _constant(file, operator.b)
    file.operator(kind.upper(), [operator.a.name, operator.b.name], operator.output.name, 2, options)


def _constant(file: ModelWriter, constant: Constant) -> None:
    codes = constant.quantization
    if codes is None:
        file.constant(constant.name, np.array([constant.value], np.float32))
    else:
        scales = np.array([codes.scale], np.float32)
        file.constant(constant.name, np.array([constant.value], np.int8), scales, codes.zero_point)


@write.of(Activation)
def _activation(operator: Activation, file: ModelWriter) -> None:
    source, output = operator.input.name, operator.output.name
    if operator.kind in _STANDALONE:
        file.operator(_STANDALONE[operator.kind], [source], output, 1)
        return
    # TFLite has no hard-sigmoid: relu6(x + 3) / 6.
    three, sixth, gate = f"{output}.three", f"{output}.sixth", f"{output}.relu6"
    file.constant(three, np.array([3.0], np.float32))
    file.constant(sixth, np.array([1.0 / 6.0], np.float32))
    file.activation(gate, runtime_shape(operator.output.shape), np.dtype(np.float32))
    options = schema.AddOptionsT()
    options.fusedActivationFunction = FUSED[Clamp.RELU6]
    file.operator("ADD", [source, three], gate, 1, options)
    file.operator("MUL", [gate, sixth], output, 1, schema.MulOptionsT())


@write.of(UnaryFunction)
def _function(operator: UnaryFunction, file: ModelWriter) -> None:
    """Writes float32 operators, between conversions for codes: XNNPACK fuses all of them into a table."""
    output = operator.output.name
    chain = _chain(operator)
    if operator.output.quantization is not None:
        chain = [("DEQUANTIZE", None, None), *chain, ("QUANTIZE", None, None)]
    source = operator.input.name
    for index, (kind, options, constant) in enumerate(chain):
        target = output if index == len(chain) - 1 else f"{output}.{index}"
        if target != output:
            file.activation(target, runtime_shape(operator.output.shape), np.dtype(np.float32))
        inputs = [source]
        if constant is not None:
            inputs.append(f"{target}.constant")
            file.constant(inputs[-1], np.array([constant], np.float32))
        file.operator(kind, inputs, target, 2 if kind == "DEQUANTIZE" else 1, options)
        source = target


def _chain(operator: UnaryFunction) -> list[tuple[str, Any, float | None]]:
    """Returns the names of float32 operators, their options, and the second operand of those that have two."""
    match operator.function:
        case Function.SIGMOID:
            return [("LOGISTIC", None, None)]
        case Function.GELU:
            return [("GELU", schema.GeluOptionsT(), None)]
        case Function.LEAKY_RELU:
            options = schema.LeakyReluOptionsT()
            (options.alpha,) = operator.parameters
            return [("LEAKY_RELU", options, None)]
        case Function.CLAMP:
            low, high = operator.parameters
            options = schema.MaximumMinimumOptionsT()
            return [("MAXIMUM", options, low), ("MINIMUM", options, high)]
        case Function.SOFTPLUS:
            return [("EXP", schema.ExpOptionsT(), None), ("ADD", schema.AddOptionsT(), 1.0), ("LOG", None, None)]
        case Function.TANH_SOFTPLUS:
            inner = replace(operator, function=Function.SOFTPLUS)
            return [*_chain(inner), ("TANH", None, None)]
        case Function.EXP:
            return [("EXP", schema.ExpOptionsT(), None)]
        case Function.ABS:
            return [("ABS", schema.AbsOptionsT(), None)]
        case Function.TANH | Function.ELU:
            return [(operator.function.name, None, None)]
