"""Writes convolutions and fully connected layers, each with its weights and biases."""

import math

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Conv2d, ConvTranspose2d, Linear, Weighted
from mobile_sdk.runtimes.coreai.operators.table import float32, int8
from mobile_sdk.runtimes.coreai.program import Operand
from mobile_sdk.runtimes.coreai.requantization import requantized
from mobile_sdk.runtimes.coreai.writer import FLOAT32, CoreAIWriter
from mobile_sdk.runtimes.exact_sums import whole_bias

_CHANNELS = 1  # the axis of a map, and of rows


@int8.of(Conv2d)
def _conv2d(operator: Conv2d, file: CoreAIWriter) -> None:
    _give_codes(operator, file, _convolved(operator, file, file.centred(operator.input), _codes(operator.weight, file)))


@int8.of(ConvTranspose2d)
def _conv_transpose2d(operator: ConvTranspose2d, file: CoreAIWriter) -> None:
    weight = _codes(operator.weight.swapaxes(0, 1), file)
    _give_codes(operator, file, _spread(operator, file, file.centred(operator.input), weight))


@int8.of(Linear)
def _linear(operator: Linear, file: CoreAIWriter) -> None:
    _give_codes(operator, file, _product(file, file.centred(operator.input), _codes(operator.weight.T, file)))


def _give_codes(operator: Weighted, file: CoreAIWriter, products: Operand) -> None:
    assert operator.weight_scales is not None
    x, y = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    factors = arithmetic.requantization(x, operator.weight_scales, y)
    sums = _with_bias(file, products, whole_bias(operator))
    codes = requantized(file, sums, factors, operator.output, operator.clamp, axis=_CHANNELS)
    file.give(operator.output, file.reshape(codes, (1, *operator.output.shape)))


def _codes(weight: NDArray[np.int8], file: CoreAIWriter) -> Operand:
    """Writes weights that stay int8 in the file, as Apple's tools write theirs, and are whole numbers."""
    one = (1,) * weight.ndim
    grid = np.ones(one, np.float32), np.zeros(one, np.int8), np.zeros(one, np.float32)
    return file.operation("blockwise_shift_scale", [np.ascontiguousarray(weight), *grid], weight.shape, FLOAT32)


@float32.of(Conv2d)
def _float_conv2d(operator: Conv2d, file: CoreAIWriter) -> None:
    _give_values(operator, file, _convolved(operator, file, file.real(operator.input), _floats(operator.weight)))


@float32.of(ConvTranspose2d)
def _float_conv_transpose2d(operator: ConvTranspose2d, file: CoreAIWriter) -> None:
    weight = _floats(operator.weight.swapaxes(0, 1))
    _give_values(operator, file, _spread(operator, file, file.real(operator.input), weight))


@float32.of(Linear)
def _float_linear(operator: Linear, file: CoreAIWriter) -> None:
    _give_values(operator, file, _product(file, file.real(operator.input), _floats(operator.weight.T)))


def _give_values(operator: Weighted, file: CoreAIWriter, products: Operand) -> None:
    sums = _with_bias(file, products, np.asarray(operator.bias, np.float32))
    file.give_values(operator, file.reshape(sums, (1, *operator.output.shape)), held_apart=True)


def _floats(weight: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.ascontiguousarray(weight, np.float32)


def _with_bias(file: CoreAIWriter, products: Operand, bias: NDArray[np.float32]) -> Operand:
    """Adds a bias along the channels; zeros are left away, as the compiler would."""
    if not bias.any():
        return products
    along = [-1 if axis == _CHANNELS else 1 for axis in range(len(file.shape(products)))]
    return file.binary("add", products, bias.reshape(along))


def _convolved(operator: Conv2d, file: CoreAIWriter, x: Operand, weight: Operand) -> Operand:
    top, bottom, left, right = operator.padding
    padded = file.pad(x, [(0, 0), (0, 0), (top, bottom), (left, right)], np.array(0, np.float32))
    window = (np.array(each, np.uint32) for each in (operator.stride, operator.dilation, operator.groups))
    return file.operation("conv2d", [padded, weight, *window], (1, *operator.output.shape), FLOAT32)


def _spread(operator: ConvTranspose2d, file: CoreAIWriter, x: Operand, weight: Operand) -> Operand:
    """Writes a transposed convolution, and leaves rows and columns away at the border of its map."""
    sides = zip(operator.input.shape[1:], operator.weight.shape[2:], operator.stride, strict=True)
    whole = [(side - 1) * stride + taps for side, taps, stride in sides]
    channels, *rest = operator.output.shape
    # stride, padding, dilation, padding of the output, groups
    window = (np.array(each, np.uint32) for each in (operator.stride, (0, 0), (1, 1), (0, 0), 1))
    spread = file.operation("conv_transpose2d", [x, weight, *window], (1, channels, *whole), FLOAT32)
    starts = operator.padding[::2]
    stops = [start + side for start, side in zip(starts, rest, strict=True)]
    return file.slice(spread, (0, 0, *starts), (1, channels, *stops))


def _product(file: CoreAIWriter, x: Operand, weight: Operand) -> Operand:
    """Writes the product of all rows (rows, I) with weights (I, O)."""
    *_, inputs = file.shape(x)
    rows = file.reshape(x, (math.prod(file.shape(x)[:-1]), inputs))
    outputs = file.shape(weight)[1]
    return file.operation("batch_matmul", [rows, weight], (file.shape(rows)[0], outputs), FLOAT32)
