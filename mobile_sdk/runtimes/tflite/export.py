"""Writes a graph as a TFLite model: NHWC from the first byte, the graph's own integers, no converter.

Padding is TensorFlow's SAME or VALID where that is what the graph asks; any other padding becomes a PAD before it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]
from numpy.typing import NDArray

from mobile_sdk.errors import CompileError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.limits import check_graph
from mobile_sdk.graph.operators import (
    INT8_MIN,
    Activation,
    ActivationKind,
    Add,
    AvgPool2d,
    ChannelShuffle,
    ChannelSlice,
    Clamp,
    Concat,
    Constant,
    Conv2d,
    DecodeBoxes,
    Dequantize,
    Graph,
    JoinRows,
    Linear,
    MaxPool2d,
    Mean,
    Mul,
    Operator,
    Quantize,
    Reshape,
    ResizeBilinear,
    Rows,
)
from mobile_sdk.runtimes.shapes import runtime_shape
from mobile_sdk.runtimes.tflite.boxes import write_boxes
from mobile_sdk.runtimes.tflite.channels import (
    write_concat,
    write_join_rows,
    write_reshape,
    write_resize,
    write_shuffle,
    write_slice,
)
from mobile_sdk.runtimes.tflite.padding import extents, pad
from mobile_sdk.runtimes.tflite.picture import INPUT_NAME, INPUT_VALUES, write_input, write_rows
from mobile_sdk.runtimes.tflite.pooling import write_pool
from mobile_sdk.runtimes.tflite.tensors import declare, refusal
from mobile_sdk.runtimes.tflite.writer import Writer

_FUSED = {
    Clamp.NONE: schema.ActivationFunctionType.NONE,
    Clamp.RELU: schema.ActivationFunctionType.RELU,
    Clamp.RELU6: schema.ActivationFunctionType.RELU6,
}
_REARRANGING = (  # nothing new below zero
    MaxPool2d,
    AvgPool2d,
    Mean,
    Concat,
    ChannelSlice,
    ChannelShuffle,
    Reshape,
    ResizeBilinear,
)
_STANDALONE = {
    ActivationKind.RELU: "RELU",
    ActivationKind.RELU6: "RELU6",
    ActivationKind.HARD_SWISH: "HARD_SWISH",
}


def write_model(graph: Graph, description: str) -> bytes:
    """The model file's bytes; CompileError with a module path for what TFLite cannot express or XNNPACK refuses."""
    check_graph(graph)
    writer = Writer(description)
    names = {graph.input.name, *(operator.output.name for operator in graph.operators)}
    if taken := names & {INPUT_NAME, INPUT_VALUES}:
        raise CompileError(f"a tensor is named {min(taken)}, as one of the input's is", hint="rename that module")
    write_input(writer, graph)
    nonnegative = _nonnegative(graph)
    for operator in graph.operators:
        _write_operator(writer, operator, nonnegative)
    return writer.finish(INPUT_NAME, graph.output.name)


def _nonnegative(graph: Graph) -> set[str]:
    """The names of the tensors that hold nothing below zero, whatever the picture."""
    names: set[str] = set()
    for tensor, operator in [(graph.input, None), *((operator.output, operator) for operator in graph.operators)]:
        if tensor.quantization is not None:
            is_so = tensor.quantization.zero_point == INT8_MIN
        elif isinstance(operator, Activation):
            is_so = operator.kind is not ActivationKind.HARD_SWISH
        elif isinstance(operator, _REARRANGING):
            is_so = all(operand.name in names for operand in operator.inputs)
        else:
            is_so = getattr(operator, "clamp", Clamp.NONE) is not Clamp.NONE
        if is_so:
            names.add(tensor.name)
    return names


def _write_operator(writer: Writer, operator: Operator, nonnegative: set[str]) -> None:
    declare(writer, operator.output)
    if isinstance(operator, MaxPool2d | AvgPool2d):
        write_pool(writer, operator, nonnegative)
    elif type(operator) in _WRITERS:
        _WRITERS[type(operator)](writer, operator)
    else:
        raise refusal(operator, "has no TFLite operator")


def _write_conversion(writer: Writer, operator: Dequantize | Quantize) -> None:
    """From codes or to them; a picture that nobody reads as codes is dequantized from its bytes."""
    source = operator.input.name if writer.knows(operator.input.name) else INPUT_NAME
    kind, version = ("DEQUANTIZE", 2) if isinstance(operator, Dequantize) else ("QUANTIZE", 1)
    writer.operator(kind, [source], operator.output.name, version)


