"""Computes functions of one number as tables of codes: 256 codes in, 256 codes out.

XNNPACK fuses a conversion from codes, float32 operators of one operand and a conversion to codes into one table of 256
entries (`src/subgraph.c`, `xnn_subgraph_fuse_unary_quantized_into_lut`). An entry is the function's value on that code,
in the float32 of the machine that opens the model, rounded half to even. Machines approximate exponentials in different
ways. So an output scale is settled: no entry lies so near to a tie that an approximation could round it otherwise.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Function, Mul, Quantization, UnaryFunction

APPROXIMATION = 2.0**-18
"""An entry may be wrong by this share of its value, or of its input up to 1, in any runtime: 32 float32 roundings."""
_ROUNDING = 2.0**-16  # in steps of the output: that of the conversion to codes
_LARGEST_EXPONENT = 88.0  # of e^x in float32

_LARGEST_ANGLE = 256.0  # beyond it, float32's own error of an angle shows in sines
SMALLEST = 2.0**-126
"""Logarithms and powers read this for zero and what lies below: the smallest float32 with all its bits."""
GELU_LINE = 2 * math.sqrt(2 / math.pi)
GELU_CUBIC = 0.044715 * GELU_LINE
"""GELU in its tanh form is x * sigmoid(x * (GELU_LINE + GELU_CUBIC * x^2))."""
_BEYOND_ANY_GRID = 2.0**120

Values = NDArray[np.float64]

_FUNCTIONS: Mapping[Function, Callable[..., Values]] = {
    Function.SIGMOID: lambda x: 0.5 + 0.5 * np.tanh(x / 2),
    Function.TANH: np.tanh,
    Function.GELU: lambda x: x * np.array([0.5 * math.erfc(-each / math.sqrt(2)) for each in x.tolist()]),
    Function.ELU: lambda x: np.maximum(x, 0.0) + np.expm1(np.minimum(x, 0.0)),
    Function.LEAKY_RELU: lambda x, slope: np.maximum(x, 0.0) + slope * np.minimum(x, 0.0),
    Function.CLAMP: np.clip,
    Function.SOFTPLUS: lambda x: np.logaddexp(0.0, x),
    Function.TANH_SOFTPLUS: lambda x: np.tanh(np.logaddexp(0.0, x)),
    Function.EXP: lambda x: np.exp(np.minimum(x, _LARGEST_EXPONENT)),
    Function.ABS: np.abs,
    Function.AFFINE: lambda x, gain, offset: gain * x + offset,
    Function.POWER: lambda x, exponent: np.minimum(np.maximum(x, SMALLEST) ** exponent, _BEYOND_ANY_GRID),
    Function.RECIPROCAL: lambda x: 1 / np.where(x == 0, 1 / _BEYOND_ANY_GRID, x),
    Function.LOG: lambda x: np.log(np.maximum(x, SMALLEST)),
    Function.SIN: np.sin,
    Function.COS: np.cos,
    Function.SCALED_ELU: lambda x, alpha, scale, inner: (
        scale * (np.maximum(x, 0.0) + alpha * np.expm1(inner * np.minimum(x, 0.0)))
    ),
    Function.SCALED_SOFTPLUS: lambda x, beta: np.logaddexp(0.0, beta * x) / beta,
    Function.GELU_TANH: lambda x: x * (0.5 + 0.5 * np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
}


def code_table(operator: UnaryFunction) -> NDArray[np.int8]:
    """Returns the operator's output code for each input code, from -128 on; both tensors are int8."""
    x, y = (arithmetic.quantization_of(each) for each in (operator.input, operator.output))
    _, values = _values(operator.function, operator.parameters, x)
    return np.rint(values / y.scale + y.zero_point).clip(INT8_MIN, INT8_MAX).astype(np.int8)


def square_table(operator: Mul) -> NDArray[np.int8]:
    """Returns the code of every code's square, as XNNPACK's table has it; the operator's operands are one tensor."""
    x, y = arithmetic.quantization_of(operator.a), arithmetic.quantization_of(operator.output)
    low, high = arithmetic.clamp_range(y, operator.clamp)
    squares = arithmetic.round_square(arithmetic.centred_codes(x), x, y)
    return (squares.clip(low, high) + y.zero_point).astype(np.int8)


