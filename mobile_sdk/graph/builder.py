"""Builds integer graphs by hand if only their shapes matter, as for latencies.

Weights are random and the grids are made up: an operator's time does not depend on the values.
"""

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import operators as ops

_GRID = ops.Quantization(scale=1 / 32, zero_point=0)
_RECTIFIED_GRID = ops.Quantization(scale=1 / 32, zero_point=ops.INT8_MIN)  # for tensors without values below zero
_PICTURE_GRID = ops.Quantization(scale=1 / 128, zero_point=0)


class GraphBuilder:
    """Appends operators to a graph of a picture: RGB of `size_px` × `size_px`, or (channels, height, width).

    Most methods return the tensor that they wrote.
    """

    def __init__(self, size_px: int | tuple[int, ...]) -> None:
        shape = (3, size_px, size_px) if isinstance(size_px, int) else size_px
        self.input = ops.Tensor(name="picture", shape=shape, quantization=_PICTURE_GRID)
        self.operators: list[ops.Operator] = []
        self._random = np.random.default_rng(0)

    def conv(
        self,
        x: ops.Tensor,
        channels: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        clamp: ops.Clamp = ops.Clamp.NONE,
        bits: int = 8,
    ) -> ops.Tensor:
        """Appends a convolution, padded on every side by half of its kernel's reach."""
        weight, scales, bias = self._weights(channels, x.shape[0] // groups, kernel, kernel, bits=bits)
        operator = ops.Conv2d(
            input=x,
            weight=weight,
            weight_scales=scales,
            bias=bias,
            clamp=clamp,
            weight_bits=bits,
            stride=(stride, stride),
            padding=(dilation * (kernel // 2),) * 4,
            dilation=(dilation, dilation),
            groups=groups,
            output=self._tensor(
                (channels, *(-(-side // stride) for side in x.shape[1:])),
                _GRID if clamp is ops.Clamp.NONE else _RECTIFIED_GRID,
            ),
            path="",
        )
        return self._append(operator)

    def linear(self, x: ops.Tensor, outputs: int, *, clamp: ops.Clamp = ops.Clamp.NONE, bits: int = 8) -> ops.Tensor:
        """Appends a fully connected layer on (C, 1, 1) or (C,)."""
        flat = x if len(x.shape) == 1 else self._append(ops.Reshape(input=x, output=self._tensor(x.shape[:1]), path=""))
        weight, scales, bias = self._weights(outputs, x.shape[0], bits=bits)
        operator = ops.Linear(
            input=flat,
            weight=weight,
            weight_scales=scales,
            bias=bias,
            clamp=clamp,
            weight_bits=bits,
            output=self._tensor((outputs,)),
            path="",
        )
        return self._append(operator)

    def mean(self, x: ops.Tensor) -> ops.Tensor:
        """Appends the mean over height and width, (C, 1, 1)."""
        return self._append(ops.Mean(input=x, output=self._tensor((x.shape[0], 1, 1)), path=""))

    def binary(
        self,
        kind: type[ops.Add] | type[ops.Mul],
        a: ops.Tensor,
        b: ops.Tensor | ops.Constant,
        *,
        clamp: ops.Clamp = ops.Clamp.NONE,
    ) -> ops.Tensor:
        """Appends an elementwise sum or product, of `a`'s shape."""
        return self._append(kind(a=a, b=b, clamp=clamp, output=self._tensor(a.shape), path=""))

    def hard_swish(self, x: ops.Tensor) -> ops.Tensor:
        """Appends x × ReLU6(x + 3), as h-swish runs in int8; the sixth is in the next layer's weights."""
        three = ops.Constant(name="three", value=96.0, quantization=_GRID)
        return self.binary(ops.Mul, x, self.binary(ops.Add, x, three, clamp=ops.Clamp.RELU6))

    def scaled(self, x: ops.Tensor) -> ops.Tensor:
        """Appends x times a constant."""
        return self.binary(ops.Mul, x, ops.Constant(name="sixth", value=21.0, quantization=_GRID))

    def max_pool(self, x: ops.Tensor, kernel: int, *, stride: int = 1) -> ops.Tensor:
        """Appends the maximum in windows, padded by half their size on every side.

        Windows of even size are not padded.
        """
        padding = kernel // 2 if kernel % 2 else 0
        output = self._tensor((x.shape[0], *(-(-side // stride) for side in x.shape[1:])), x.quantization)
        operator = ops.MaxPool2d(
            input=x,
            kernel=(kernel, kernel),
            stride=(stride, stride),
            padding=(padding,) * 4,
            output=output,
            path="",
        )
        return self._append(operator)

    def concat(self, parts: Sequence[ops.Tensor]) -> ops.Tensor:
        """Joins the maps along channels."""
        channels = sum(part.shape[0] for part in parts)
        output = self._tensor((channels, *parts[0].shape[1:]), parts[0].quantization)
        return self._append(ops.Concat(parts=tuple(parts), output=output, path=""))

    def channels(self, x: ops.Tensor, start: int, stop: int) -> ops.Tensor:
        """Cuts out the channels from `start` to before `stop`."""
        output = self._tensor((stop - start, *x.shape[1:]), x.quantization)
        return self._append(ops.ChannelSlice(input=x, start=start, stop=stop, output=output, path=""))

    def shuffle(self, x: ops.Tensor, groups: int) -> ops.Tensor:
        """Appends ShuffleNet's channel shuffle."""
        output = self._tensor(x.shape, x.quantization)
        return self._append(ops.ChannelShuffle(input=x, groups=groups, output=output, path=""))

    def resize(self, x: ops.Tensor, size: int) -> ops.Tensor:
        """Appends bilinear interpolation to `size` × `size` pixels."""
        output = self._tensor((x.shape[0], size, size), x.quantization)
        return self._append(ops.ResizeBilinear(input=x, output=output, path=""))

    def rows(self, x: ops.Tensor, start: int, stop: int) -> ops.Tensor:
        """Cuts out the rows from `start` to before `stop`."""
        output = self._tensor((x.shape[0], stop - start, x.shape[2]), x.quantization)
        return self._append(ops.Rows(input=x, start=start, output=output, path=""))

    def join_rows(self, parts: Sequence[ops.Tensor]) -> ops.Tensor:
        """Joins the maps one below the other."""
        channels, _, width = parts[0].shape
        output = self._tensor((channels, sum(part.shape[1] for part in parts), width), parts[0].quantization)
        return self._append(ops.JoinRows(parts=tuple(parts), output=output, path=""))

    def boxes(self, predictions: Sequence[ops.Tensor], scores: int) -> ops.Tensor:
        """Appends a detector's boxes and so many scores, from alternating maps of offsets and of scores."""
        anchors = sum(prod(offsets.shape) // 4 for offsets in predictions[::2])
        origins, steps = (self._random.uniform(0, 1, (anchors, 4)).astype(np.float32) for _ in range(2))
        output = ops.Tensor(name=f"tensor_{len(self.operators)}", shape=(anchors, 4 + scores), quantization=None)
        operator = ops.DecodeBoxes(predictions=tuple(predictions), origins=origins, steps=steps, output=output, path="")
        return self._append(operator)

    def graph(self) -> ops.Graph:
        """Returns the graph of everything that was built."""
        return ops.Graph(input=self.input, operators=tuple(self.operators))

    def _weights(self, *shape: int, bits: int) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.int32]]:
        """Returns weights, their scales and biases; sums come out as large as inputs."""
        limit = ops.weight_limit(bits)
        weight = self._random.integers(-limit, limit + 1, shape, dtype=np.int8)
        scales = self._random.uniform(0.5, 1, shape[0]) * (127 / limit) / (64 * np.sqrt(np.prod(shape[1:])))
        bias = self._random.integers(-1000, 1001, shape[0], dtype=np.int32)
        return weight, scales.astype(np.float32), bias

    def _tensor(self, shape: tuple[int, ...], grid: ops.Quantization | None = _GRID) -> ops.Tensor:
        return ops.Tensor(name=f"tensor_{len(self.operators)}", shape=shape, quantization=grid)

    def _append(self, operator: ops.Operator) -> ops.Tensor:
        self.operators.append(operator)
        return operator.output
