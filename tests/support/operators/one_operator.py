"""Graphs whose last operator, on tensors of ordinary scales, has the ratio of scales that a test asks for."""

import numpy as np

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.graph.operators import Add, Constant, Conv2d, Graph, Linear, Mean, Mul, Operator, Quantization, Tensor
from mobile_sdk.runtimes.shapes import runtime_shape

SIDE_PX, CHANNELS = 8, 4
MAP = (CHANNELS, SIDE_PX, SIDE_PX)


def grid(scale: float, zero_point: int = 0) -> Quantization:
    return Quantization(scale=float(np.float32(scale)), zero_point=zero_point)


def tensor(name: str, shape: tuple[int, ...], scale: float, zero_point: int = 0) -> Tensor:
    return Tensor(name=name, shape=shape, quantization=grid(scale, zero_point))


def picture(size_px: int = SIDE_PX, zero_point: int = 0) -> Tensor:
    return tensor("picture_codes", (3, size_px, size_px), 1 / 128, zero_point)


def convolution(x: Tensor, output: Tensor, weight_scale: float, *, groups: int = 1, seed: int = 0) -> Conv2d:
    """A 1 × 1 convolution with random weights."""
    codes = np.random.default_rng(seed).integers(-127, 128, (output.shape[0], x.shape[0] // groups, 1, 1))
    return Conv2d(
        input=x,
        output=output,
        path=output.name,
        weight=codes.astype(np.int8),
        weight_scales=np.full(len(codes), weight_scale, np.float32),
        bias=np.zeros(len(codes), np.int32),
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        dilation=(1, 1),
        groups=groups,
    )


def linear(x: Tensor, output: Tensor, weight_scale: float) -> Linear:
    codes = np.random.default_rng(0).integers(-127, 128, (output.shape[0], x.shape[0]))
    scales, bias = np.full(len(codes), weight_scale, np.float32), np.zeros(len(codes), np.int32)
    weight = codes.astype(np.int8)
    return Linear(input=x, output=output, path=output.name, weight=weight, weight_scales=scales, bias=bias)


def graph_of(kind: str, ratio: float, scale: float = 1.0) -> Graph:
    """`ratio` is what the runtimes bound for that kind of operator; the operator's input has the scale `scale`."""
    image = picture()
    a, b = tensor("a", MAP, scale), tensor("b", MAP, scale)
    first = [convolution(image, a, scale * 1.28), convolution(image, b, scale * 1.28, seed=1)]
    pooled = tensor("pooled", (CHANNELS,), scale / 4)
    mean = Mean(input=a, output=pooled, path="pooled")
    on = {"path": "y", "output": tensor("y", MAP, scale / ratio)}
    one = Constant(name="one", value=1, quantization=grid(1.0))
    fifty = Constant(name="fifty", value=50, quantization=grid(scale / ratio))
    product = tensor("y", MAP, 1 / ratio)  # of scales of one
    operators: dict[str, list[Operator]] = {
        "convolution": [*first[:1], convolution(a, tensor("y", MAP, scale), ratio)],
        "depthwise": [*first[:1], convolution(a, tensor("y", MAP, scale), ratio, groups=CHANNELS)],
        "linear": [*first[:1], mean, linear(pooled, tensor("y", (5,), scale), 4 * ratio)],
        "sum": [*first, Add(a=a, b=b, **on)],
        "sum with a constant": [*first[:1], Add(a=a, b=fifty, **on)],
        "product": [*first, Mul(a=a, b=b, path="y", output=product)],
        "square": [*first[:1], Mul(a=a, b=a, path="y", output=product)],
        "product with a constant": [*first[:1], Mul(a=a, b=one, **on)],
        "mean": [*first[:1], Mean(input=a, path="y", output=tensor("y", (CHANNELS, 1, 1), scale / ratio))],
    }
    return Graph(input=image, operators=tuple(operators[kind]))


def contract_for(graph: Graph) -> Contract:
    """A segmenter's contract where the graph ends in a map; labels are as many as the last axis that is stored."""
    is_map = len(graph.output.shape) == 3
    labels = tuple(f"label {index}" for index in range(runtime_shape(graph.output.shape)[-1]))
    image = ImageSpec(size_px=graph.input.shape[1])
    return Contract(name="one", task="segmentation" if is_map else "classification", labels=labels, image=image)
