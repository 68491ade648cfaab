"""Writes products of two matrices, softmax, and normalisation by a tensor's own values."""

import numpy as np

from mobile_sdk.graph.operators import MatMul, Normalize, Softmax
from mobile_sdk.runtimes.onnx.operators.table import float32, int8
from mobile_sdk.runtimes.onnx.writer import OnnxWriter


@int8.of(MatMul)
def _matmul(operator: MatMul, file: OnnxWriter) -> None:
    product = file.node("MatMul", [file.real(operator.a), file.real(operator.b)], ":product")
    file.quantize(product, operator.output)


@float32.of(MatMul)
def _float_matmul(operator: MatMul, file: OnnxWriter) -> None:
    operands = [file.real(operator.a), file.real(operator.b)]
    file.give(operator, lambda name: file.node("MatMul", operands, name))


@float32.of(Softmax)
def _softmax(operator: Softmax, file: OnnxWriter) -> None:
    source, axis = file.real(operator.input), _channel_axis(operator.output.shape)
    file.give(operator, lambda name: file.node("Softmax", [source], name, axis=axis))


@float32.of(Normalize)
def _normalize(operator: Normalize, file: OnnxWriter) -> None:
    """Writes a mean, a difference, its mean square, the inverse of its root, and products with these and the gain."""
    value, axes, shape = file.real(operator.input), [1 + axis for axis in operator.axes], operator.output.shape
    if operator.groups > 1:
        channels, *sides = shape
        value = file.reshape(value, ":grouped", (1, operator.groups, channels // operator.groups, *sides))
        axes = [2, 3, 4]
    if operator.is_centred:
        mean = file.node("ReduceMean", [value], ":mean", axes=axes, keepdims=1)
        value = file.node("Sub", [value, mean], ":difference")
    square = file.node("Mul", [value, value], ":square")
    variance = file.node("ReduceMean", [square], ":variance", axes=axes, keepdims=1)
    shifted = file.node("Add", [variance, file.scalar(":epsilon", operator.epsilon)], ":shifted")
    scale = file.node("Reciprocal", [file.node("Sqrt", [shifted], ":root")], ":scale")
    value = file.node("Mul", [value, scale], ":scaled")
    if operator.groups > 1:
        value = file.reshape(value, ":joined", (1, *shape))
    by_channel = [1] * (1 + len(shape))
    by_channel[_channel_axis(shape)] = -1
    gain, offset = (np.asarray(each, np.float32).reshape(by_channel) for each in (operator.gain, operator.offset))
    gained = file.node("Mul", [value, file.constant(":gain", gain)], ":gained")
    end = file.constant(":offset", offset)
    file.give(operator, lambda name: file.node("Add", [gained, end], name))


def _channel_axis(shape: tuple[int, ...]) -> int:
    """Returns the axis of channels in the file."""
    return 1 if len(shape) == 3 else len(shape)
