"""Checks a graph that came from a file: each operator's output is shaped as its operands and settings give it.

A file can be sealed again after it was changed, so its numbers are claims. Behind this check sizes are positive and
bounded, settings are possible, arrays fit, and operands are tensors that were computed before. Whoever computes or
exports the graph relies on that.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite, prod
from typing import Any

import numpy as np

from mobile_sdk.errors import BundleError
from mobile_sdk.graph import operators as ops
from mobile_sdk.graph.checks.limits import SCALE_RANGE
from mobile_sdk.graph.interpolation import is_settled
from mobile_sdk.graph.operator_table import OperatorTable
from mobile_sdk.graph.operators.traits import Family

MOST_VALUES = 2**29  # of one tensor: MobileNetV2's widest has 403 million at 4,096 pixels a side
MOST_VALUES_IN_ALL = 2**33
LARGEST_SETTING = 2**16
_LONGEST_NAME = 1000
_INT8, _INT32, _FLOAT32 = np.dtype(np.int8), np.dtype(np.int32), np.dtype(np.float32)
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
_HINT = "the file was changed after it was written: copy it again, or make it again with `mobile-sdk quantize`"

Shape = tuple[int, ...]


class _MisfitError(Exception):
    """An operator, or the graph's input, holds something that cannot be; it says what was expected and found."""


def check_shapes(graph: ops.Graph) -> None:
    """Raises BundleError for the first operator that cannot be, by its class and module path."""
    try:
        _check_tensor(graph.input)
        _check_input(graph)
        _expect(graph.input.quantization is not None, "int8 codes", "float32")
    except _MisfitError as misfit:
        raise BundleError(f"{misfit} in the graph's input", hint=_HINT) from None
    known, values = {graph.input.name: graph.input}, 0
    for operator in graph.operators:
        try:
            _check_operator(operator, known)
            values += prod(operator.output.shape)
            if values > MOST_VALUES_IN_ALL:
                raise _misfit(f"{MOST_VALUES_IN_ALL:,} values in all tensors at most", values)
        except _MisfitError as misfit:
            path = operator.path if _is_name(operator.path) else ascii(operator.path)[:80]
            raise BundleError(f"{misfit} in {type(operator).__name__} at {path}", hint=_HINT) from None
        known[operator.output.name] = operator.output
    if not all(_is_name(name) for name in graph.output_names):
        raise BundleError("expected outputs with names of one line, found others", hint=_HINT)


def _check_input(graph: ops.Graph) -> None:
    shape = graph.input.shape
    if graph.reads_picture:
        _expect(len(shape) == 3, "channels, rows and columns", shape)
    else:
        _expect(1 <= len(shape) <= 3, "an array of one to three sides", shape)


def _check_operator(operator: ops.Operator, known: dict[str, ops.Tensor]) -> None:
    output = operator.output
    _expect(_is_name(operator.path), "a module path of one line", ascii(operator.path))
    _expect(output.name not in known, "tensors that are computed once", ascii(output.name))
    for operand in operator.inputs:
        if isinstance(operand, ops.Constant):
            _check_constant(operand)
        else:
            _expect(known.get(operand.name) == operand, "operands that are computed before", ascii(operand.name))
    _check_grids(operator)
    wanted = _shapes[operator](operator)
    if output.shape != wanted:
        raise _misfit(f"an output of shape {wanted!s:.80}", output.shape)
    _check_tensor(output)


def _check_tensor(tensor: ops.Tensor) -> None:
    _expect(_is_name(tensor.name), "a tensor's name of one line", ascii(tensor.name))
    _expect(min(tensor.shape, default=0) > 0, "positive sizes", tensor.shape)
    _check_number_of_values(tensor.shape)
    if tensor.quantization is not None:
        _check_scale(tensor.quantization)


def _check_constant(constant: ops.Constant) -> None:
    grid, value = constant.quantization, constant.value
    _expect(_is_name(constant.name), "a constant's name of one line", ascii(constant.name))
    if grid is None:
        _expect(abs(value) <= _LARGEST_FLOAT32, "a float32 constant", value)
    else:
        _expect(ops.INT8_MIN <= value <= ops.INT8_MAX and value == int(value), "a constant in -128..127", value)
        _check_scale(grid)


