"""Whether layers kept in float32 compute the same everywhere: proved from the graph's numbers, for every picture.

One float32 operation has one result by IEEE 754; a sum of many has as many as there are orders, unless float32 holds
every partial sum exactly. A tensor that an elementwise chain makes of int8 codes takes 256 values at most, all known
here; a convolution of it is exact if its products are multiples of one unit and the worst sum stays below 2^24 units.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.arithmetic import quantization_of
from mobile_sdk.integer_graph import (
    INT8_MAX,
    INT8_MIN,
    Activation,
    ActivationKind,
    Add,
    AvgPool2d,
    Clamp,
    Constant,
    Conv2d,
    Dequantize,
    Graph,
    Linear,
    Mean,
    Operator,
)

EXACT_IN_FLOAT32 = 2**24
Codes = Mapping[str, NDArray[np.float32]]


def order_dependent_paths(graph: Graph) -> list[str]:
    """The layers whose float32 result may depend on the order of summation, or on how an activation is computed."""
    codes: dict[str, NDArray[np.float32]] = {}
    found = []
    for operator in graph.operators:
        if operator.output.quantization is None:
            values = _values(operator, codes)
            if values is not None:
                codes[operator.output.name] = values
            if not _has_one_result(operator, codes):
                found.append(operator.path)
    return list(dict.fromkeys(found))


def _values(operator: Operator, codes: Codes) -> NDArray[np.float32] | None:
    """All values that the output can take, where they are made of one tensor's codes element by element."""
    if isinstance(operator, Dequantize):
        grid = quantization_of(operator.input)
        return np.float32(grid.scale) * (np.arange(INT8_MIN, INT8_MAX + 1) - grid.zero_point).astype(np.float32)
    first, *others = operator.inputs
    constant = others[0] if others else None
    if first.name not in codes or not isinstance(constant, Constant) or getattr(operator, "clamp", None) != Clamp.NONE:
        return None
    value = np.float32(constant.value)
    return codes[first.name] + value if isinstance(operator, Add) else codes[first.name] * value


def _has_one_result(operator: Operator, codes: Codes) -> bool:
    """Whether every implementation gives the same output for the same input."""
    match operator:
        case Conv2d() | Linear():
            return operator.input.name in codes and _sums_are_exact(operator, codes[operator.input.name])
        case Mean() | AvgPool2d():
            return False
        case Activation():
            return operator.kind in (ActivationKind.RELU, ActivationKind.RELU6)
        case _:
            return True


def _sums_are_exact(operator: Conv2d | Linear, values: NDArray[np.float32]) -> bool:
    input_unit = _unit(values.astype(np.float64)[None])
    filters = operator.weight.astype(np.float64).reshape(len(operator.weight), -1)
    summing = filters.any(axis=1)  # a channel without weights is its bias
    filters, bias = filters[summing], operator.bias.astype(np.float64)[summing]
    units = np.minimum(input_unit * _unit(filters), _unit(bias[:, None]))
    worst = np.abs(filters).sum(axis=1) * np.abs(values.astype(np.float64)).max() + np.abs(bias)
    return bool((worst < EXACT_IN_FLOAT32 * units).all())


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest power of two of which each row's numbers all are multiples; infinite for zeros."""
    mantissas, exponents = np.frexp(rows)
    whole = np.ldexp(mantissas, 24).astype(np.int64)  # a float32 has 24 bits
    lowest = np.log2(np.maximum(whole & -whole, 1)).astype(np.int64)
    powers = np.where(whole == 0, np.inf, exponents + lowest - 24).min(axis=1)
    return np.asarray(2.0**powers)
