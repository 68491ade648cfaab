"""Writes convolutions and fully connected layers, each with its weights and biases."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Clamp, Conv2d, ConvTranspose2d, Linear, Weighted
from mobile_sdk.runtimes.onnx.operators.table import float32, int8
from mobile_sdk.runtimes.onnx.writer import OnnxWriter, pads


@int8.of(Conv2d)
def _conv2d(operator: Conv2d, file: OnnxWriter) -> None:
    operands = [file.real(operator.input), *_parameters(operator, operator.weight, 1, file)]
    file.quantize(file.node("Conv", operands, ":sum", **_window(operator)), operator.output, operator.clamp)


@int8.of(ConvTranspose2d)
def _conv_transpose2d(operator: ConvTranspose2d, file: OnnxWriter) -> None:
    """Writes a convolution with as many outputs as a stride has pixels, and puts these side by side.

    ONNX Runtime has no integer kernel of a transposed convolution.
    """
    weight = _by_pixel(operator)
    (channels, *_), (down, across) = operator.output.shape, operator.stride
    taps = weight.shape[2:]
    rows, columns = (side + tap - 1 for side, tap in zip(operator.input.shape[1:], taps, strict=True))
    operands = [file.real(operator.input), *_parameters(operator, weight, down * across, file)]
    window = {"kernel_shape": list(taps), "pads": [tap - 1 for tap in (*taps, *taps)]}
    grid = arithmetic.quantization_of(operator.output)
    sums = file.node("Conv", operands, ":sum", **window)
    codes = file.quantized(sums, ":pixels", grid, operator.clamp)
    split = file.reshape(codes, ":split", (1, channels, down, across, rows, columns))
    turned = file.node("Transpose", [split], ":turned", perm=[0, 1, 4, 2, 5, 3])
    whole = file.reshape(turned, ":whole", (1, channels, rows * down, columns * across))
    starts = operator.padding[::2]
    stops = [start + side for start, side in zip(starts, operator.output.shape[1:], strict=True)]
    ends = [file.integers(f":{name}", at) for name, at in (("starts", starts), ("ends", stops), ("axes", (2, 3)))]
    file.node("Slice", [whole, *ends], file.name(operator.output))


@int8.of(Linear)
def _linear(operator: Linear, file: OnnxWriter) -> None:
    """Writes a Gemm, whose rows are those of all axes before the last."""
    parameters = _parameters(operator, operator.weight, 1, file)
    if len(operator.output.shape) == 1:
        product = file.node("Gemm", [file.real(operator.input), *parameters], ":sum", transB=1)
        file.quantize(product, operator.output, operator.clamp)
        return
    x, y = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    rows = file.reshape(file.name(operator.input), ":rows", (-1, operator.input.shape[-1]))
    product = file.node("Gemm", [file.dequantized(rows, ":rows_real", x), *parameters], ":sum", transB=1)
    codes = file.quantized(product, ":product", y, operator.clamp)
    file.reshape(codes, file.name(operator.output), (1, *operator.output.shape))


def _parameters(operator: Weighted, weight: NDArray[Any], times: int, file: OnnxWriter) -> tuple[str, str]:
    """Writes int8 weights and int32 biases, and returns their real values, which a fused kernel never computes.

    `weight` has each of the operator's outputs so many times.
    """
    assert operator.weight_scales is not None
    bias_scales = arithmetic.bias_scales(arithmetic.quantization_of(operator.input), operator.weight_scales)
    found = []
    for name, codes, scales in (
        ("weight", weight, operator.weight_scales.repeat(times)),
        ("bias", operator.bias.repeat(times), bias_scales.repeat(times)),
    ):
        inputs = [
            file.constant(f":{name}", codes),
            file.constant(f":{name}_scales", scales),
            file.constant(f":{name}_zero_points", np.zeros(len(codes), codes.dtype)),
        ]
        found.append(file.node("DequantizeLinear", inputs, f":{name}_real", axis=0))
    return found[0], found[1]


def _by_pixel(operator: ConvTranspose2d) -> NDArray[np.int8]:
    """Returns filters (O * stride's pixels, I, taps) that give each pixel of a stride its share of the filters.

    Pixel `stride * m + a` adds up `weight[a + stride * j] * x[m - j]`.
    """
    outputs, inputs, height, width = operator.weight.shape
    down, across = operator.stride
    rows, columns = -(-height // down), -(-width // across)
    padded = np.zeros((outputs, inputs, rows * down, columns * across), np.int8)
    padded[:, :, :height, :width] = operator.weight
    apart = padded.reshape(outputs, inputs, rows, down, columns, across)[:, :, ::-1, :, ::-1]
    return apart.transpose(0, 3, 5, 1, 2, 4).reshape(-1, inputs, rows, columns)


@float32.of(Conv2d)
def _float_conv2d(operator: Conv2d, file: OnnxWriter) -> None:
    operands = [file.real(operator.input), *_floats(operator, operator.weight, file)]
    _give(operator, file, lambda name: file.node("Conv", operands, name, **_window(operator)))


@float32.of(ConvTranspose2d)
def _float_conv_transpose2d(operator: ConvTranspose2d, file: OnnxWriter) -> None:
    """Writes the weights in ONNX's order, which begins with the inputs' axis."""
    operands = [file.real(operator.input), *_floats(operator, operator.weight.swapaxes(0, 1), file)]
    options = {
        "kernel_shape": list(operator.weight.shape[2:]),
        "strides": list(operator.stride),
        "pads": pads(operator.padding),
    }
    _give(operator, file, lambda name: file.node("ConvTranspose", operands, name, **options))


@float32.of(Linear)
def _float_linear(operator: Linear, file: OnnxWriter) -> None:
    parameters, source = _floats(operator, operator.weight, file), file.real(operator.input)
    if len(operator.output.shape) == 1:
        _give(operator, file, lambda name: file.node("Gemm", [source, *parameters], name, transB=1))
        return
    rows = file.reshape(source, ":rows", (-1, operator.input.shape[-1]))
    product = file.node("Gemm", [rows, *parameters], ":gemm", transB=1)
    _give(operator, file, lambda name: file.reshape(product, name, (1, *operator.output.shape)))


def _give(operator: Weighted, file: OnnxWriter, write: Callable[[str], str]) -> None:
    """Ends a float32 layer; one among int8 layers is held apart from what follows by a maximum that changes nothing.

    ONNX Runtime would fold a factor or an addend behind it into its weights, and then make int8 of these.
    """
    if not file.is_mixed or operator.clamp is not Clamp.NONE:
        file.give(operator, write)
        return
    lowest = file.scalar(":lowest", float(np.finfo(np.float32).min))
    file.node("Max", [write(":product"), lowest], file.name(operator.output))


def _floats(operator: Weighted, weight: NDArray[Any], file: OnnxWriter) -> tuple[str, str]:
    bias = np.asarray(operator.bias, np.float32)
    return file.constant(":weight", np.asarray(weight, np.float32)), file.constant(":bias", bias)


def _window(operator: Conv2d) -> dict[str, Any]:
    return {
        "kernel_shape": list(operator.weight.shape[2:]),
        "strides": list(operator.stride),
        "pads": pads(operator.padding),
        "dilations": list(operator.dilation),
        "group": operator.groups,
    }
