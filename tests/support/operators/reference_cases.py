"""Graphs of one operator on a small picture, for the reference and its integer models."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import (
    Clamp,
    Constant,
    Conv2d,
    Graph,
    Operator,
    Quantization,
    Tensor,
)
from tests.support.operators.random_cases import grid


def square(size: int = 8, quantization: Quantization | None = None) -> Tensor:
    return Tensor(name="picture", shape=(3, size, size), quantization=quantization or grid(1 / 128))


def one(kind: type[Operator], shape: tuple[int, ...], y: Quantization, source: Tensor, **fields: Any) -> Graph:
    output = Tensor(name="result", shape=shape, quantization=y)
    return Graph(input=source, operators=(kind(output=output, path="net.result", **fields),))


def square_pictures(count: int, size: int = 8, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def conv(
    source: Tensor,
    y: Quantization,
    weight: NDArray[np.int8],
    *,
    gain: float,
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    clamp: Clamp = Clamp.NONE,
    bias: NDArray[np.int32] | None = None,
) -> Graph:
    """One convolution; `gain` is about the requantization factor times the largest accumulator, in output codes."""
    top, bottom, left, right = padding
    extents = [(size - 1) * step + 1 for size, step in zip(weight.shape[2:], dilation, strict=True)]
    rows = (source.shape[1] + top + bottom - extents[0]) // stride[0] + 1
    columns = (source.shape[2] + left + right - extents[1]) // stride[1] + 1
    reach = 255 * np.abs(weight.astype(np.int64)).reshape(len(weight), -1).sum(axis=1).clip(1)
    scales = gain * y.scale / arithmetic.quantization_of(source).scale / reach
    return one(
        Conv2d,
        (len(weight), rows, columns),
        y,
        source,
        input=source,
        weight=weight,
        weight_scales=scales.astype(np.float32),
        bias=np.zeros(len(weight), np.int32) if bias is None else bias,
        clamp=clamp,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )


def second_operand(source: Tensor, operand: str, code: int) -> tuple[Operator, Tensor | Constant]:
    """Returns a convolution that mirrors `source`, and an operand: its output ("tensor"), "itself", or a "constant"."""
    scale = arithmetic.quantization_of(source).scale
    mirrored = conv(source, grid(scale, -5), -np.eye(3, dtype=np.int8).reshape(3, 3, 1, 1), gain=255).operators[0]
    constant = Constant(name="c", value=code, quantization=grid(scale * 0.7, 0))
    return mirrored, {"tensor": mirrored.output, "itself": source, "constant": constant}[operand]
