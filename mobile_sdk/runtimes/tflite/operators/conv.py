"""Writes convolutions and fully connected layers, each with its weights and biases."""

from dataclasses import replace
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Conv2d, ConvTranspose2d, Linear, Weighted
from mobile_sdk.runtimes.shapes import runtime_shape
from mobile_sdk.runtimes.tflite.model_writer import FUSED, ModelWriter
from mobile_sdk.runtimes.tflite.operators.padding import extents, pad
from mobile_sdk.runtimes.tflite.operators.slicing import write_window
from mobile_sdk.runtimes.tflite.operators.table import write


@write.of(Conv2d)
def _conv2d(operator: Conv2d, file: ModelWriter) -> None:
    """Writes a convolution, with 4-bit weights as a fully connected layer at every pixel: XNNPACK has no other such."""
    if operator.weight_bits == 4:
        return _fully_connected(operator, file)
    if operator.is_depthwise:
        options = schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = len(operator.weight) // operator.groups
        kind, axis, weight = "DEPTHWISE_CONV_2D", 3, operator.weight.transpose(1, 2, 3, 0)
    else:
        options = schema.Conv2DOptionsT()
        kind, axis, weight = "CONV_2D", 0, operator.weight.transpose(0, 2, 3, 1)
    options.strideH, options.strideW = operator.stride
    options.dilationHFactor, options.dilationWFactor = operator.dilation
    options.fusedActivationFunction = FUSED[operator.clamp]
    extent = extents(operator.weight.shape[2:], operator.dilation)
    source, options.padding = pad(file, operator, operator.input, extent, operator.stride, operator.padding)
    return file.operator(kind, [source, *_parameters(file, operator, weight, axis)], operator.output.name, options)


@write.of(ConvTranspose2d)
def _conv_transpose2d(operator: ConvTranspose2d, file: ModelWriter) -> None:
    """Writes a TRANSPOSE_CONV, with SAME where LiteRT has such an output, else with VALID and a slice of the result.

    SAME leaves as many rows away above as below: filters get taps of zeros to make up for any other padding, and where
    they are smaller than strides, which XNNPACK does not take.
    """
    options = schema.TransposeConvOptionsT()
    options.strideH, options.strideW = operator.stride
    options.fusedActivationFunction = FUSED[operator.clamp]
    (filters, _, *kernel), (top, bottom, left, right) = operator.weight.shape, operator.padding
    lacking = [max(step - size, 0) for step, size in zip(operator.stride, kernel, strict=True)]
    kept = kernel[0] - top - bottom, kernel[1] - left - right
    output = operator.output
    if all(0 < size <= step for size, step in zip(kept, operator.stride, strict=True)):
        options.padding = schema.Padding.SAME
        taps = [_evening(top, bottom, lacking[0]), _evening(left, right, lacking[1])]
    else:
        options.padding = schema.Padding.VALID
        taps = [(0, lacking[0]), (0, lacking[1])]
        whole = [
            size + before + after
            for size, before, after in zip(output.shape[1:], (top, left), (bottom, right), strict=True)
        ]
        shape = (filters, whole[0] + lacking[0], whole[1] + lacking[1])
        if shape != output.shape:
            output = replace(output, name=f"{output.name}.whole", shape=shape)
            file.declare(output)
    weight, bias = _parameters(
        file, operator, np.pad(operator.weight, [(0, 0), (0, 0), *taps]).transpose(0, 2, 3, 1), 0
    )
    size = f"{operator.output.name}.shape"
    file.constant(size, np.array(runtime_shape(output.shape), np.int32))
    file.operator("TRANSPOSE_CONV", [size, weight, operator.input.name, bias], output.name, options)
    if output is not operator.output:
        shape = (filters, operator.output.shape[1], output.shape[2])
        rows = replace(output, name=f"{operator.output.name}.rows", shape=shape)
        file.declare(rows)
        write_window(file, output.name, rows, 1, top)
        write_window(file, rows.name, operator.output, 2, left)


def _evening(before: int, after: int, least: int) -> tuple[int, int]:
    """Returns how many taps a filter gets at its begin and its end, so that as much is left away on both sides."""
    return max(after - before, 0) + least, max(before - after, 0) + least


@write.of(Linear)
def _linear(operator: Linear, file: ModelWriter) -> None:
    _fully_connected(operator, file)


def _fully_connected(operator: Linear | Conv2d, file: ModelWriter) -> None:
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = FUSED[operator.clamp]
    options.keepNumDims = len(operator.output.shape) > 1
    parameters = _parameters(file, operator, operator.weight.reshape(operator.weight.shape[:2]), 0)
    file.operator("FULLY_CONNECTED", [operator.input.name, *parameters], operator.output.name, options)


def _parameters(file: ModelWriter, operator: Weighted, weight: NDArray[Any], axis: int) -> tuple[str, str]:
    """Declares weight and bias, and returns their names."""
    name = operator.output.name
    weight_name, bias_name = f"{name}.weight", f"{name}.bias"
    if operator.weight_scales is None:
        file.constant(weight_name, weight.astype(np.float32))
        file.constant(bias_name, operator.bias.astype(np.float32))
    else:
        grid = arithmetic.bias_scales(arithmetic.quantization_of(operator.input), operator.weight_scales)
        if operator.weight_bits == 4:
            file.four_bit_constant(weight_name, weight, operator.weight_scales)
        else:
            file.constant(weight_name, weight, operator.weight_scales, axis=axis)
        file.constant(bias_name, operator.bias, grid)
    return weight_name, bias_name
