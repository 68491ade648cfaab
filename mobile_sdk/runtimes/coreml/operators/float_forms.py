"""One function per float32 operator, of the twin or of a kept layer: it becomes MIL operations of its own kind."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mobile_sdk.graph.arithmetic import quantization_of
from mobile_sdk.graph.operators import (
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
    Linear,
    MaxPool2d,
    Mean,
    Mul,
    Operator,
    Reshape,
    ResizeBilinear,
    Tensor,
)
from mobile_sdk.runtimes.coreml.operators.channels import write_moved
from mobile_sdk.runtimes.coreml.operators.geometry import conv_geometry, repeats, resize_factors, window
from mobile_sdk.runtimes.coreml.operators.mil_builder import SCORES, Pen


def from_centred_codes(pen: Pen, operator: Dequantize) -> Any:
    """A Dequantize inside a mixed graph, whose codes are centred numbers already."""
    return pen.mul(pen.read(operator.input), np.float32(quantization_of(operator.input).scale))


def _finish(pen: Pen, value: Any, clamp: Clamp = Clamp.NONE) -> Any:
    if clamp is not Clamp.NONE:
        clamps = {Clamp.RELU: pen.builder.relu, Clamp.RELU6: pen.builder.relu6}
        value = clamps[clamp](x=value, name=f"{pen.label}_clamp")
    if not pen.is_last:
        return value
    return pen.channels_last(value) if len(value.shape) == 4 else pen.builder.identity(x=value, name=SCORES)


def _parameters(pen: Pen, operator: Conv2d | Linear) -> dict[str, Any]:
    weight = pen.builder.const(val=np.asarray(operator.weight, np.float32), name=f"{pen.label}_weight")
    return {"weight": weight, "bias": np.asarray(operator.bias, np.float32)}


def _conv2d(pen: Pen, operator: Conv2d) -> Any:
    parameters = _parameters(pen, operator)
    x = pen.read(operator.input)
    value = pen.builder.conv(x=x, **parameters, **conv_geometry(operator), name=pen.label)
    return _finish(pen, value, operator.clamp)


def _linear(pen: Pen, operator: Linear) -> Any:
    value = pen.builder.linear(x=pen.read(operator.input), **_parameters(pen, operator), name=pen.label)
    return _finish(pen, value, operator.clamp)


def _operand(pen: Pen, b: Tensor | Constant) -> Any:
    return np.float32(b.value) if isinstance(b, Constant) else pen.read(b)


def _add(pen: Pen, operator: Add) -> Any:
    return _finish(pen, pen.add(pen.read(operator.a), _operand(pen, operator.b)), operator.clamp)


def _mul(pen: Pen, operator: Mul) -> Any:
    return _finish(pen, pen.mul(pen.read(operator.a), _operand(pen, operator.b)), operator.clamp)


def _mean(pen: Pen, operator: Mean) -> Any:
    keeps_dimensions = len(operator.output.shape) == 3
    x = pen.read(operator.input)
    return _finish(pen, pen.builder.reduce_mean(x=x, axes=[2, 3], keep_dims=keeps_dimensions, name=pen.label))


def _max_pool2d(pen: Pen, operator: MaxPool2d) -> Any:
    return _finish(pen, pen.builder.max_pool(x=pen.read(operator.input), **window(operator), name=pen.label))


def _avg_pool2d(pen: Pen, operator: AvgPool2d) -> Any:
    return _finish(pen, pen.builder.avg_pool(x=pen.read(operator.input), **window(operator), name=pen.label))


def _concat(pen: Pen, operator: Concat) -> Any:
    return _finish(pen, pen.builder.concat(values=[pen.read(part) for part in operator.parts], axis=1, name=pen.label))


def _moved(pen: Pen, operator: ChannelSlice | ChannelShuffle) -> Any:
    return _finish(pen, write_moved(pen, operator))


def _resize_bilinear(pen: Pen, operator: ResizeBilinear) -> Any:
    x = pen.read(operator.input)
    if operator.input.shape[1:] == (1, 1):
        return _finish(pen, pen.builder.mul(x=x, y=repeats(operator), name=pen.label))
    return _finish(pen, pen.builder.upsample_bilinear(x=x, **resize_factors(operator), name=pen.label))


def _reshape(pen: Pen, operator: Reshape) -> Any:
    shape = [1, *operator.output.shape]
    return _finish(pen, pen.builder.reshape(x=pen.read(operator.input), shape=shape, name=pen.label))


def _dequantize(pen: Pen, operator: Dequantize) -> Any:
    return pen.dequantize(pen.read(operator.input), quantization_of(operator.input), pen.label)


def _activation(pen: Pen, operator: Activation) -> Any:
    value = pen.read(operator.input)
    if operator.kind is ActivationKind.RELU:
        return _finish(pen, pen.builder.relu(x=value, name=pen.label))
    if operator.kind is ActivationKind.RELU6:
        return _finish(pen, pen.builder.relu6(x=value, name=pen.label))
    sixth, half = np.float32(1 / 6), np.float32(0.5)
    is_gate = operator.kind is ActivationKind.HARD_SIGMOID
    name = pen.label if is_gate else f"{pen.label}_gate"
    gate = pen.builder.sigmoid_hard(x=value, alpha=sixth, beta=half, name=name)
    return _finish(pen, gate if is_gate else pen.mul(value, gate))


def _decode_boxes(pen: Pen, operator: DecodeBoxes) -> Any:
    """Predictions are centred codes, in steps of their grids, or float32; rows lie one position after the other."""
    build, label = pen.builder, pen.label
    rows = []
    for index, prediction in enumerate(operator.predictions):
        value = pen.read(prediction)
        if prediction.quantization is not None:
            value = pen.mul(value, np.float32(prediction.quantization.scale), f"_{index}_values")
        value = build.transpose(x=value, perm=[0, 2, 3, 1], name=f"{label}_{index}_last")
        rows.append(build.reshape(x=value, shape=[1, *operator.rows(index)], name=f"{label}_{index}_rows"))
    offsets = build.concat(values=rows[::2], axis=1, name=f"{label}_offsets")
    scores = build.concat(values=rows[1::2], axis=1, name=f"{label}_scores")
    boxes = pen.add(pen.mul(offsets, operator.steps[np.newaxis], "_moved"), operator.origins[np.newaxis], "_boxes")
    return _finish(pen, build.concat(values=[boxes, scores], axis=2, name=label))


FLOAT_FORMS: Mapping[type[Operator], Callable[[Pen, Any], Any]] = {
    Conv2d: _conv2d,
    Linear: _linear,
    Add: _add,
    Mul: _mul,
    Mean: _mean,
    MaxPool2d: _max_pool2d,
    AvgPool2d: _avg_pool2d,
    Concat: _concat,
    ChannelSlice: _moved,
    ChannelShuffle: _moved,
    Reshape: _reshape,
    ResizeBilinear: _resize_bilinear,
    DecodeBoxes: _decode_boxes,
    Dequantize: _dequantize,
    Activation: _activation,
}
