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
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Function, Quantization, UnaryFunction

APPROXIMATION = 2.0**-18
"""An entry may be wrong by this share of its value, or of its input up to 1, in any runtime: 32 float32 roundings."""
_ROUNDING = 2.0**-16  # in steps of the output: that of the conversion to codes
_LARGEST_EXPONENT = 88.0  # of e^x in float32

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
}


def code_table(operator: UnaryFunction) -> NDArray[np.int8]:
    """Returns the operator's output code for each input code, from -128 on; both tensors are int8."""
    x, y = (arithmetic.quantization_of(each) for each in (operator.input, operator.output))
    _, values = _values(operator.function, operator.parameters, x)
    return np.rint(values / y.scale + y.zero_point).clip(INT8_MIN, INT8_MAX).astype(np.int8)


def is_settled(operator: UnaryFunction) -> bool:
    """Tells whether every runtime and processor computes this table."""
    x, y = (arithmetic.quantization_of(each) for each in (operator.input, operator.output))
    inputs, values = _values(operator.function, operator.parameters, x)
    return _is_held(operator.function, inputs, values, y) and _is_settled(inputs, values, y)


def settle_table_scale(
    function: Function, parameters: tuple[float, ...], x: Quantization, y: Quantization
) -> Quantization:
    """Returns the grid `y` with the nearest larger scale with which the table is settled.

    The steps of the search begin with 4 millionths of the scale and grow. Raises ValueError if no scale settles it:
    e^x, which is a part of the softplus too, leaves float32 at 88, so that the output must saturate from there on.
    """
    inputs, values = _values(function, parameters, x)
    if not _is_held(function, inputs, values, y):
        raise ValueError(f"a {function} of values above {_LARGEST_EXPONENT:g}")
    scale, tries = np.float32(y.scale), 0
    while True:
        grid = Quantization(scale=float(scale), zero_point=y.zero_point)
        if _is_settled(inputs, values, grid):
            return grid
        scale = np.float32(scale * np.float32(1 + 2.0**-18 * (1 + tries / 64) ** 2))
        tries += 1


def _is_held(function: Function, inputs: Values, values: Values, y: Quantization) -> bool:
    """Tells whether the output saturates wherever e^x leaves float32, which is infinite then."""
    if function not in (Function.SOFTPLUS, Function.EXP):
        return True
    return bool((values[inputs > _LARGEST_EXPONENT] / y.scale + y.zero_point >= INT8_MAX).all())


def _is_settled(inputs: Values, values: Values, y: Quantization) -> bool:
    codes = values / y.scale + y.zero_point
    errors = APPROXIMATION * (np.abs(values) + np.minimum(np.abs(inputs), 1.0)) / y.scale + _ROUNDING
    low, high = ((codes + side * errors).clip(INT8_MIN, INT8_MAX) for side in (-1, 1))
    return np.array_equal(np.rint(low), np.rint(high))


def _values(function: Function, parameters: tuple[float, ...], x: Quantization) -> tuple[Values, Values]:
    """Returns what the codes of `x` stand for, and the function of it."""
    inputs = (np.arange(INT8_MIN, INT8_MAX + 1) - x.zero_point) * np.float64(x.scale)
    return inputs, _FUNCTIONS[function](inputs, *parameters)