def _check_grids(operator: ops.Operator) -> None:
    """Checks which operands and outputs are codes, and which of them share one grid."""
    codes, gives_codes = [x.quantization is not None for x in operator.inputs], operator.output.quantization is not None
    match operator.traits.family:
        case Family.BOXES:
            _expect(not gives_codes, "a float32 output", "codes")
        case Family.CONVERSIONS:
            _expect([not gives_codes] == codes == [isinstance(operator, ops.Dequantize)], "another type", "its own")
        case Family.CONSTANTS:
            _expect(not codes, "no operand", len(codes))
        case _:
            _expect(set(codes) == {gives_codes}, "operands and output of one type", "codes and float32")
    if operator.traits.keeps_grid:
        output = operator.output.quantization
        _expect(all(x.quantization == output for x in operator.inputs), "one quantization", "several")


def _check_number_of_values(shape: Shape) -> None:
    if prod(shape) > MOST_VALUES:
        raise _misfit(f"{MOST_VALUES:,} values in a tensor at most", shape)


def _check_scale(grid: ops.Quantization) -> None:
    low, high = SCALE_RANGE
    if not low <= grid.scale < high:
        raise _misfit(f"a scale in [{low:g}, {high:g})", grid.scale)


def _is_name(text: str) -> bool:
    """Tells whether runtimes and error messages can hold the text: none of its letters breaks a line or a file."""
    return len(text) <= _LONGEST_NAME and text.isprintable()


def _expect(is_so: bool, expected: str, found: object) -> None:
    if not is_so:
        raise _misfit(expected, found)


def _misfit(expected: str, found: object) -> _MisfitError:
    return _MisfitError(f"expected {expected}, found {str(found)[:80]}")


_shapes: OperatorTable[Callable[[Any], Shape]] = OperatorTable("the check of shapes")
"""Each checks the settings of an operator and returns the shape of its output; raises _MisfitError if it has none."""


@_shapes.of(ops.Conv2d)
def _conv2d(operator: ops.Conv2d) -> Shape:
    channels, *_ = _map(operator.input)
    filters, depth, *_ = _check_weights(operator, axes=4)
    groups = operator.groups
    if groups < 1 or depth * groups != channels or filters % groups:
        raise _misfit(f"groups that divide {channels} channels into {depth}, and {filters} filters", groups)
    _check_settings("dilations", operator.dilation, least=1)
    return filters, *_windows(operator)


@_shapes.of(ops.ConvTranspose2d)
def _conv_transpose2d(operator: ops.ConvTranspose2d) -> Shape:
    channels, height, width = _map(operator.input)
    filters, depth, *kernel = _check_weights(operator, axes=4)
    _expect(depth == channels, f"filters of {channels} channels", depth)
    _check_settings("strides", operator.stride, least=1)
    _check_settings("paddings", operator.padding, least=0)
    whole = [
        (count - 1) * step + size for count, step, size in zip((height, width), operator.stride, kernel, strict=True)
    ]
    _check_number_of_values((filters, whole[0], whole[1]))
    top, bottom, left, right = operator.padding
    return filters, whole[0] - top - bottom, whole[1] - left - right


@_shapes.of(ops.Linear)
def _linear(operator: ops.Linear) -> Shape:
    outputs, inputs = _check_weights(operator, axes=2)
    *rows, last = operator.input.shape
    _expect(len(rows) < 2 and last == inputs, f"a vector or rows of {inputs} numbers", operator.input.shape)
    return *rows, outputs


@_shapes.of(ops.Add, ops.Sub, ops.Mul)
def _binary(operator: ops.Add | ops.Sub | ops.Mul) -> Shape:
    shape, other = operator.a.shape, operator.b
    if not isinstance(other, ops.Tensor):
        return shape
    fits = len(shape) == len(other.shape) and all(
        1 in sides or sides[0] == sides[1] for sides in zip(shape, other.shape, strict=True)
    )
    _expect(fits, f"a second operand that fits {shape}", other.shape)
    return tuple(map(max, shape, other.shape))


