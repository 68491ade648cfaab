"""Writes functions of one number in float32, by the operations that Core AI has."""

from collections.abc import Callable, Mapping

from mobile_sdk.graph.code_tables import SMALLEST
from mobile_sdk.graph.operators import Function
from mobile_sdk.runtimes.coreai.program import Operand
from mobile_sdk.runtimes.coreai.writer import CoreAIWriter


def _positive(file: CoreAIWriter, x: Operand) -> Operand:
    return file.binary("maximum", x, 0.0)


def _negative(file: CoreAIWriter, x: Operand) -> Operand:
    return file.binary("minimum", x, 0.0)


def _elu(file: CoreAIWriter, x: Operand, alpha: float = 1.0, scale: float = 1.0, inner: float = 1.0) -> Operand:
    """Writes `scale * (max(x, 0) + alpha * (e^(inner * min(x, 0)) - 1))`."""
    raised = file.binary("sub", file.unary("exp", file.binary("mul", _negative(file, x), inner)), 1.0)
    bent = file.binary("add", _positive(file, x), file.binary("mul", raised, alpha))
    return file.binary("mul", bent, scale)


def _leaky(file: CoreAIWriter, x: Operand, slope: float) -> Operand:
    return file.binary("add", _positive(file, x), file.binary("mul", _negative(file, x), slope))


def _softplus(file: CoreAIWriter, x: Operand, beta: float = 1.0) -> Operand:
    """Writes `log(1 + e^(beta * x)) / beta` as `(max(z, 0) + log(1 + e^-|z|)) / beta`, which passes no bound."""
    inner = file.binary("mul", x, beta)
    falling = file.unary("exp", file.binary("mul", file.unary("abs", inner), -1.0))
    curved = file.unary("log", file.binary("add", falling, 1.0))
    return file.binary("divide", file.binary("add", _positive(file, inner), curved), beta)


def _above(file: CoreAIWriter, x: Operand) -> Operand:
    return file.binary("maximum", x, SMALLEST)


FUNCTIONS: Mapping[Function, Callable[..., Operand]] = {
    Function.SIGMOID: lambda file, x: file.unary("sigmoid", x),
    Function.TANH: lambda file, x: file.unary("tanh", x),
    Function.GELU: lambda file, x: file.unary("gelu", x, approximate="none"),
    Function.GELU_TANH: lambda file, x: file.unary("gelu", x, approximate="tanh"),
    Function.ELU: _elu,
    Function.SCALED_ELU: _elu,
    Function.LEAKY_RELU: _leaky,
    Function.CLAMP: lambda file, x, low, high: file.binary("minimum", file.binary("maximum", x, low), high),
    Function.SOFTPLUS: _softplus,
    Function.SCALED_SOFTPLUS: _softplus,
    Function.TANH_SOFTPLUS: lambda file, x: file.unary("tanh", _softplus(file, x)),
    Function.EXP: lambda file, x: file.unary("exp", x),
    Function.ABS: lambda file, x: file.unary("abs", x),
    Function.AFFINE: lambda file, x, gain, offset: file.binary("add", file.binary("mul", x, gain), offset),
    Function.POWER: lambda file, x, exponent: file.binary("pow", _above(file, x), exponent),
    Function.RECIPROCAL: lambda file, x: file.binary("divide", 1.0, x),
    Function.LOG: lambda file, x: file.unary("log", _above(file, x)),
    Function.SIN: lambda file, x: file.unary("sin", x),
    Function.COS: lambda file, x: file.unary("cos", x),
}
"""Each writes a function of float32 values, with the parameters that the function names."""