def is_settled(operator: UnaryFunction) -> bool:
    """Tells whether every runtime and processor computes this table."""
    x, y = (arithmetic.quantization_of(each) for each in (operator.input, operator.output))
    inputs, values = _values(operator.function, operator.parameters, x)
    errors = _errors(operator.function, operator.parameters, inputs, values)
    is_held = _refused_from(operator.function, operator.parameters, inputs, values, y) is None
    return is_held and _is_settled(values, errors, y)


def settle_table_scale(
    function: Function, parameters: tuple[float, ...], x: Quantization, y: Quantization
) -> Quantization:
    """Returns the grid `y` with the nearest larger scale with which the table is settled.

    The steps of the search begin with 4 millionths of the scale and grow. Raises ValueError if no scale settles it:
    e^x, which is a part of the softplus too, leaves float32 at 88, so that the output must saturate from there on, and
    sines of large angles are not known well enough.
    """
    inputs, values = _values(function, parameters, x)
    limit = _refused_from(function, parameters, inputs, values, y)
    if limit is not None:
        raise ValueError(f"a {function} of values above {limit:g}")
    errors, scale, tries = _errors(function, parameters, inputs, values), np.float32(y.scale), 0
    while True:
        grid = Quantization(scale=float(scale), zero_point=y.zero_point)
        if _is_settled(values, errors, grid):
            return grid
        scale = np.float32(scale * np.float32(1 + 2.0**-18 * (1 + tries / 64) ** 2))
        tries += 1


def _refused_from(
    function: Function, parameters: tuple[float, ...], inputs: Values, values: Values, y: Quantization
) -> float | None:
    """Returns the input beyond which float32 does not hold the function, or None if it holds all or they saturate."""
    match function:
        case Function.SIN | Function.COS:
            return _LARGEST_ANGLE if np.abs(inputs).max() > _LARGEST_ANGLE else None
        case Function.SOFTPLUS | Function.EXP | Function.SCALED_SOFTPLUS:
            (factor,) = parameters or (1.0,)
            codes = values[factor * inputs > _LARGEST_EXPONENT] / y.scale + y.zero_point
            is_so = ((codes >= INT8_MAX) | (codes <= INT8_MIN)).all()
            return None if is_so else _LARGEST_EXPONENT / factor
        case _:
            return None


def _errors(function: Function, parameters: tuple[float, ...], inputs: Values, values: Values) -> Values:
    """Returns by how much a machine may miss each value."""
    share: Values = np.abs(values) + np.minimum(np.abs(inputs), 1.0)
    match function:
        case Function.AFFINE:
            share = np.abs(parameters[0] * inputs) + abs(parameters[1])
        case Function.SIN | Function.COS:  # the angle itself is rounded
            share = np.abs(values) + np.maximum(np.abs(inputs) / 16, 1.0)
        case Function.SCALED_SOFTPLUS:
            share = np.abs(values) + 1 / abs(parameters[0])
        case Function.GELU_TANH:  # runtimes without it compute GELU in its place: both must give one code
            other = _FUNCTIONS[Function.GELU](inputs)
            return APPROXIMATION * share + np.abs(values - other)
    return APPROXIMATION * share


def _is_settled(values: Values, errors: Values, y: Quantization) -> bool:
    codes, errors = values / y.scale + y.zero_point, errors / y.scale + _ROUNDING
    low, high = ((codes + side * errors).clip(INT8_MIN, INT8_MAX) for side in (-1, 1))
    return np.array_equal(np.rint(low), np.rint(high))


def _values(function: Function, parameters: tuple[float, ...], x: Quantization) -> tuple[Values, Values]:
    """Returns what the codes of `x` stand for, and the function of it."""
    inputs = (np.arange(INT8_MIN, INT8_MAX + 1) - x.zero_point) * np.float64(x.scale)
    return inputs, _FUNCTIONS[function](inputs, *parameters)
