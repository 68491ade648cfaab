"""The float32 operators in PyTorch: those of the float32 twin, and of layers kept in float."""

from collections.abc import Callable, Mapping

import torch
from torch.nn import functional as F

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
)

_CLAMPS: Mapping[Clamp, Callable[[torch.Tensor], torch.Tensor]] = {
    Clamp.NONE: lambda x: x,
    Clamp.RELU: F.relu,
    Clamp.RELU6: F.relu6,
}
_ACTIVATIONS = {
    ActivationKind.RELU: F.relu,
    ActivationKind.RELU6: F.relu6,
    ActivationKind.HARD_SWISH: F.hardswish,
    ActivationKind.HARD_SIGMOID: F.hardsigmoid,
}


def apply(operator: Operator, *operands: torch.Tensor) -> torch.Tensor:
    """The operator on float32 values (N, *shape), int8 codes for Dequantize: its clamp applied, its constant known."""
    constants = [torch.tensor(x.value, dtype=torch.float32) for x in operator.inputs if isinstance(x, Constant)]
    values = _unclamped(operator, *operands, *constants)
    return _CLAMPS[getattr(operator, "clamp", Clamp.NONE)](values)


def _unclamped(operator: Operator, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
    """The operator on float32 values, its clamp not yet applied."""
    match operator:
        case Dequantize():
            codes = quantization_of(operator.input)
            return (x - codes.zero_point).to(torch.float32) * codes.scale
        case Conv2d() | Linear():
            return _weigh(operator, x)
        case Add() | Mul():
            return x + others[0] if isinstance(operator, Add) else x * others[0]
        case MaxPool2d() | AvgPool2d():
            return _pool(operator, x)
        case Concat():
            return torch.cat([x, *others], dim=1)
        case ChannelSlice() | ChannelShuffle() | ResizeBilinear():
            return _move(operator, x)
        case DecodeBoxes():
            return decode_boxes(operator, x, *others)
        case Activation():
            return _ACTIVATIONS[operator.kind](x)
        case Mean() | Reshape():
            values = x.mean(dim=(2, 3)) if isinstance(operator, Mean) else x
            return values.reshape(-1, *operator.output.shape)
        case _:
            raise AssertionError(f"{type(operator).__name__} has no float32 rule")


def _move(operator: ChannelSlice | ChannelShuffle | ResizeBilinear, x: torch.Tensor) -> torch.Tensor:
    if isinstance(operator, ResizeBilinear):
        return resized(operator, x)
    if isinstance(operator, ChannelSlice):
        return x[:, operator.start : operator.stop]
    return F.channel_shuffle(x, operator.groups)


def resized(operator: ResizeBilinear, x: torch.Tensor) -> torch.Tensor:
    """The map at the operator's output's size: exact where `x` holds centred codes; a map of one pixel is repeated."""
    if operator.input.shape[1:] == (1, 1):
        return x.expand(-1, -1, *operator.output.shape[1:])
    return F.interpolate(x, size=operator.output.shape[1:], mode="bilinear", align_corners=False)


def decode_boxes(operator: DecodeBoxes, *predictions: torch.Tensor) -> torch.Tensor:
    """Boxes and scores (N, anchors, 4 + scores) of real predictions."""
    rows = [
        each.permute(0, 2, 3, 1).reshape(len(each), *operator.rows(index)) for index, each in enumerate(predictions)
    ]
    steps, origins = torch.from_numpy(operator.steps), torch.from_numpy(operator.origins)
    boxes = torch.cat(rows[::2], dim=1) * steps + origins
    return torch.cat([boxes, torch.cat(rows[1::2], dim=1)], dim=2)


def _weigh(operator: Conv2d | Linear, x: torch.Tensor) -> torch.Tensor:
    weight, bias = torch.from_numpy(operator.weight), torch.from_numpy(operator.bias)
    if isinstance(operator, Linear):
        return F.linear(x, weight, bias)
    return F.conv2d(_padded(operator, x, 0.0), weight, bias, operator.stride, 0, operator.dilation, operator.groups)


def _pool(operator: MaxPool2d | AvgPool2d, x: torch.Tensor) -> torch.Tensor:
    if isinstance(operator, MaxPool2d):
        return F.max_pool2d(_padded(operator, x, float("-inf")), operator.kernel, operator.stride)
    return F.avg_pool2d(_padded(operator, x, 0.0), operator.kernel, operator.stride)


def _padded(operator: Conv2d | MaxPool2d | AvgPool2d, x: torch.Tensor, value: float) -> torch.Tensor:
    top, bottom, left, right = operator.padding
    return F.pad(x, (left, right, top, bottom), value=value) if any(operator.padding) else x
