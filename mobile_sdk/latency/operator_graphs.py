"""Small graphs, each of one kind of operator: what a device is calibrated on.

Every graph begins at a picture, since that is what a bundle takes: a 1×1 convolution widens it to the channels that the
operators under test work on, and a mean ends it. Weights are random and all tensors share one grid: an operator's time
does not depend on the values.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.integer_graph import (
    Add,
    Clamp,
    Constant,
    Conv2d,
    Graph,
    Linear,
    Mean,
    Mul,
    Operator,
    Quantization,
    Reshape,
    Tensor,
)

_GRID = Quantization(scale=1 / 32, zero_point=0)
_PICTURE_GRID = Quantization(scale=1 / 128, zero_point=0)
_REPEATS = 3  # of the operators under test, so that they outweigh what leads to them

# Sizes and channels are those that MobileNets are made of, and none of them a whole net's.
_STEMS = ((224, 32), (160, 16), (96, 24))  # picture, channels
_POINTWISE = (  # size, channels one way and the other
    (112, 8, 16),
    (112, 16, 32),
    (112, 32, 64),
    (56, 24, 72),
    (56, 24, 144),
    (56, 64, 128),
    (28, 40, 120),
    (28, 32, 192),
    (28, 128, 256),
    (14, 80, 480),
    (14, 64, 200),
    (14, 256, 512),
    (8, 96, 576),
    (8, 160, 960),
    (8, 512, 512),
)
_DEPTHWISE = (  # size, channels, kernel, stride of the first
    (112, 8, 3, 1),
    (112, 32, 3, 1),
    (112, 64, 3, 2),
    (56, 144, 3, 1),
    (56, 72, 5, 2),
    (28, 192, 3, 1),
    (28, 120, 5, 1),
    (14, 512, 3, 1),
    (14, 480, 5, 1),
    (8, 960, 3, 1),
    (8, 576, 5, 1),
)
_ELEMENTWISE = ((112, 16), (56, 24), (28, 64), (14, 480), (8, 960))  # size, channels
_SQUEEZE_EXCITE = ((56, 64), (28, 120), (14, 480), (8, 960))  # size, channels
_SHORT = ((8, 16), (8, 48), (14, 8))  # size, channels of operators that hardly compute: what each costs to call
_LINEAR = ((1280, 1000), (576, 1024), (1280, 4000))  # inputs, outputs; the last does not fit a second-level cache


def operator_graphs() -> Iterator[tuple[str, Graph]]:
    """Every graph with its name."""
    for size, channels in _STEMS:
        yield f"stem_{size}_{channels}", _built(size, partial(_stem, channels=channels))
    for size, few, many in _POINTWISE:
        yield f"pointwise_{size}_{few}_{many}", _built(size, partial(_pointwise, few=few, many=many))
    for size, channels, kernel, stride in _DEPTHWISE:
        draw = partial(_depthwise, channels=channels, kernel=kernel, stride=stride)
        yield f"depthwise_{size}_{channels}_{kernel}_{stride}", _built(size, draw)
    for size, channels in _ELEMENTWISE:
        yield f"add_{size}_{channels}", _built(size, partial(_adds, channels=channels))
        yield f"hard_swish_{size}_{channels}", _built(size, partial(_hard_swishes, channels=channels))
    for size, channels in _SQUEEZE_EXCITE:
        yield f"squeeze_excite_{size}_{channels}", _built(size, partial(_gates, channels=channels))
    for size, channels in _SHORT:
        yield f"short_{size}_{channels}", _built(size, partial(_short, channels=channels))
    for inputs, outputs in _LINEAR:
        yield f"linear_{inputs}_{outputs}", _built(8, partial(_widened, channels=inputs), outputs=outputs)


def _built(size_px: int, draw: "Callable[[_Pen], Tensor]", outputs: int = 10) -> Graph:
    pen = _Pen(size_px)
    pen.linear(pen.mean(draw(pen)), outputs)
    return Graph(input=pen.input, operators=tuple(pen.operators))


def _stem(pen: "_Pen", channels: int) -> Tensor:
    return pen.conv(pen.input, channels, 3, stride=2)


def _widened(pen: "_Pen", channels: int) -> Tensor:
    return pen.conv(pen.input, channels)


def _pointwise(pen: "_Pen", few: int, many: int) -> Tensor:
    x = _widened(pen, few)
    for _ in range(_REPEATS):
        x = pen.conv(pen.conv(x, many, clamp=Clamp.RELU6), few)
    return x


def _depthwise(pen: "_Pen", channels: int, kernel: int, stride: int) -> Tensor:
    x = _widened(pen, channels)
    for repeat in range(_REPEATS):
        x = pen.conv(x, channels, kernel, stride=stride if repeat == 0 else 1, groups=channels, clamp=Clamp.RELU6)
    return x


def _short(pen: "_Pen", channels: int) -> Tensor:
    x = _widened(pen, channels)
    for _ in range(4 * _REPEATS):
        x = pen.conv(pen.conv(x, channels, 3, groups=channels), channels)
    return x


def _adds(pen: "_Pen", channels: int) -> Tensor:
    first = x = _widened(pen, channels)
    for _ in range(2 * _REPEATS):
        x = pen.binary(Add, x, first)
    return x


def _hard_swishes(pen: "_Pen", channels: int) -> Tensor:
    x = _widened(pen, channels)
    three = Constant(name="three", value=96.0, quantization=_GRID)
    for _ in range(_REPEATS):
        x = pen.binary(Mul, x, pen.binary(Add, x, three, clamp=Clamp.RELU6))
    return x


def _gates(pen: "_Pen", channels: int) -> Tensor:
    x = _widened(pen, channels)
    for _ in range(_REPEATS):
        squeezed = pen.conv(pen.mean(x), max(8, channels // 4), clamp=Clamp.RELU)
        x = pen.binary(Mul, x, pen.conv(squeezed, channels))
    return x


class _Pen:
    """Appends operators to a graph; every method gives the tensor that it wrote."""

    def __init__(self, size_px: int) -> None:
        self.input = Tensor(name="picture", shape=(3, size_px, size_px), quantization=_PICTURE_GRID)
        self.operators: list[Operator] = []
        self._random = np.random.default_rng(0)

    def conv(
        self, x: Tensor, channels: int, kernel: int = 1, *, stride: int = 1, groups: int = 1, clamp: Clamp = Clamp.NONE
    ) -> Tensor:
        """A convolution, padded by half its kernel on every side."""
        weight, scales, bias = self._weights(channels, x.shape[0] // groups, kernel, kernel)
        operator = Conv2d(
            input=x,
            weight=weight,
            weight_scales=scales,
            bias=bias,
            clamp=clamp,
            stride=(stride, stride),
            padding=(kernel // 2,) * 4,
            dilation=(1, 1),
            groups=groups,
            output=self._tensor((channels, *(-(-side // stride) for side in x.shape[1:]))),
            path="",
        )
        return self._append(operator)

    def linear(self, x: Tensor, outputs: int) -> Tensor:
        """A fully connected layer on (C, 1, 1)."""
        flat = self._append(Reshape(input=x, output=self._tensor(x.shape[:1]), path=""))
        weight, scales, bias = self._weights(outputs, x.shape[0])
        output = self._tensor((outputs,))
        return self._append(Linear(input=flat, weight=weight, weight_scales=scales, bias=bias, output=output, path=""))

    def mean(self, x: Tensor) -> Tensor:
        """The mean over height and width, (C, 1, 1)."""
        return self._append(Mean(input=x, output=self._tensor((x.shape[0], 1, 1)), path=""))

    def binary(
        self, kind: type[Add] | type[Mul], a: Tensor, b: Tensor | Constant, *, clamp: Clamp = Clamp.NONE
    ) -> Tensor:
        """An elementwise sum or product, of `a`'s shape."""
        return self._append(kind(a=a, b=b, clamp=clamp, output=self._tensor(a.shape), path=""))

    def _weights(self, *shape: int) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.int32]]:
        """Weights, their scales and biases; sums come out as large as inputs."""
        weight = self._random.integers(-127, 128, shape, dtype=np.int8)
        scales = self._random.uniform(0.5, 1, shape[0]) / (64 * np.sqrt(np.prod(shape[1:])))
        bias = self._random.integers(-1000, 1001, shape[0], dtype=np.int32)
        return weight, scales.astype(np.float32), bias

    def _tensor(self, shape: tuple[int, ...]) -> Tensor:
        return Tensor(name=f"tensor_{len(self.operators)}", shape=shape, quantization=_GRID)

    def _append(self, operator: Operator) -> Tensor:
        self.operators.append(operator)
        return operator.output
