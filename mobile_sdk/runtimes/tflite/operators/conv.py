"""Writes convolutions and fully connected layers, each with its weights and biases."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Conv2d, Linear
from mobile_sdk.runtimes.tflite.model_writer import FUSED, ModelWriter
from mobile_sdk.runtimes.tflite.operators.padding import extents, pad
from mobile_sdk.runtimes.tflite.operators.table import write


@write.of(Conv2d)
def _conv2d(operator: Conv2d, file: ModelWriter) -> None:
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
    file.operator(kind, [source, *_parameters(file, operator, weight, axis)], operator.output.name, 3, options)


@write.of(Linear)
def _linear(operator: Linear, file: ModelWriter) -> None:
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = FUSED[operator.clamp]
    options.keepNumDims = len(operator.output.shape) > 1
    parameters = _parameters(file, operator, operator.weight, 0)
    file.operator("FULLY_CONNECTED", [operator.input.name, *parameters], operator.output.name, 5, options)


def _parameters(file: ModelWriter, operator: Conv2d | Linear, weight: NDArray[Any], axis: int) -> tuple[str, str]:
    """Declares weight and bias, and returns their names."""
    name = operator.output.name
    weight_name, bias_name = f"{name}.weight", f"{name}.bias"
    if operator.weight_scales is None:
        file.constant(weight_name, weight.astype(np.float32))
        file.constant(bias_name, operator.bias.astype(np.float32))
    else:
        grid = arithmetic.bias_scales(arithmetic.quantization_of(operator.input), operator.weight_scales)
        file.constant(weight_name, weight, operator.weight_scales, axis=axis)
        file.constant(bias_name, operator.bias, grid)
    return weight_name, bias_name
