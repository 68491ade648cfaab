"""Writes products of two matrices, softmax, and normalisation by a tensor's own values."""

import numpy as np

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Clamp, MatMul, Normalize, Softmax
from mobile_sdk.runtimes.coreai.operators.table import float32, int8
from mobile_sdk.runtimes.coreai.program import Operand
from mobile_sdk.runtimes.coreai.requantization import requantized
from mobile_sdk.runtimes.coreai.writer import FLOAT32, CoreAIWriter


@int8.of(MatMul)
def _matmul(operator: MatMul, file: CoreAIWriter) -> None:
    factor = np.array(
        arithmetic.product_factor(
            *(arithmetic.quantization_of(each) for each in (operator.a, operator.b, operator.output))
        )
    )
    sums = _product(operator, file, file.centred(operator.a), file.centred(operator.b))
    file.give(operator.output, requantized(file, sums, factor, operator.output, Clamp.NONE))


@float32.of(MatMul)
def _float_matmul(operator: MatMul, file: CoreAIWriter) -> None:
    file.give(operator.output, _product(operator, file, file.real(operator.a), file.real(operator.b)))


def _product(operator: MatMul, file: CoreAIWriter, a: Operand, b: Operand) -> Operand:
    return file.operation("batch_matmul", [a, b], (1, *operator.output.shape), FLOAT32)


@float32.of(Softmax)
def _softmax(operator: Softmax, file: CoreAIWriter) -> None:
    x, axis = file.real(operator.input), np.array(_channel_axis(operator.output.shape), np.int32)
    file.give(operator.output, file.operation("softmax", [x, axis], file.shape(x), FLOAT32))


@float32.of(Normalize)
def _normalize(operator: Normalize, file: CoreAIWriter) -> None:
    """Writes a mean, a difference, its mean square, the inverse of its root, and products with these and the gain."""
    value, axes, shape = file.real(operator.input), [1 + axis for axis in operator.axes], operator.output.shape
    if operator.groups > 1:
        channels, *sides = shape
        value = file.reshape(value, (1, operator.groups, channels // operator.groups, *sides))
        axes = [2, 3, 4]
    if operator.is_centred:
        value = file.binary("sub", value, _mean(file, value, axes))
    variance = _mean(file, file.binary("mul", value, value), axes)
    scale = file.unary("rsqrt", file.binary("add", variance, operator.epsilon))
    value = file.reshape(file.binary("mul", value, scale), (1, *shape))
    by_channel = [1] * (1 + len(shape))
    by_channel[_channel_axis(shape)] = -1
    gain, offset = (np.asarray(each, np.float32).reshape(by_channel) for each in (operator.gain, operator.offset))
    file.give_values(operator, file.binary("add", file.binary("mul", value, gain), offset))


def _mean(file: CoreAIWriter, value: Operand, axes: list[int]) -> Operand:
    kept = [1 if axis in axes else side for axis, side in enumerate(file.shape(value))]
    return file.operation("reduce_mean", [value, np.array(axes, np.int32)], kept, FLOAT32)


def _channel_axis(shape: tuple[int, ...]) -> int:
    """Returns the axis of channels in the file."""
    return 1 if len(shape) == 3 else len(shape)
