"""Writes a graph as a TFLite model: NHWC from the first byte, the graph's own integers, no converter.

Padding is TensorFlow's SAME or VALID where that is what the graph asks; any other padding becomes a PAD before it.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]
from numpy.typing import NDArray

from mobile_sdk import arithmetic
from mobile_sdk.errors import CompileError
from mobile_sdk.integer_graph import (
    INT8_MIN,
    Activation,
    ActivationKind,
    Add,
    AvgPool2d,
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
    Rows,
    Tensor,
)
from mobile_sdk.runtimes.tflite.boxes import MOST_PARTS, write_boxes
from mobile_sdk.runtimes.tflite.padding import extents, same_padding
from mobile_sdk.runtimes.tflite.picture import INPUT_NAME, INPUT_VALUES, declare, write_input, write_rows
from mobile_sdk.runtimes.tflite.shapes import runtime_shape
from mobile_sdk.runtimes.tflite.writer import Writer

_FUSED = {
    Clamp.NONE: schema.ActivationFunctionType.NONE,
    Clamp.RELU: schema.ActivationFunctionType.RELU,
    Clamp.RELU6: schema.ActivationFunctionType.RELU6,
}
_STANDALONE = {
    ActivationKind.RELU: "RELU",
    ActivationKind.RELU6: "RELU6",
    ActivationKind.HARD_SWISH: "HARD_SWISH",
}


def write_model(graph: Graph, description: str) -> bytes:
    """The model file's bytes. Raises CompileError with operator and module path for what TFLite cannot express."""
    writer = Writer(description)
    names = {graph.input.name, *(operator.output.name for operator in graph.operators)}
    if taken := names & {INPUT_NAME, INPUT_VALUES}:
        raise CompileError(f"a tensor is named {min(taken)}, as one of the input's is", hint="rename that module")
    write_input(writer, graph)
    nonnegative = _nonnegative(graph)
    for operator in graph.operators:
        declare(writer, operator.output)
        if isinstance(operator, DecodeBoxes):
            write_boxes(writer, operator)
        else:
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
        elif isinstance(operator, MaxPool2d | AvgPool2d | Mean | Concat | Reshape):
            is_so = all(operand.name in names for operand in operator.inputs)
        else:
            is_so = getattr(operator, "clamp", Clamp.NONE) is not Clamp.NONE
        if is_so:
            names.add(tensor.name)
    return names


def _write_operator(writer: Writer, operator: Operator, nonnegative: set[str]) -> None:
    match operator:
        case Conv2d():
            _write_conv2d(writer, operator)
        case Linear():
            _write_linear(writer, operator)
        case Add() | Mul():
            _write_binary(writer, operator)
        case Mean():
            _write_mean(writer, operator)
        case MaxPool2d() | AvgPool2d():
            _write_pool(writer, operator, nonnegative)
        case Concat() | JoinRows() | Rows() | Reshape():
            _write_rearrangement(writer, operator)
        case Dequantize() | Quantize():
            _write_conversion(writer, operator)
        case Activation():
            _write_activation(writer, operator)
        case _:
            raise _refusal(operator, "has no TFLite operator")


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
    source, options.padding = _pad(writer, operator, operator.input, extent, operator.stride, operator.padding)
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


def _write_pool(writer: Writer, operator: MaxPool2d | AvgPool2d, nonnegative: set[str]) -> None:
    options = schema.Pool2DOptionsT()
    options.filterHeight, options.filterWidth = operator.kernel
    options.strideH, options.strideW = operator.stride
    if operator.stride[0] > operator.kernel[0] or operator.stride[1] > operator.kernel[1]:
        raise _refusal(operator, f"strides by {operator.stride}, and XNNPACK takes no more than the window's size")
    if any(operator.padding) and isinstance(operator, AvgPool2d):
        raise _refusal(operator, "pads, and TFLite's average counts no padding")
    if any(operator.padding) and operator.input.name not in nonnegative:
        # PAD writes zeros; only where nothing lies below them can they never win.
        same = same_padding(operator.input.shape[1:], operator.kernel, operator.stride)
        if operator.padding != same:
            raise _refusal(operator, f"pads by {operator.padding}, and TFLite's pool pads only by {same} or by zero")
    source, options.padding = _pad(writer, operator, operator.input, operator.kernel, operator.stride, operator.padding)
    kind = "MAX_POOL_2D" if isinstance(operator, MaxPool2d) else "AVERAGE_POOL_2D"
    writer.operator(kind, [source], operator.output.name, 2, options)


def _write_rearrangement(writer: Writer, operator: Concat | JoinRows | Rows | Reshape) -> None:
    match operator:
        case Rows():
            write_rows(writer, operator)
        case Reshape():
            _write_reshape(writer, operator)
        case _:
            _write_concat(writer, operator)


def _write_concat(writer: Writer, operator: Concat | JoinRows) -> None:
    """XNNPACK joins five parts at most: more are joined in turns."""
    parts, output = list(operator.parts), operator.output
    axis = 1 if isinstance(operator, JoinRows) else 0
    while len(parts) > MOST_PARTS:
        first, parts = parts[:MOST_PARTS], parts[MOST_PARTS:]
        shape, size = list(output.shape), sum(part.shape[axis] for part in first)
        shape[axis] = size
        joined = replace(output, name=f"{output.name}.first{size}", shape=tuple(shape))
        declare(writer, joined)
        _append_concat(writer, first, joined, axis)
        parts.insert(0, joined)
    _append_concat(writer, parts, output, axis)


def _append_concat(writer: Writer, parts: list[Tensor], output: Tensor, axis: int) -> None:
    options = schema.ConcatenationOptionsT()
    options.axis = len(output.shape) if axis == 0 else axis  # NHWC: channels lie last
    writer.operator("CONCATENATION", [part.name for part in parts], output.name, 2, options)


def _write_reshape(writer: Writer, operator: Reshape) -> None:
    shape = f"{operator.output.name}.shape"
    writer.constant(shape, np.array(runtime_shape(operator.output.shape), np.int32))
    writer.operator("RESHAPE", [operator.input.name, shape], operator.output.name, 1, schema.ReshapeOptionsT())


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


def _pad(
    writer: Writer,
    operator: Operator,
    source: Tensor,
    extent: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
) -> tuple[str, int]:
    """The padded source's name and the schema's padding code, with a PAD written where neither code fits."""
    if padding == (0, 0, 0, 0):
        return source.name, schema.Padding.VALID
    if padding == same_padding(source.shape[1:], extent, stride):
        return source.name, schema.Padding.SAME
    top, bottom, left, right = padding
    channels, height, width = source.shape
    padded = Tensor(
        name=f"{operator.output.name}.padded",
        shape=(channels, height + top + bottom, width + left + right),
        quantization=source.quantization,
    )
    declare(writer, padded)
    amounts = f"{padded.name}.amounts"
    writer.constant(amounts, np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
    writer.operator("PAD", [source.name, amounts], padded.name, 2, schema.PadOptionsT())
    return padded.name, schema.Padding.VALID


def _refusal(operator: Operator, why: str) -> CompileError:
    kind = type(operator).__name__
    return CompileError(f"{kind} at {operator.path} {why}", hint="change that module, or export to another runtime")
