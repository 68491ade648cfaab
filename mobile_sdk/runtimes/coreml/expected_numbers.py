"""Every number that the file of an int8 graph must hold, by the name of the operation that holds it.

Read off the graph and the rules of arithmetic.py to be compared with what was saved; nothing is written from here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import (
    Add,
    ChannelShuffle,
    ChannelSlice,
    Clamp,
    Concat,
    Constant,
    Conv2d,
    Graph,
    JoinRows,
    Linear,
    MaxPool2d,
    Mean,
    Mul,
    Operator,
    Quantize,
    Reshape,
    ResizeBilinear,
    Rows,
)
from mobile_sdk.runtimes.coreml.expected_floats import described, integers
from mobile_sdk.runtimes.coreml.operators.channels import moves
from mobile_sdk.runtimes.coreml.operators.exact_sums import (
    centred,
    is_square,
    line_of_constant,
    requantization_factors,
    split_factors,
)
from mobile_sdk.runtimes.coreml.operators.geometry import conv_geometry, resize_factors, rows_window, window
from mobile_sdk.runtimes.coreml.operators.mil_builder import CHANNELS_LAST, INPUT_LABEL, SCORES, labels

_ONE, _HALF = np.float32(1), np.float32(0.5)


@dataclass(frozen=True, kw_only=True, eq=False)
class Expected:
    """An operation: its result's name, MIL's kind, and the numbers among its parameters."""

    name: str
    kind: str
    path: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


def expected_operations(graph: Graph) -> Iterator[Expected]:
    """All operations of an int8 or mixed graph's file but its constants, which lie in the operations that take them."""
    zero_point = np.int8(arithmetic.quantization_of(graph.input).zero_point)
    yield _expected(f"{INPUT_LABEL}_code", "quantize", "the input", scale=_ONE, zero_point=np.int8(-128))
    yield _expected(f"{INPUT_LABEL}_centred", "dequantize", "the input", scale=_ONE, zero_point=zero_point)
    for label, operator in zip(labels(graph), graph.operators, strict=True):
        is_last = operator is graph.operators[-1]
        if operator.output.quantization is None:
            yield from _kept(operator, label, is_last=is_last)
            continue
        yield from _operations(operator, label)
        yield from _clamp(operator, label)
        yield from _grid(operator, label, is_last=is_last)


def _expected(name: str, kind: str, path: str, **numbers: Any) -> Expected:
    return Expected(name=name, kind=kind, path=path, numbers=numbers)


def _kept(operator: Operator, label: str, *, is_last: bool) -> Iterator[Expected]:
    """An operator in float32."""
    for suffix, kind, numbers in described(operator):
        yield _expected(label + suffix, kind, operator.path, **numbers)
    if is_last and len(operator.output.shape) == 3:
        yield _channels_last(operator)
    elif is_last:
        yield _expected(SCORES, "identity", operator.path)


def _channels_last(operator: Operator) -> Expected:
    return _expected(SCORES, "transpose", operator.path, perm=np.array(CHANNELS_LAST, np.int32))


def _operations(operator: Operator, label: str) -> Iterator[Expected]:
    path = operator.path
    match operator:
        case Conv2d() | Linear():
            yield from _weighted(operator, label)
        case Add(b=Constant()) if (line := line_of_constant(operator)) is not None:
            yield _expected(f"{label}_product", "mul", path, y=line.factor)
            yield _expected(label, "add", path, y=line.offset)
        case Add():
            yield from _split_sum(operator, label)
        case Mul():
            yield from _product(operator, label)
        case Mean():
            yield from _mean(operator, label)
        case Quantize(output=output) if output.quantization is not None:
            yield _expected(label, "mul", path, y=_ONE / np.float32(output.quantization.scale))
        case _:
            yield from _rearrangement(operator, label)


def _rearrangement(operator: Operator, label: str) -> Iterator[Expected]:
    """Operators that compute nothing new: what they take or move is what they give."""
    path = operator.path
    match operator:
        case MaxPool2d():
            yield _expected(label, "max_pool", path, **integers(window(operator)))
        case Concat() | JoinRows() | Rows():
            yield _rearranged(operator, label)
        case ChannelSlice() | ChannelShuffle():
            for suffix, kind, numbers in moves(operator):
                yield _expected(f"{label}{suffix}", kind, path, **numbers)
        case ResizeBilinear():
            yield _expected(label, "upsample_bilinear", path, **resize_factors(operator))
            yield _expected(f"{label}_shifted", "add", path, y=_HALF)
            yield _expected(f"{label}_steps", "floor", path)
        case Reshape(output=output):
            yield _expected(label, "reshape", path, shape=np.array([1, *output.shape], np.int32))


def _rearranged(operator: Concat | JoinRows | Rows, label: str) -> Expected:
    if isinstance(operator, Rows):
        begin, size = (np.array(numbers, np.int32) for numbers in rows_window(operator))
        return _expected(label, "slice_by_size", operator.path, begin=begin, size=size)
    axis = 1 if isinstance(operator, Concat) else 2
    return _expected(label, "concat", operator.path, axis=np.int32(axis))