@_shapes.of(ops.ConstantTensor)
def _constant_tensor(operator: ops.ConstantTensor) -> Shape:
    wanted = _FLOAT32 if operator.output.quantization is None else _INT8
    _expect(operator.values.dtype == wanted, f"values of the type {wanted}", operator.values.dtype)
    return operator.values.shape


@_shapes.of(ops.Activation, ops.Dequantize, ops.Quantize)
def _unchanged(operator: ops.Activation | ops.Dequantize | ops.Quantize) -> Shape:
    return operator.input.shape


@_shapes.of(ops.UnaryFunction)
def _unary_function(operator: ops.UnaryFunction) -> Shape:
    parameters = operator.parameters
    number = _PARAMETERS.get(operator.function, 0)
    are_so = len(parameters) == number and all(abs(each) <= _LARGEST_FLOAT32 for each in parameters)
    is_clamp, is_scaled = operator.function is ops.Function.CLAMP, operator.function in _SCALED
    are_so &= not is_clamp or sorted(parameters) == list(parameters)
    are_so &= not is_scaled or 0 not in parameters
    _expect(are_so, f"{number} parameters, finite and in order", parameters)
    return operator.input.shape


_PARAMETERS: Mapping[ops.Function, int] = {
    ops.Function.LEAKY_RELU: 1,
    ops.Function.CLAMP: 2,
    ops.Function.AFFINE: 2,
    ops.Function.POWER: 1,
    ops.Function.SCALED_ELU: 3,
    ops.Function.SCALED_SOFTPLUS: 1,
}
_SCALED = (ops.Function.SCALED_ELU, ops.Function.SCALED_SOFTPLUS)


@_shapes.of(ops.Mean)
def _mean(operator: ops.Mean) -> Shape:
    channels, *_ = _map(operator.input)
    return (channels,) if len(operator.output.shape) == 1 else (channels, 1, 1)


@_shapes.of(ops.MaxPool2d, ops.AvgPool2d)
def _pool(operator: ops.MaxPool2d | ops.AvgPool2d) -> Shape:
    channels, *_ = _map(operator.input)
    _check_settings("kernels", operator.kernel, least=1)
    is_average = isinstance(operator, ops.AvgPool2d)
    most = (0, 0) if is_average else tuple(side - 1 for side in operator.kernel)  # no window has padding alone
    padding = operator.padding
    sees_values = max(padding[:2]) <= most[0] and max(padding[2:]) <= most[1]
    _expect(sees_values, "no padding" if is_average else "paddings smaller than the kernel", padding)
    return channels, *_windows(operator)


@_shapes.of(ops.Concat)
def _concat(operator: ops.Concat) -> Shape:
    first, axis = _first(operator.parts), operator.axis
    _expect(axis < len(first), f"an axis of {len(first)}", axis)
    for part in operator.parts:
        alike = (*part.shape[:axis], first[axis], *part.shape[axis + 1 :])
        _expect(len(part.shape) == len(first) and alike == first, f"parts like {first}, but along {axis}", part.shape)
    return *first[:axis], sum(part.shape[axis] for part in operator.parts), *first[axis + 1 :]


@_shapes.of(ops.JoinRows)
def _join_rows(operator: ops.JoinRows) -> Shape:
    channels, _, width = _map(*operator.parts[:1])
    for part in operator.parts:
        found, _, columns = _map(part)
        _expect((found, columns) == (channels, width), "parts of one width and as many channels", part.shape)
    return channels, sum(part.shape[1] for part in operator.parts), width


@_shapes.of(ops.ChannelSlice)
def _channel_slice(operator: ops.ChannelSlice) -> Shape:
    shape, axis, start, stop = operator.input.shape, operator.axis, operator.start, operator.stop
    _expect(axis < len(shape), f"an axis of {len(shape)}", axis)
    _expect(0 <= start < stop <= shape[axis], f"a slice of {shape[axis]} positions", (start, stop))
    return *shape[:axis], stop - start, *shape[axis + 1 :]


