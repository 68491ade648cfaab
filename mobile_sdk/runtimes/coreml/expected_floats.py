"""Every number that the file must hold of a layer kept in float32, by the name of the operation that holds it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

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
from mobile_sdk.runtimes.coreml.operators.channels import Described, moves
from mobile_sdk.runtimes.coreml.operators.geometry import conv_geometry, repeats, resize_factors, window

_CLAMPS = {Clamp.RELU: "relu", Clamp.RELU6: "relu6"}
_ACTIVATIONS = {ActivationKind.RELU: "relu", ActivationKind.RELU6: "relu6"}


def described(operator: Operator) -> Iterator[Described]:
    """The operations of a float32 operator in a mixed graph; the codes that a Dequantize reads are centred there."""
    if isinstance(operator, Conv2d | Linear):
        yield from _weighted(operator)
    elif isinstance(operator, ChannelSlice | ChannelShuffle):
        yield from moves(operator)
    elif isinstance(operator, Activation):
        yield from _activation(operator.kind)
    elif isinstance(operator, DecodeBoxes):
        yield from _boxes(operator)
    else:
        yield _elementwise_or_shape(operator)
    if (clamp := getattr(operator, "clamp", Clamp.NONE)) is not Clamp.NONE:
        yield "_clamp", _CLAMPS[clamp], {}


def _elementwise_or_shape(operator: Operator) -> Described:
    match operator:
        case Add(b=Constant() as constant) | Mul(b=Constant() as constant):
            return "", _binary(operator), {"y": np.float32(constant.value)}
        case Add() | Mul():
            return "", _binary(operator), {}
        case Mean(output=output):
            keeps_dimensions = np.bool_(len(output.shape) == 3)
            return "", "reduce_mean", {"axes": np.array([2, 3], np.int32), "keep_dims": keeps_dimensions}
        case MaxPool2d() | AvgPool2d():
            kind = "max_pool" if isinstance(operator, MaxPool2d) else "avg_pool"
            return "", kind, integers(window(operator))
        case Concat():
            return "", "concat", {"axis": np.int32(1)}
        case ResizeBilinear() if operator.input.shape[1:] == (1, 1):
            return "", "mul", {"y": repeats(operator)}
        case ResizeBilinear():
            return "", "upsample_bilinear", resize_factors(operator)
        case Reshape(output=output):
            return "", "reshape", {"shape": np.array([1, *output.shape], np.int32)}
        case Dequantize(input=codes) if codes.quantization is not None:
            return "", "mul", {"y": np.float32(codes.quantization.scale)}
        case _:
            raise TypeError(f"{type(operator).__name__} has no float32 form")


def integers(geometry: Mapping[str, Any]) -> dict[str, Any]:
    """MIL keeps them as int32, and the kind of padding as text."""
    return {name: each if isinstance(each, str) else np.asarray(each, np.int32) for name, each in geometry.items()}


def _weighted(operator: Conv2d | Linear) -> Iterator[Described]:
    yield "_weight", "const", {"val": operator.weight}
    if isinstance(operator, Conv2d):
        yield "", "conv", {"bias": operator.bias, **integers(conv_geometry(operator))}
    else:
        yield "", "linear", {"bias": operator.bias}


def _boxes(operator: DecodeBoxes) -> Iterator[Described]:
    for index, prediction in enumerate(operator.predictions):
        if prediction.quantization is not None:
            yield f"_{index}_values", "mul", {"y": np.float32(prediction.quantization.scale)}
        yield f"_{index}_last", "transpose", {"perm": np.array([0, 2, 3, 1], np.int32)}
        yield f"_{index}_rows", "reshape", {"shape": np.array([1, *operator.rows(index)], np.int32)}
    yield "_offsets", "concat", {"axis": np.int32(1)}
    yield "_scores", "concat", {"axis": np.int32(1)}
    yield "_moved", "mul", {"y": operator.steps[np.newaxis]}
    yield "_boxes", "add", {"y": operator.origins[np.newaxis]}
    yield "", "concat", {"axis": np.int32(2)}


def _binary(operator: Add | Mul) -> str:
    return "add" if isinstance(operator, Add) else "mul"


def _activation(kind: ActivationKind) -> Iterator[Described]:
    if kind in _ACTIVATIONS:
        yield "", _ACTIVATIONS[kind], {}
        return
    gate = {"alpha": np.float32(1 / 6), "beta": np.float32(0.5)}
    if kind is ActivationKind.HARD_SIGMOID:
        yield "", "sigmoid_hard", gate
        return
    yield "_gate", "sigmoid_hard", gate
    yield "", "mul", {}
