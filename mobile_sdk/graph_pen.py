"""Draws integer graphs by hand where only their shapes matter, as for latencies.

Weights are random and all tensors share one grid: an operator's time does not depend on the values.
"""

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


class Pen:
    """Appends operators to a graph of a `size_px` × `size_px` picture; most methods give the tensor that they wrote."""

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

    def linear(self, x: Tensor, outputs: int, *, clamp: Clamp = Clamp.NONE) -> Tensor:
        """A fully connected layer on (C, 1, 1) or (C,)."""
        flat = x if len(x.shape) == 1 else self._append(Reshape(input=x, output=self._tensor(x.shape[:1]), path=""))
        weight, scales, bias = self._weights(outputs, x.shape[0])
        operator = Linear(
            input=flat,
            weight=weight,
            weight_scales=scales,
            bias=bias,
            clamp=clamp,
            output=self._tensor((outputs,)),
            path="",
        )
        return self._append(operator)

    def mean(self, x: Tensor) -> Tensor:
        """The mean over height and width, (C, 1, 1)."""
        return self._append(Mean(input=x, output=self._tensor((x.shape[0], 1, 1)), path=""))

    def binary(
        self, kind: type[Add] | type[Mul], a: Tensor, b: Tensor | Constant, *, clamp: Clamp = Clamp.NONE
    ) -> Tensor:
        """An elementwise sum or product, of `a`'s shape."""
        return self._append(kind(a=a, b=b, clamp=clamp, output=self._tensor(a.shape), path=""))

    def hard_swish(self, x: Tensor) -> Tensor:
        """X × ReLU6(x + 3), as it runs in int8; the sixth is in the next layer's weights."""
        three = Constant(name="three", value=96.0, quantization=_GRID)
        return self.binary(Mul, x, self.binary(Add, x, three, clamp=Clamp.RELU6))

    def scaled(self, x: Tensor) -> Tensor:
        """X times a constant."""
        return self.binary(Mul, x, Constant(name="sixth", value=21.0, quantization=_GRID))

    def graph(self) -> Graph:
        """The graph of all that was drawn."""
        return Graph(input=self.input, operators=tuple(self.operators))

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
