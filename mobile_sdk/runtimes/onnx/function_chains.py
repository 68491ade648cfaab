"""Spells functions of one number as chains of ONNX's nodes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mobile_sdk.graph.code_tables import SMALLEST
from mobile_sdk.graph.operators import Function

LOOKED_UP = frozenset({Function.SIGMOID, Function.LEAKY_RELU})
"""ONNX Runtime makes a table of these by itself where codes come in and go out."""
INPUT, LAST = "input", "last"
"""These stand for operands of a link: the function's input, and the result of the link before."""
Operand = float | str


@dataclass(frozen=True, kw_only=True)
class Link:
    """Holds one node: its kind, its operands, and its attributes."""

    kind: str
    operands: tuple[Operand, ...] = (LAST,)
    attributes: Mapping[str, Any] = field(default_factory=dict)


def _named(kind: str, **attributes: Any) -> Link:
    return Link(kind=kind, attributes=attributes)


def _with(kind: str, *operands: Operand) -> Link:
    return Link(kind=kind, operands=operands)


def _times(factor: float) -> Link:
    return _with("Mul", LAST, factor)


def _above() -> Link:
    return _with("Max", LAST, SMALLEST)


def _scaled_elu(alpha: float, scale: float, inner: float) -> list[Link]:
    elu, bent = _named("Elu", alpha=1.0), _named("LeakyRelu", alpha=alpha * inner)
    return [_times(inner), elu, bent, _times(scale / inner)]


CHAINS: Mapping[Function, Callable[..., list[Link]]] = {
    Function.SIGMOID: lambda: [_named("Sigmoid")],
    Function.TANH: lambda: [_named("Tanh")],
    Function.GELU: lambda: [
        _times(math.sqrt(0.5)),
        _named("Erf"),
        _with("Add", LAST, 1.0),
        _with("Mul", LAST, INPUT),
        _times(0.5),
    ],
    Function.GELU_TANH: lambda: [
        _with("Mul", INPUT, INPUT),
        _times(0.044715),
        _with("Add", LAST, 1.0),
        _with("Mul", LAST, INPUT),
        _times(math.sqrt(2 / math.pi)),
        _named("Tanh"),
        _with("Add", LAST, 1.0),
        _with("Mul", LAST, INPUT),
        _times(0.5),
    ],
    Function.ELU: lambda: [_named("Elu", alpha=1.0)],
    Function.SCALED_ELU: _scaled_elu,
    Function.LEAKY_RELU: lambda slope: [_named("LeakyRelu", alpha=slope)],
    Function.CLAMP: lambda low, high: [_with("Clip", LAST, low, high)],
    Function.SOFTPLUS: lambda: [_named("Softplus")],
    Function.SCALED_SOFTPLUS: lambda beta: [_times(beta), _named("Softplus"), _times(1 / beta)],
    Function.TANH_SOFTPLUS: lambda: [_named("Softplus"), _named("Tanh")],
    Function.EXP: lambda: [_named("Exp")],
    Function.LOG: lambda: [_above(), _named("Log")],
    Function.POWER: lambda exponent: [_above(), _with("Pow", LAST, exponent)],
    Function.RECIPROCAL: lambda: [_named("Reciprocal")],
    Function.ABS: lambda: [_named("Abs")],
    Function.SIN: lambda: [_named("Sin")],
    Function.COS: lambda: [_named("Cos")],
    Function.AFFINE: lambda gain, offset: [_times(gain), _with("Add", LAST, offset)],
}
"""Each returns a function's nodes, of the parameters that the function names."""
