"""Writes convolutions and fully connected layers, each with its filter and biases."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.operators import Conv2d, ConvTranspose2d, Linear, Weighted
from mobile_sdk.runtimes.executorch.fields import pair_fields, window_fields
from mobile_sdk.runtimes.executorch.node_writer import NodeWriter
from mobile_sdk.runtimes.executorch.operators.table import write


@write.of(Conv2d)
def _conv2d(operator: Conv2d, file: NodeWriter, inputs: list[int], output: int) -> None:
    """Writes a convolution, with 4-bit weights as a fully connected layer at every pixel: XNNPACK has no other such."""
    if operator.weight_bits == 4:
        return _fully_connected(operator, file, inputs, output)
    channels, per_group, height, width = operator.weight.shape
    # A depthwise filter is (1, KH, KW, O), any other (O, KH, KW, I/groups).
    order = (1, 2, 3, 0) if operator.is_depthwise else (0, 2, 3, 1)
    channel = 3 if operator.is_depthwise else 0
    fields = {
        **window_fields("padding", operator.padding),
        **pair_fields("kernel", (height, width)),
        **pair_fields("subsampling", operator.stride),
        **pair_fields("dilation", operator.dilation),
        **pair_fields("adjustment", (0, 0)),
        "group_input_channels": per_group,
        "group_output_channels": channels // operator.groups,
        "groups": operator.groups,
        "input1_id": inputs[0],
        **_parameters(file, operator, operator.weight.transpose(order), channel),
        "output_id": output,
        "flags": 0,
    }
    return file.node("XNNDepthwiseConv2d" if operator.is_depthwise else "XNNConv2d", fields, operator.clamp)


@write.of(ConvTranspose2d)
def _conv_transpose2d(operator: ConvTranspose2d, file: NodeWriter, inputs: list[int], output: int) -> None:
    filters, depth, *kernel = operator.weight.shape
    fields = {
        **window_fields("padding", operator.padding),
        **pair_fields("kernel", tuple(kernel)),
        **pair_fields("subsampling", operator.stride),
        **pair_fields("dilation", (1, 1)),
        **pair_fields("adjustment", (0, 0)),
        "group_input_channels": depth,
        "group_output_channels": filters,
        "groups": 1,
        "input1_id": inputs[0],
        **_parameters(file, operator, operator.weight.transpose(0, 2, 3, 1), 0),
        "output_id": output,
        "flags": 0,
    }
    file.node("XNNConvTranspose2d", fields, operator.clamp)


@write.of(Linear)
def _linear(operator: Linear, file: NodeWriter, inputs: list[int], output: int) -> None:
    _fully_connected(operator, file, inputs, output)


def _fully_connected(operator: Linear | Conv2d, file: NodeWriter, inputs: list[int], output: int) -> None:
    parameters = _parameters(file, operator, operator.weight.reshape(operator.weight.shape[:2]), 0)
    fields = {"input1_id": inputs[0], **parameters, "output_id": output, "flags": 0}
    file.node("XNNFullyConnected", fields, operator.clamp)


def _parameters(file: NodeWriter, operator: Weighted, weight: NDArray[Any], channel: int) -> dict[str, int]:
    """Returns the ids of filter and bias. Both are on per-channel grids, the bias' being float32 `s_x * s_w[c]`."""
    scales, grid = operator.weight_scales, operator.input.quantization
    bias_scales = None if scales is None or grid is None else np.float32(grid.scale) * scales
    return {
        "filter_id": file.channelwise(weight, scales, channel, bits=operator.weight_bits),
        "bias_id": file.channelwise(operator.bias, bias_scales, 0),
    }
