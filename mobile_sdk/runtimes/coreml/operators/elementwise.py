"""Writes sums, differences, products, activations and functions of one number."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.code_tables import SMALLEST
from mobile_sdk.graph.operators import (
    Activation,
    ActivationKind,
    Add,
    Constant,
    Function,
    Mul,
    Sub,
    Tensor,
    UnaryFunction,
)
from mobile_sdk.graph.settled_sums import is_settled_sum
from mobile_sdk.runtimes.coreml.mil_writer import MilWriter
from mobile_sdk.runtimes.coreml.operators.table import int8, of_real_values
from mobile_sdk.runtimes.exact_sums import HALF, centred, is_square, line_of_constant, split_factors


@int8.of(Add, Sub)
def _add(operator: Add | Sub, file: MilWriter) -> Any:
    """Adds a constant by a line that is proved for all 256 codes, and two tensors in units of the second.

    Where the sum is not settled, in a concatenation, it takes exact sums of split products.
    """
    line = line_of_constant(operator) if isinstance(operator.b, Constant) else None
    if line is not None:
        product = file.mul(file.read(operator.a), line.factor, "_product")
        return file.codes(file.add(product, line.offset), operator.output, operator.clamp)
    if isinstance(operator.b, Tensor) and is_settled_sum(operator):
        return _settled(operator, operator.b, file)
    split, a = split_factors(operator), file.read(operator.a)
    high = file.add(file.mul(a, split.high_a, "_high_a"), _term(operator, file, split.high_b, "_high_b"), "_high")
    low = file.add(file.mul(a, split.low_a, "_low_a"), _term(operator, file, split.low_b, "_low_b"), "_low")
    total = file.add(high, file.mil.floor(x=low, name=f"{file.label}_low_floor"))
    step = float(split.step)
    return file.codes(file.add(total, HALF, "_untied"), operator.output, operator.clamp, step=step)


def _settled(operator: Add | Sub, b: Tensor, file: MilWriter) -> Any:
    scale_a, scale_b, scale_y = (
        np.float32(arithmetic.quantization_of(each).scale) for each in (operator.a, b, operator.output)
    )
    a = file.read(operator.a) if scale_a == scale_b else file.mul(file.read(operator.a), scale_a / scale_b, "_a")
    join = file.mil.sub if isinstance(operator, Sub) else file.mil.add
    total = join(x=a, y=file.read(b), name=f"{file.label}_total")
    return file.codes(total, operator.output, operator.clamp, step=float(scale_y / scale_b))


def _term(operator: Add | Sub, file: MilWriter, factor: np.float32, suffix: str) -> Any:
    if isinstance(operator.b, Constant):
        return np.float32(centred(operator.b) * factor)
    return file.mul(file.read(operator.b), factor, suffix)


@int8.of(Mul)
def _mul(operator: Mul, file: MilWriter) -> Any:
    if is_square(operator):
        return _square(operator, file)
    a, b, y = (arithmetic.quantization_of(each) for each in (operator.a, operator.b, operator.output))
    other = np.float32(centred(operator.b)) if isinstance(operator.b, Constant) else file.read(operator.b)
    steps = file.mul(file.mul(file.read(operator.a), other), arithmetic.product_factor(a, b, y), "_steps")
    return file.codes(steps, operator.output, operator.clamp)


def _square(operator: Mul, file: MilWriter) -> Any:
    """Squares as the runtimes' table does: real values in float32, with the zero point added before rounding."""
    x, y = arithmetic.quantization_of(operator.a), arithmetic.quantization_of(operator.output)
    value = file.mul(file.read(operator.a), np.float32(x.scale), "_real")
    steps = file.mul(file.mul(value, value), np.float32(1) / np.float32(y.scale), "_steps")
    codes = file.add(steps, np.float32(y.zero_point), "_shifted")
    return file.codes(codes, operator.output, operator.clamp, is_centred=False)


@of_real_values(Add)
def _float_add(operator: Add, file: MilWriter) -> Any:
    return file.values(file.add(file.read(operator.a), file.operand(operator.b)), operator.clamp)


@of_real_values(Sub)
def _float_sub(operator: Sub, file: MilWriter) -> Any:
    difference = file.mil.sub(x=file.read(operator.a), y=file.operand(operator.b), name=file.label)
    return file.values(difference, operator.clamp)


