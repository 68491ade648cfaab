"""Models of the integer operators in numpy's 64-bit integers, written from the rules: centred codes in, codes out."""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import (
    Add,
    ChannelShuffle,
    ChannelSlice,
    Clamp,
    Concat,
    Constant,
    ConstantTensor,
    Conv2d,
    ConvTranspose2d,
    Graph,
    Linear,
    MatMul,
    MaxPool2d,
    Mean,
    Mul,
    Operator,
    Pad,
    Quantization,
    Rearrange,
    Reshape,
    ResizeBilinear,
    Sub,
    Tensor,
)
from mobile_sdk.graph.reference import Reference

Codes = NDArray[np.int64]


def rounded_to_float32(
    accumulators: Codes, factors: NDArray[np.float32] | np.float32, y: Quantization, clamp: Clamp
) -> Codes:
    low, high = arithmetic.clamp_range(y, clamp)
    return np.clip(np.rint(accumulators.astype(np.float32) * factors), low, high).astype(np.int64) + y.zero_point


def model_conv2d(operator: Conv2d, x: Codes) -> Codes:
    """Sums of products, tap by tap, in int64."""
    assert operator.weight_scales is not None
    top, bottom, left, right = operator.padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    outputs, inputs, *kernel = operator.weight.shape
    (rows, columns), per_group = operator.output.shape[1:], outputs // operator.groups
    total = np.zeros((len(x), outputs, rows, columns), np.int64)
    for channel in range(outputs):
        first = channel // per_group * inputs
        for i, dy, dx in np.ndindex(inputs, *kernel):
            y0, x0 = dy * operator.dilation[0], dx * operator.dilation[1]
            y1, x1 = y0 + (rows - 1) * operator.stride[0] + 1, x0 + (columns - 1) * operator.stride[1] + 1
            window = x[:, first + i, y0 : y1 : operator.stride[0], x0 : x1 : operator.stride[1]]
            total[:, channel] += window * int(operator.weight[channel, i, dy, dx])
    total += operator.bias.astype(np.int64).reshape(-1, 1, 1)
    source, output = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    factors = arithmetic.requantization(source, operator.weight_scales, output).reshape(-1, 1, 1)
    return rounded_to_float32(total, factors, output, operator.clamp)


def model_conv_transpose2d(operator: ConvTranspose2d, x: Codes) -> Codes:
    """Every input pixel adds its filters' products to the output, tap by tap, in int64."""
    assert operator.weight_scales is not None
    outputs, inputs, *kernel = operator.weight.shape
    (down, across), (rows, columns) = operator.stride, x.shape[2:]
    whole = np.zeros((len(x), outputs, (rows - 1) * down + kernel[0], (columns - 1) * across + kernel[1]), np.int64)
    for channel, i, dy, dx in np.ndindex(outputs, inputs, *kernel):
        part = whole[:, channel, dy : dy + (rows - 1) * down + 1 : down, dx : dx + (columns - 1) * across + 1 : across]
        part += x[:, i] * int(operator.weight[channel, i, dy, dx])
    top, bottom, left, right = operator.padding
    total = whole[:, :, top : whole.shape[2] - bottom, left : whole.shape[3] - right]
    total = total + operator.bias.astype(np.int64).reshape(-1, 1, 1)
    source, output = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    factors = arithmetic.requantization(source, operator.weight_scales, output).reshape(-1, 1, 1)
    return rounded_to_float32(total, factors, output, operator.clamp)


def model_linear(operator: Linear, x: Codes) -> Codes:
    assert operator.weight_scales is not None
    total = x @ operator.weight.astype(np.int64).T + operator.bias.astype(np.int64)
    source, output = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    factors = arithmetic.requantization(source, operator.weight_scales, output)
    return rounded_to_float32(total, factors, output, operator.clamp)


def model_matmul(operator: MatMul, a: Codes, b: Codes) -> Codes:
    grids = [arithmetic.quantization_of(each) for each in (operator.a, operator.b, operator.output)]
    total = np.einsum("...ik,...kj->...ij", a, b)
    return rounded_to_float32(total, arithmetic.product_factor(*grids), grids[2], Clamp.NONE)