@_shapes.of(ops.ChannelShuffle)
def _channel_shuffle(operator: ops.ChannelShuffle) -> Shape:
    channels, *_ = _map(operator.input)
    divides = operator.groups > 0 and channels % operator.groups == 0
    _expect(divides, f"groups that divide {channels} channels", operator.groups)
    return operator.input.shape


@_shapes.of(ops.Rows)
def _rows(operator: ops.Rows) -> Shape:
    channels, height, width = _map(operator.input)
    _, rows, _ = _map(operator.output)
    _expect(0 <= operator.start <= height - rows, f"{rows} of {height} rows", f"those from {operator.start} on")
    return channels, rows, width


@_shapes.of(ops.Reshape)
def _reshape(operator: ops.Reshape) -> Shape:
    if operator.output.shape == operator.input.shape:  # a copy
        return operator.input.shape
    channels, *sides = operator.input.shape
    _expect(sides in ([], [1, 1]), "a vector or a map of one pixel", operator.input.shape)
    return (channels, 1, 1) if len(operator.output.shape) == 3 else (channels,)


@_shapes.of(ops.Pad)
def _pad(operator: ops.Pad) -> Shape:
    shape, before, after = operator.input.shape, operator.before, operator.after
    _expect(len(before) == len(after) == len(shape) > 0, f"zeros along {len(shape)} axes", (before, after))
    _check_settings("paddings", (*before, *after), least=0)
    return tuple(sum(sizes) for sizes in zip(before, shape, after, strict=True))


@_shapes.of(ops.Rearrange)
def _rearrange(operator: ops.Rearrange) -> Shape:
    values, split, shape = prod(operator.input.shape), operator.split, operator.output.shape
    _expect(prod(split) == values and len(split) <= _MOST_AXES, f"axes of {values} values", split)
    _expect(sorted(operator.order) == list(range(len(split))), f"an order of {len(split)} axes", operator.order)
    _expect(prod(shape) == values and len(shape) <= _MOST_AXES, f"an output of {values} values", shape)
    return shape


_MOST_AXES = 64


@_shapes.of(ops.MatMul)
def _matmul(operator: ops.MatMul) -> Shape:
    a, b = operator.a.shape, operator.b.shape
    fits = len(a) == len(b) and len(a) in (2, 4) and a[:-2] == b[:-2]
    _expect(fits, f"two matrices, or as many as in {a}", b)
    _expect(b[-2] == a[-1], f"a second matrix of {a[-1]} rows", b)
    return *a[:-1], b[-1]


@_shapes.of(ops.Softmax)
def _softmax(operator: ops.Softmax) -> Shape:
    return operator.input.shape


@_shapes.of(ops.Normalize)
def _normalize(operator: ops.Normalize) -> Shape:
    shape, axes, groups = operator.input.shape, operator.axes, operator.groups
    channel = 0 if len(shape) == 3 else len(shape) - 1
    are_axes = bool(axes) and sorted(set(axes)) == list(axes) and max(axes) < len(shape)
    _expect(are_axes, f"axes of {shape}, in order", axes)
    in_groups = groups == 1 or (len(axes) == len(shape) == 3 and groups > 0 and shape[0] % groups == 0)
    _expect(in_groups, f"groups that divide the {shape[channel]} channels of a map", groups)
    _expect(0 <= operator.epsilon < _LARGEST_FLOAT32, "an epsilon of 0 or more", operator.epsilon)
    for array in (operator.gain, operator.offset):
        is_so = array.shape == (shape[channel],) and array.dtype == _FLOAT32
        _expect(is_so, f"{shape[channel]} gains and offsets, float32", array.shape)
    return shape


@_shapes.of(ops.ResizeBilinear)
def _resize(operator: ops.ResizeBilinear) -> Shape:
    channels, *before = _map(operator.input)
    _, *after = _map(operator.output)
    _check_settings("sides of a map", (*before, *after), least=1)
    is_same = all(is_settled(*sides, align_corners=operator.align_corners) for sides in zip(before, after, strict=True))
    _expect(is_same, f"a size to which all processors interpolate {before} alike", after)
    return channels, *after


