"""Computes sums, differences, products, activations and functions of one number, element by element."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch.nn import functional as F

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.code_tables import SMALLEST, code_table
from mobile_sdk.graph.operators import Activation, ActivationKind, Add, Constant, Function, Mul, Sub, UnaryFunction
from mobile_sdk.graph.rules.tables import Step, clamps, float_rules, int8_rules

FUNCTIONS: Mapping[Function, Callable[..., torch.Tensor]] = {
    Function.SIGMOID: torch.sigmoid,
    Function.TANH: torch.tanh,
    Function.GELU: F.gelu,
    Function.ELU: F.elu,
    Function.LEAKY_RELU: F.leaky_relu,
    Function.CLAMP: torch.clamp,
    Function.SOFTPLUS: F.softplus,
    Function.TANH_SOFTPLUS: lambda x: torch.tanh(F.softplus(x)),
    Function.EXP: torch.exp,
    Function.ABS: torch.abs,
    Function.AFFINE: lambda x, gain, offset: x * gain + offset,
    Function.POWER: lambda x, exponent: x.clamp(min=SMALLEST) ** exponent,
    Function.RECIPROCAL: torch.reciprocal,
    Function.LOG: lambda x: torch.log(x.clamp(min=SMALLEST)),
    Function.SIN: torch.sin,
    Function.COS: torch.cos,
    Function.SCALED_ELU: torch.ops.aten.elu.default,
    Function.SCALED_SOFTPLUS: F.softplus,
    Function.GELU_TANH: lambda x: F.gelu(x, approximate="tanh"),
}
"""Each is a function of one number, and its parameters, on float32 values."""
_CURVES = {ActivationKind.HARD_SWISH: F.hardswish, ActivationKind.HARD_SIGMOID: F.hardsigmoid}


@int8_rules.of(Add, Sub)
def _add(operator: Add | Sub) -> Step:
    y = arithmetic.quantization_of(operator.output)
    b = arithmetic.quantization_of(operator.b)
    factor_a, factor_b, shift = arithmetic.sum_factors(operator)
    low, high = arithmetic.clamp_range(y, operator.clamp)
    half = 1 << (shift - 1)
    constant = operator.b.value - b.zero_point if isinstance(operator.b, Constant) else None

    def add(a: torch.Tensor, b: torch.Tensor | None = None) -> torch.Tensor:
        total = a.to(torch.int32).mul_(factor_a)
        if b is None:
            total.add_(int(constant or 0) * factor_b + half)
        else:
            total = total.add(b.to(torch.int32), alpha=factor_b).add_(half)
        return total.bitwise_right_shift_(shift).clamp_(low, high).to(torch.float32)

    return add


@int8_rules.of(Mul)
def _mul(operator: Mul) -> Step:
    y = arithmetic.quantization_of(operator.output)
    a, b = arithmetic.quantization_of(operator.a), arithmetic.quantization_of(operator.b)
    factor = float(arithmetic.product_factor(a, b, y))
    low, high = arithmetic.clamp_range(y, operator.clamp)

    if isinstance(operator.b, Constant):
        constant = operator.b.value - b.zero_point
        return lambda a: (a * constant).mul_(factor).round_().clamp_(low, high)
    if operator.a.name == operator.b.name:
        squares = arithmetic.round_square(np.arange(-255, 256), a, y)
        table = torch.from_numpy(squares.clip(low, high).astype(np.float32))
        return lambda a, _: table[a.to(torch.int64) + 255]
    return lambda a, b: (a * b).mul_(factor).round_().clamp_(low, high)


@int8_rules.of(UnaryFunction)
def _function(operator: UnaryFunction) -> Step:
    zeros = [arithmetic.quantization_of(each).zero_point for each in (operator.input, operator.output)]
    table = torch.from_numpy(code_table(operator).astype(np.float32) - zeros[1])
    first = 128 + zeros[0]
    return lambda x: table[x.to(torch.int64) + first]


@float_rules.of(Add)
def _float_add(operator: Add, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a + b


@float_rules.of(Sub)
def _float_sub(operator: Sub, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a - b


@float_rules.of(Mul)
def _float_mul(operator: Mul, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a * b


@float_rules.of(Activation)
def _activation(operator: Activation, x: torch.Tensor) -> torch.Tensor:
    clamp = operator.kind.clamp
    return _CURVES[operator.kind](x) if clamp is None else clamps[clamp](x)


@float_rules.of(UnaryFunction)
def _float_function(operator: UnaryFunction, x: torch.Tensor) -> torch.Tensor:
    return FUNCTIONS[operator.function](x, *operator.parameters)