def model_add(operator: Add | Sub, a: Codes, b: Codes) -> Codes:
    y = arithmetic.quantization_of(operator.output)
    operands = (arithmetic.quantization_of(operator.a), arithmetic.quantization_of(operator.b))
    factor_a, factor_b, shift = arithmetic.add_factors(*operands, y)
    low, high = arithmetic.clamp_range(y, operator.clamp)
    b = -b if isinstance(operator, Sub) else b
    return np.clip((a * factor_a + b * factor_b + (1 << (shift - 1))) >> shift, low, high) + y.zero_point


def model_mul(operator: Mul, a: Codes, b: Codes) -> Codes:
    y = arithmetic.quantization_of(operator.output)
    operands = (arithmetic.quantization_of(operator.a), arithmetic.quantization_of(operator.b))
    factor = float(arithmetic.product_factor(*operands, y))  # times 65,025 at most: exact in float64
    low, high = arithmetic.clamp_range(y, operator.clamp)
    if operator.a == operator.b:
        values = (a * operands[0].scale).astype(np.float32)
        squares = values * values * (np.float32(1) / np.float32(y.scale)) + np.float32(y.zero_point)
        return np.clip(np.rint(squares).astype(np.int64), low + y.zero_point, high + y.zero_point)
    return np.clip(np.rint((a * b * factor).astype(np.float32)), low, high).astype(np.int64) + y.zero_point


def model_mean(operator: Mean, x: Codes) -> Codes:
    source, y = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    count = x.shape[2] * x.shape[3]
    factor, offset = arithmetic.mean_terms(source, y, count)
    uncentred = (x + source.zero_point).sum(axis=(2, 3)).astype(np.float32)
    codes = np.clip(np.rint(uncentred * factor + offset), -128, 127)
    return codes.astype(np.int64).reshape(-1, *operator.output.shape)


def model_max_pool2d(operator: MaxPool2d, x: Codes) -> Codes:
    top, bottom, left, right = operator.padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=-1000)
    windows = np.lib.stride_tricks.sliding_window_view(x, operator.kernel, axis=(2, 3))
    largest = windows[:, :, :: operator.stride[0], :: operator.stride[1]].max(axis=(4, 5))
    return largest + arithmetic.quantization_of(operator.output).zero_point


def modelled(graph: Graph, images: NDArray[np.uint8]) -> dict[str, Codes]:
    """Codes of every tensor by the models above."""
    values = {graph.input.name: images.transpose(0, 3, 1, 2).astype(np.int64) - 128}
    for operator in graph.operators:
        if isinstance(operator, ConstantTensor):
            values[operator.output.name] = np.repeat(operator.values[None].astype(np.int64), len(images), 0)
            continue
        values[operator.output.name] = _model(operator, [_centred(operand, values) for operand in operator.inputs])
    return values


def _centred(operand: Tensor | Constant, values: dict[str, Codes]) -> Codes:
    zero = arithmetic.quantization_of(operand).zero_point
    return np.array(int(operand.value) - zero) if isinstance(operand, Constant) else values[operand.name] - zero


def _model(operator: Operator, operands: list[Codes]) -> Codes:
    match operator:
        case Conv2d():
            return model_conv2d(operator, *operands)
        case ConvTranspose2d():
            return model_conv_transpose2d(operator, *operands)
        case Linear():
            return model_linear(operator, *operands)
        case MatMul():
            return model_matmul(operator, *operands)
        case Add() | Sub():
            return model_add(operator, *operands)
        case Mul():
            return model_mul(operator, *operands)
        case Mean():
            return model_mean(operator, *operands)
        case MaxPool2d():
            return model_max_pool2d(operator, *operands)
    return model_rearranged(operator, *operands) + arithmetic.quantization_of(operator.output).zero_point


