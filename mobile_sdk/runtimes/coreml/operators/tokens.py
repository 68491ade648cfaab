"""Writes products of two matrices, softmax, and normalisation by a tensor's own values."""

from typing import Any

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import MatMul, Normalize, Softmax
from mobile_sdk.runtimes.coreml.mil_writer import MilWriter, mil_axis, mil_shape
from mobile_sdk.runtimes.coreml.operators.table import int8, of_real_values


@int8.of(MatMul)
def _matmul(operator: MatMul, file: MilWriter) -> Any:
    grids = (arithmetic.quantization_of(each) for each in (operator.a, operator.b, operator.output))
    return file.codes(file.mul(_product(operator, file), arithmetic.product_factor(*grids), "_steps"), operator.output)


@of_real_values(MatMul)
def _float_matmul(operator: MatMul, file: MilWriter) -> Any:
    return file.values(_product(operator, file))


def _product(operator: MatMul, file: MilWriter) -> Any:
    return file.mil.matmul(x=file.read(operator.a), y=file.read(operator.b), name=file.label)


@of_real_values(Softmax)
def _softmax(operator: Softmax, file: MilWriter) -> Any:
    axis = _channel_axis(operator.output.shape)
    return file.values(file.mil.softmax(x=file.read(operator.input), axis=axis, name=file.label))


@of_real_values(Normalize)
def _normalize(operator: Normalize, file: MilWriter) -> Any:
    mil, label, value = file.mil, file.label, file.read(operator.input)
    axes = [mil_axis(operator.output.shape, axis) for axis in operator.axes]
    in_file = list(mil_shape(operator.output.shape))
    if operator.groups > 1:
        channels, *sides = operator.output.shape
        shape = [1, operator.groups, channels // operator.groups, *sides]
        value, axes = mil.reshape(x=value, shape=shape, name=f"{label}_grouped"), [2, 3, 4]
    if operator.is_centred:
        mean = mil.reduce_mean(x=value, axes=axes, keep_dims=True, name=f"{label}_mean")
        value = mil.sub(x=value, y=mean, name=f"{label}_difference")
    square = file.mul(value, value, "_square")
    variance = mil.reduce_mean(x=square, axes=axes, keep_dims=True, name=f"{label}_variance")
    scale = mil.rsqrt(x=variance, epsilon=file.number(operator.epsilon), name=f"{label}_scale")
    value = file.mul(value, scale, "_scaled")
    if operator.groups > 1:
        value = mil.reshape(x=value, shape=in_file, name=f"{label}_joined")
    by_channel = [1] * len(in_file)
    by_channel[_channel_axis(operator.output.shape)] = -1
    gained = file.mul(value, file.number(operator.gain).reshape(by_channel), "_gained")
    return file.values(file.add(gained, file.number(operator.offset).reshape(by_channel)))


def _channel_axis(shape: tuple[int, ...]) -> int:
    """Returns the axis of channels in the file."""
    return mil_axis(shape, 0 if len(shape) == 3 else len(shape) - 1)