@_shapes.of(ops.DecodeBoxes)
def _decode_boxes(operator: ops.DecodeBoxes) -> Shape:
    _expect(len(operator.output.shape) == 2 and operator.output.shape[1] > 4, "boxes and scores", operator.output.shape)
    columns, anchors = operator.output.shape[1], []
    for index, prediction in enumerate(operator.predictions):
        of_position, rest = divmod(_map(prediction)[0], columns - 4 if index % 2 else 4)
        _expect(rest == 0, "whole rows of offsets and scores", prediction.shape)
        anchors.append(of_position * prod(prediction.shape[1:]))
    _expect(bool(anchors) and anchors[::2] == anchors[1::2], "offsets and scores of as many anchors", anchors)
    for array in (operator.origins, operator.steps):
        _expect(array.shape == (sum(anchors[::2]), 4), "origins and steps of the anchors", array.shape)
        _expect(
            array.dtype == _FLOAT32 and bool(np.isfinite(array).all()), "finite float32 origins and steps", array.dtype
        )
    return sum(anchors[::2]), columns


def _map(*tensors: ops.Tensor) -> Shape:
    """Returns channels, rows and columns of a map."""
    shape = _first(tensors)
    _expect(len(shape) == 3, "a map of channels, rows and columns", shape)
    return shape


def _first(tensors: Sequence[ops.Tensor]) -> Shape:
    _expect(bool(tensors), "an operand or more", ())
    return tensors[0].shape


def _check_settings(name: str, settings: Sequence[int], *, least: int) -> None:
    if min(settings) < least or max(settings) > LARGEST_SETTING:
        raise _misfit(f"{name} in {least}..{LARGEST_SETTING:,}", settings)


def _windows(operator: ops.Conv2d | ops.Pool2d) -> tuple[int, int]:
    """Returns rows and columns of what a window gives that moves over the padded map."""
    channels, height, width = operator.input.shape
    _check_settings("strides", operator.stride, least=1)
    _check_settings("paddings", operator.padding, least=0)
    top, bottom, left, right = operator.padding
    rows, columns = height + top + bottom, width + left + right
    _check_number_of_values((channels, rows, columns))
    high, wide = operator.extent
    if high > rows or wide > columns:
        raise _misfit(f"a window within {rows} × {columns} values", (high, wide))
    return (rows - high) // operator.stride[0] + 1, (columns - wide) // operator.stride[1] + 1


def _check_weights(operator: ops.Weighted, *, axes: int) -> Shape:
    """Returns the weights' shape, whose first axis the scales and the biases have."""
    weight, bias, scales = operator.weight, operator.bias, operator.weight_scales
    shape = weight.shape
    if len(shape) != axes or min(shape) < 1:
        raise _misfit(f"weights of {axes} axes", shape)
    if bias.shape != shape[:1]:
        raise _misfit(f"{shape[0]} biases", bias.shape)
    if operator.output.quantization is None:
        is_float = weight.dtype == bias.dtype == _FLOAT32 and scales is None
        _expect(is_float, "float32 weights and biases without scales", weight.dtype)
    else:
        _expect(weight.dtype == _INT8 and bias.dtype == _INT32, "int8 weights and int32 biases", weight.dtype)
        if scales is None or scales.shape != shape[:1] or scales.dtype != _FLOAT32:
            raise _misfit("a float32 scale a filter", "none" if scales is None else scales.shape)
        least, greatest = float(scales.min()), float(scales.max())
        _expect(least > 0 and isfinite(greatest), "positive, finite scales of weights", (least, greatest))
    if operator.weight_bits != 8:
        limit, found = ops.weight_limit(operator.weight_bits), (int(weight.min()), int(weight.max()))
        _expect(-limit <= found[0] and found[1] <= limit, f"{operator.weight_bits}-bit weights within ±{limit}", found)
    return shape