def _weighted(operator: Conv2d | Linear, label: str) -> Iterator[Expected]:
    path, weight = operator.path, f"{label}_weight"
    yield _expected(
        weight,
        "constexpr_affine_dequantize",
        path,
        quantized_data=operator.weight,
        scale=_ONE,
        zero_point=np.int8(0),
    )
    # In float64, which holds every int32: a bias that float32 had to round is unequal.
    bias = operator.bias.astype(np.float64)
    if isinstance(operator, Conv2d):
        yield _expected(label, "conv", path, bias=bias, **integers(conv_geometry(operator)))
    else:
        yield _expected(label, "linear", path, bias=bias)
    yield _expected(f"{label}_steps", "mul", path, y=requantization_factors(operator))


def _split_sum(operator: Add, label: str) -> Iterator[Expected]:
    path, split, constant = operator.path, split_factors(operator), operator.b
    for half, a, b in (("high", split.high_a, split.high_b), ("low", split.low_a, split.low_b)):
        yield _expected(f"{label}_{half}_a", "mul", path, y=a)
        if isinstance(constant, Constant):
            yield _expected(f"{label}_{half}", "add", path, y=np.float32(centred(constant) * b))
        else:
            yield _expected(f"{label}_{half}_b", "mul", path, y=b)
            yield _expected(f"{label}_{half}", "add", path)
    yield _expected(f"{label}_low_floor", "floor", path)
    yield _expected(label, "add", path)
    yield _expected(f"{label}_untied", "add", path, y=_HALF)


def _product(operator: Mul, label: str) -> Iterator[Expected]:
    path = operator.path
    a, b, y = (arithmetic.quantization_of(each) for each in (operator.a, operator.b, operator.output))
    if is_square(operator):
        yield _expected(f"{label}_real", "mul", path, y=np.float32(a.scale))
        yield _expected(label, "mul", path)
        yield _expected(f"{label}_steps", "mul", path, y=_ONE / np.float32(y.scale))
        yield _expected(f"{label}_shifted", "add", path, y=np.float32(y.zero_point))
        return
    if isinstance(operator.b, Constant):
        yield _expected(label, "mul", path, y=np.float32(centred(operator.b)))
    else:
        yield _expected(label, "mul", path)
    yield _expected(f"{label}_steps", "mul", path, y=arithmetic.product_factor(a, b, y))


def _mean(operator: Mean, label: str) -> Iterator[Expected]:
    path, x = operator.path, arithmetic.quantization_of(operator.input)
    count = operator.input.shape[1] * operator.input.shape[2]
    factor, offset = arithmetic.mean_terms(x, arithmetic.quantization_of(operator.output), count)
    keeps_dimensions = np.bool_(len(operator.output.shape) == 3)
    yield _expected(label, "reduce_sum", path, axes=np.array([2, 3], np.int32), keep_dims=keeps_dimensions)
    yield _expected(f"{label}_uncentred", "add", path, y=np.float32(count * x.zero_point))
    yield _expected(f"{label}_steps", "mul", path, y=factor)
    yield _expected(f"{label}_shifted", "add", path, y=offset)


def _clamp(operator: Operator, label: str) -> Iterator[Expected]:
    grid = arithmetic.quantization_of(operator.output)
    bounds = arithmetic.clamp_range(grid, getattr(operator, "clamp", Clamp.NONE))
    if bounds == arithmetic.clamp_range(grid, Clamp.NONE):
        return
    step, zero_point = _step(operator), 0 if _is_centred(operator) else grid.zero_point
    low, high = (np.float32((bound + zero_point) * step) for bound in bounds)
    yield _expected(f"{label}_clamp", "clip", operator.path, alpha=low, beta=high)


def _grid(operator: Operator, label: str, *, is_last: bool) -> Iterator[Expected]:
    path, grid = operator.path, arithmetic.quantization_of(operator.output)
    added = np.int8(grid.zero_point if _is_centred(operator) else 0)
    yield _expected(f"{label}_code", "quantize", path, scale=_step(operator), zero_point=added)
    name, scale, is_map = f"{label}_centred", _ONE, len(operator.output.shape) == 3
    if is_last:
        name, scale = f"{label}_values" if is_map else SCORES, np.float32(grid.scale)
    yield _expected(name, "dequantize", path, scale=scale, zero_point=np.int8(grid.zero_point))
    if is_last and is_map:
        yield _channels_last(operator)


def _is_centred(operator: Operator) -> bool:
    """Whether the zero point is yet to be added when the operator's result is rounded."""
    return not isinstance(operator, Mean) and not (isinstance(operator, Mul) and is_square(operator))


def _step(operator: Operator) -> np.float32:
    if not isinstance(operator, Add) or (isinstance(operator.b, Constant) and line_of_constant(operator) is not None):
        return _ONE
    return split_factors(operator).step