def _write_conv2d(writer: Writer, operator: Conv2d) -> None:
    depthwise = operator.is_depthwise
    if depthwise:
        options = schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = len(operator.weight) // operator.groups
        kind, axis, weight = "DEPTHWISE_CONV_2D", 3, operator.weight.transpose(1, 2, 3, 0)
    else:
        options = schema.Conv2DOptionsT()
        kind, axis, weight = "CONV_2D", 0, operator.weight.transpose(0, 2, 3, 1)
    options.strideH, options.strideW = operator.stride
    options.dilationHFactor, options.dilationWFactor = operator.dilation
    options.fusedActivationFunction = _FUSED[operator.clamp]
    extent = extents(operator.weight.shape[2:], operator.dilation)
    source, options.padding = pad(writer, operator, operator.input, extent, operator.stride, operator.padding)
    weights = _write_weights(writer, operator, weight, axis)
    writer.operator(kind, [source, *weights], operator.output.name, 3, options)


def _write_linear(writer: Writer, operator: Linear) -> None:
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = _FUSED[operator.clamp]
    weights = _write_weights(writer, operator, operator.weight, 0)
    writer.operator("FULLY_CONNECTED", [operator.input.name, *weights], operator.output.name, 5, options)


def _write_weights(writer: Writer, operator: Conv2d | Linear, weight: NDArray[Any], axis: int) -> tuple[str, str]:
    name = operator.output.name
    weight_name, bias_name = f"{name}.weight", f"{name}.bias"
    if operator.weight_scales is None:
        writer.constant(weight_name, weight.astype(np.float32))
        writer.constant(bias_name, operator.bias.astype(np.float32))
    else:
        grid = arithmetic.bias_scales(arithmetic.quantization_of(operator.input), operator.weight_scales)
        writer.constant(weight_name, weight, operator.weight_scales, axis=axis)
        writer.constant(bias_name, operator.bias, grid)
    return weight_name, bias_name


def _write_binary(writer: Writer, operator: Add | Mul) -> None:
    options = schema.AddOptionsT() if isinstance(operator, Add) else schema.MulOptionsT()
    options.fusedActivationFunction = _FUSED[operator.clamp]
    if isinstance(operator.b, Constant):
        _write_constant(writer, operator.b)
    kind = "ADD" if isinstance(operator, Add) else "MUL"
    writer.operator(kind, [operator.a.name, operator.b.name], operator.output.name, 2, options)


def _write_constant(writer: Writer, constant: Constant) -> None:
    codes = constant.quantization
    if codes is None:
        writer.constant(constant.name, np.array([constant.value], np.float32))
    else:
        scales = np.array([codes.scale], np.float32)
        writer.constant(constant.name, np.array([constant.value], np.int8), scales, codes.zero_point)


def _write_mean(writer: Writer, operator: Mean) -> None:
    axes = f"{operator.output.name}.axes"
    writer.constant(axes, np.array([1, 2], np.int32))
    options = schema.ReducerOptionsT()
    options.keepDims = len(operator.output.shape) == 3
    writer.operator("MEAN", [operator.input.name, axes], operator.output.name, 2, options)


def _write_activation(writer: Writer, operator: Activation) -> None:
    source, output = operator.input.name, operator.output.name
    if operator.kind in _STANDALONE:
        writer.operator(_STANDALONE[operator.kind], [source], output, 1)
        return
    # TFLite has no hard-sigmoid: relu6(x + 3) / 6.
    three, sixth, gate = f"{output}.three", f"{output}.sixth", f"{output}.relu6"
    writer.constant(three, np.array([3.0], np.float32))
    writer.constant(sixth, np.array([1.0 / 6.0], np.float32))
    writer.activation(gate, runtime_shape(operator.output.shape), np.dtype(np.float32))
    options = schema.AddOptionsT()
    options.fusedActivationFunction = _FUSED[Clamp.RELU6]
    writer.operator("ADD", [source, three], gate, 1, options)
    writer.operator("MUL", [gate, sixth], output, 1, schema.MulOptionsT())


def _write_reshape(writer: Writer, operator: Reshape) -> None:
    write_reshape(writer, operator.input, operator.output)


_WRITERS: Mapping[type[Operator], Callable[[Writer, Any], None]] = {
    Conv2d: _write_conv2d,
    Linear: _write_linear,
    Add: _write_binary,
    Mul: _write_binary,
    Mean: _write_mean,
    Concat: write_concat,
    JoinRows: write_join_rows,
    Rows: write_rows,
    ChannelSlice: write_slice,
    ChannelShuffle: write_shuffle,
    Reshape: _write_reshape,
    ResizeBilinear: write_resize,
    Dequantize: _write_conversion,
    Quantize: _write_conversion,
    Activation: _write_activation,
    DecodeBoxes: write_boxes,
}
