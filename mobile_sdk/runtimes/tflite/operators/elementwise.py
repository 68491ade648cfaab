"""Writes sums, differences, products, activations and functions of one number."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.graph.code_tables import SMALLEST
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
    file.operator(kind.upper(), [operator.a.name, operator.b.name], operator.output.name, options)


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
        file.operator(_STANDALONE[operator.kind], [source], output)
        return
    # TFLite has no hard-sigmoid: relu6(x + 3) / 6.
    three, sixth, gate = f"{output}.three", f"{output}.sixth", f"{output}.relu6"
    file.constant(three, np.array([3.0], np.float32))
    file.constant(sixth, np.array([1.0 / 6.0], np.float32))
    file.activation(gate, runtime_shape(operator.output.shape), np.dtype(np.float32))
    options = schema.AddOptionsT()
    options.fusedActivationFunction = FUSED[Clamp.RELU6]
    file.operator("ADD", [source, three], gate, options)
    file.operator("MUL", [gate, sixth], output, schema.MulOptionsT())


@write.of(UnaryFunction)
def _function(operator: UnaryFunction, file: ModelWriter) -> None:
    """Writes float32 operators, between conversions for codes: XNNPACK fuses all of them into a table."""
    output = operator.output.name
    chain = _CHAINS[operator.function](*operator.parameters)
    if operator.output.quantization is not None:
        chain = [("DEQUANTIZE", None, None), *chain, ("QUANTIZE", None, None)]
    source = operator.input.name
    for index, (kind, options, constant) in enumerate(chain):
        target = output if index == len(chain) - 1 else f"{output}.{index}"
        if target != output:
            file.activation(target, runtime_shape(operator.output.shape), np.dtype(np.float32))
        inputs = [source]
        if constant is not None:
            file.constant(f"{target}.constant", np.array([constant], np.float32))
            inputs.insert(0 if kind == "DIV" else 1, f"{target}.constant")
        file.operator(kind, inputs, target, options)
        source = target


Link = tuple[str, Any, float | None]
"""It holds the name of a float32 operator, its options, and a second operand; a DIV has it first."""


def _leaky(slope: float) -> Link:
    options = schema.LeakyReluOptionsT()
    options.alpha = float(np.float32(slope))
    return "LEAKY_RELU", options, None


def _gelu(*, is_approximate: bool) -> Link:
    options = schema.GeluOptionsT()
    options.approximate = is_approximate
    return "GELU", options, None


def _named(kind: str) -> Link:
    return kind, None, None


def _times(factor: float) -> Link:
    return "MUL", schema.MulOptionsT(), factor


def _plus(addend: float) -> Link:
    return "ADD", schema.AddOptionsT(), addend


def _end(kind: str, end: float) -> Link:
    return kind, schema.MaximumMinimumOptionsT(), end


def _exp() -> Link:
    return "EXP", schema.ExpOptionsT(), None


def _softplus() -> list[Link]:
    return [_exp(), _plus(1.0), _named("LOG")]


def _logarithm() -> list[Link]:
    return [_end("MAXIMUM", SMALLEST), _named("LOG")]


_CHAINS: Mapping[Function, Callable[..., list[Link]]] = {
    Function.SIGMOID: lambda: [_named("LOGISTIC")],
    Function.TANH: lambda: [_named("TANH")],
    Function.GELU: lambda: [_gelu(is_approximate=False)],
    Function.GELU_TANH: lambda: [_gelu(is_approximate=True)],
    Function.ELU: lambda: [_named("ELU")],
    Function.SCALED_ELU: lambda alpha, scale, inner: [
        _times(inner),
        _named("ELU"),
        _leaky(alpha * inner),
        _times(scale / inner),
    ],
    Function.LEAKY_RELU: lambda slope: [_leaky(slope)],
    Function.CLAMP: lambda low, high: [_end("MAXIMUM", low), _end("MINIMUM", high)],
    Function.SOFTPLUS: _softplus,
    Function.SCALED_SOFTPLUS: lambda beta: [_times(beta), *_softplus(), _times(1 / beta)],
    Function.TANH_SOFTPLUS: lambda: [*_softplus(), _named("TANH")],
    Function.EXP: lambda: [_exp()],
    Function.LOG: _logarithm,
    Function.POWER: lambda exponent: [*_logarithm(), _times(exponent), _exp()],
    Function.RECIPROCAL: lambda: [("DIV", schema.DivOptionsT(), 1.0)],
    Function.ABS: lambda: [("ABS", schema.AbsOptionsT(), None)],
    Function.SIN: lambda: [_named("SIN")],
    Function.COS: lambda: [("COS", schema.CosOptionsT(), None)],
    Function.AFFINE: lambda gain, offset: [_times(gain), _plus(offset)],
}
"""Each returns a function's operators, of the parameters that the function names."""