def model_rearranged(operator: Operator, *operands: Codes) -> Codes:
    """Centred codes in, centred codes out."""
    if isinstance(operator, ChannelSlice):
        return operands[0].take(range(operator.start, operator.stop), 1 + operator.axis)
    if isinstance(operator, ChannelShuffle):
        rows = operands[0].shape[1] // operator.groups
        order = [rows * column + row for row in range(rows) for column in range(operator.groups)]
        return operands[0][:, order]
    if isinstance(operator, ResizeBilinear):
        return model_resized(operator, *operands)
    if isinstance(operator, Pad):
        return np.pad(operands[0], [(0, 0), *zip(operator.before, operator.after, strict=True)])
    if isinstance(operator, Rearrange):
        return model_rearrange(operator, *operands)
    assert isinstance(operator, Concat | Reshape)
    axis = operator.axis if isinstance(operator, Concat) else 0
    return np.concatenate(operands, axis=1 + axis).reshape(-1, *operator.output.shape)


def model_rearrange(operator: Rearrange, x: Codes) -> Codes:
    """Each value of the output in turn: its place among the axes in their new order says its place in the input."""
    flat = x.reshape(len(x), -1)
    strides = [int(np.prod(operator.split[axis + 1 :])) for axis in operator.order]
    places = np.ndindex(*(operator.split[axis] for axis in operator.order))
    sources = [sum(index * stride for index, stride in zip(place, strides, strict=True)) for place in places]
    return flat[:, sources].reshape(-1, *operator.output.shape)


def model_resized(operator: ResizeBilinear, x: Codes) -> Codes:
    """Pixel by pixel, in whole numbers: an output pixel's place lies so many 2048ths between two input pixels'."""
    (before, share), (left, part) = (
        _between(x.shape[axis], operator.output.shape[axis - 1], operator.align_corners) for axis in (2, 3)
    )
    below, right = (np.minimum(each + 1, count - 1) for each, count in ((before, x.shape[2]), (left, x.shape[3])))
    found = np.zeros((*x.shape[:2], *operator.output.shape[1:]), np.int64)
    for i, j in np.ndindex(*found.shape[2:]):
        upper = (x[:, :, before[i], left[j]] << 11) + (
            x[:, :, before[i], right[j]] - x[:, :, before[i], left[j]]
        ) * part[j]
        lower = (x[:, :, below[i], left[j]] << 11) + (x[:, :, below[i], right[j]] - x[:, :, below[i], left[j]]) * part[
            j
        ]
        found[:, :, i, j] = ((upper << 11) + (lower - upper) * share[i] + (1 << 21)) >> 22
    return found


def _between(count: int, outputs: int, align_corners: bool) -> tuple[Codes, Codes]:
    """The input pixel before each output pixel, and the next one's 2048ths; float32 as XNNPACK's, a step at a time."""
    one, half, pixels, shares = np.float32(1), np.float32(0.5), [], []
    for pixel in map(np.float32, range(outputs)):
        if align_corners:
            scale = (
                (np.float32(count) - one) / max(np.float32(outputs) - one, one) if outputs > 1 else np.float32(count)
            )
            place = pixel * scale
        else:
            scale = np.float32(count) / np.float32(outputs)
            place = max(pixel * scale + (half * scale - half), np.float32(0))
        place = min(place, np.float32(count) - one)
        pixels.append(int(place))
        shares.append(round(float((place - np.float32(pixels[-1])) * np.float32(2048))))
    return np.array(pixels), np.array(shares)


def assert_modelled(graph: Graph, images: NDArray[np.uint8], *, values: int = 2) -> None:
    """Every tensor of the reference equals the model's; the output takes at least so many different codes."""
    found, expected = Reference(graph).trace(images), modelled(graph, images)
    assert found.keys() == expected.keys()
    for name, codes in expected.items():
        assert found[name].dtype == np.int8
        np.testing.assert_array_equal(found[name], codes, err_msg=name)
    assert len(np.unique(found[graph.output.name])) >= values, "the codes say nothing"