@of_real_values(Mul)
def _float_mul(operator: Mul, file: MilWriter) -> Any:
    return file.values(file.mul(file.read(operator.a), file.operand(operator.b)), operator.clamp)


@of_real_values(Activation)
def _activation(operator: Activation, file: MilWriter) -> Any:
    value = file.read(operator.input)
    if operator.kind is ActivationKind.RELU:
        return file.values(file.mil.relu(x=value, name=file.label))
    if operator.kind is ActivationKind.RELU6:
        return file.values(file.mil.relu6(x=value, name=file.label))
    is_gate = operator.kind is ActivationKind.HARD_SIGMOID
    name = file.label if is_gate else f"{file.label}_gate"
    gate = file.mil.sigmoid_hard(x=value, alpha=file.number(1 / 6), beta=file.number(0.5), name=name)
    return file.values(gate if is_gate else file.mul(value, gate))


@int8.of(UnaryFunction)
def _table(operator: UnaryFunction, file: MilWriter) -> Any:
    """Writes the function of the real values in float32; no value lies near a tie (`graph/code_tables.py`)."""
    x, y = (arithmetic.quantization_of(each) for each in (operator.input, operator.output))
    value = _value(operator, file, file.mul(file.read(operator.input), np.float32(x.scale), "_real"), "_value")
    return file.codes(file.mul(value, np.float32(1) / np.float32(y.scale), "_steps"), operator.output)


@of_real_values(UnaryFunction)
def _float_function(operator: UnaryFunction, file: MilWriter) -> Any:
    return file.values(_value(operator, file, file.read(operator.input), ""))


def _value(operator: UnaryFunction, file: MilWriter, x: Any, suffix: str) -> Any:
    """Writes the function of real values; MIL's operators have its names, without parameters, but for those below."""
    name, parameters = file.label + suffix, [file.number(each) for each in operator.parameters]
    if operator.function in _VALUES:
        return _VALUES[operator.function](file, x, name, *parameters)
    return getattr(file.mil, operator.function)(x=x, name=name)


def _above(file: MilWriter, x: Any) -> Any:
    return file.mil.maximum(x=x, y=file.number(max(SMALLEST, file.smallest)), name=f"{file.label}_above")


def _softplus(file: MilWriter, x: Any) -> Any:
    return file.mil.softplus(x=x, name=f"{file.label}_softplus")


def _scaled_elu(file: MilWriter, x: Any, name: str, alpha: np.float32, scale: np.float32, inner: np.float32) -> Any:
    line = file.mil.elu(x=file.mul(x, inner, "_inner"), alpha=file.number(1), name=f"{file.label}_elu")
    bent = file.mil.leaky_relu(x=line, alpha=alpha * inner, name=f"{file.label}_bent")
    return file.mil.mul(x=bent, y=scale / inner, name=name)


_VALUES: Mapping[Function, Callable[..., Any]] = {
    Function.GELU: lambda file, x, name: file.mil.gelu(x=x, mode="EXACT", name=name),
    Function.GELU_TANH: lambda file, x, name: file.mil.gelu(x=x, mode="TANH_APPROXIMATION", name=name),
    Function.ELU: lambda file, x, name: file.mil.elu(x=x, alpha=file.number(1), name=name),
    Function.SCALED_ELU: _scaled_elu,
    Function.LEAKY_RELU: lambda file, x, name, slope: file.mil.leaky_relu(x=x, alpha=slope, name=name),
    Function.CLAMP: lambda file, x, name, low, high: file.mil.clip(x=x, alpha=low, beta=high, name=name),
    Function.SCALED_SOFTPLUS: lambda file, x, name, beta: file.mil.mul(
        x=_softplus(file, file.mul(x, beta, "_inner")), y=file.number(1) / beta, name=name
    ),
    Function.TANH_SOFTPLUS: lambda file, x, name: file.mil.tanh(x=_softplus(file, x), name=name),
    Function.LOG: lambda file, x, name: file.mil.log(x=_above(file, x), epsilon=file.number(0), name=name),
    Function.POWER: lambda file, x, name, exponent: file.mil.pow(x=_above(file, x), y=exponent, name=name),
    Function.RECIPROCAL: lambda file, x, name: file.mil.real_div(x=file.number(1), y=x, name=name),
    Function.AFFINE: lambda file, x, name, gain, offset: file.mil.add(
        x=file.mul(x, gain, "_gained"), y=offset, name=name
    ),
}
"""Each writes a function of `x` whose last operation has the given name, of the parameters that the function names."""
