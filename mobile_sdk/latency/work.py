"""How much work a graph is, by kind of operator: what a latency is made of."""

from dataclasses import dataclass, fields
from math import prod

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.integer_graph import (
    Add,
    AvgPool2d,
    Conv2d,
    Graph,
    Linear,
    MaxPool2d,
    Mean,
    Mul,
    Operator,
    Reshape,
    Tensor,
)


@dataclass(frozen=True, kw_only=True)
class Work:
    """The work of one run, in amounts that processors spend time on.

    Multiply-adds of convolutions by kernel: 1×1, larger; depthwise 3×3, depthwise larger (runtimes have other kernels
    for them). Weights of all layers, each read from memory once: they are what a linear layer costs, and a convolution
    on a 1×1 map is one. Elements that convolutions read and write (`moved`), and those of sums of two tensors, of
    products and activations, of products with a gate a channel, and of means and pools.
    """

    pointwise_macs: float = 0.0
    spatial_macs: float = 0.0
    depthwise_macs: float = 0.0
    large_depthwise_macs: float = 0.0
    weights: float = 0.0
    moved_elements: float = 0.0
    summed_elements: float = 0.0
    scaled_elements: float = 0.0
    gated_elements: float = 0.0
    averaged_elements: float = 0.0
    operators: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(**{name: getattr(self, name) + getattr(other, name) for name in AMOUNTS})

    def amounts(self) -> NDArray[np.float64]:
        """The amounts in the order of `AMOUNTS`."""
        return np.array([getattr(self, name) for name in AMOUNTS])


AMOUNTS = tuple(field.name for field in fields(Work))


def count_work(graph: Graph, *, channel_tile: int = 1) -> Work:
    """The work of one run of `graph`, int8 or float32, on kernels that compute `channel_tile` output channels at once.

    Where the channels do not fill their last tile, what fills it is computed all the same.
    """
    return sum((_of(operator, channel_tile) for operator in graph.operators), Work())


def _of(operator: Operator, channel_tile: int) -> Work:
    if isinstance(operator, Conv2d):
        return _of_convolution(operator, channel_tile)
    if isinstance(operator, Linear):
        return Work(weights=operator.weight.size, operators=1)
    if isinstance(operator, Reshape):
        return Work()  # a new name for the same memory
    return Work(**{_kind(operator): prod(_largest(operator).shape)}, operators=1)


def _of_convolution(operator: Conv2d, channel_tile: int) -> Work:
    channels, height, width = operator.output.shape
    if height * width == 1:
        return Work(weights=operator.weight.size, operators=1)
    computed = -(-channels // channel_tile) * channel_tile
    macs = {_kind_of_convolution(operator): computed * operator.weight[0].size * height * width}
    moved = prod(operator.input.shape) + prod(operator.output.shape)
    return Work(**macs, weights=operator.weight.size, moved_elements=moved, operators=1)


def _kind_of_convolution(operator: Conv2d) -> str:
    kernel = max(operator.weight.shape[2:])
    if operator.is_depthwise:
        return "depthwise_macs" if kernel <= 3 else "large_depthwise_macs"
    return "pointwise_macs" if kernel == 1 else "spatial_macs"


def _kind(operator: Operator) -> str:
    if isinstance(operator, Mean | MaxPool2d | AvgPool2d):
        return "averaged_elements"
    if isinstance(operator, Add) and isinstance(operator.b, Tensor):
        return "summed_elements"
    if isinstance(operator, Mul) and isinstance(operator.b, Tensor) and operator.b.shape != operator.a.shape:
        return "gated_elements"
    return "scaled_elements"


def _largest(operator: Operator) -> Tensor:
    tensors = [value for value in (*operator.inputs, operator.output) if isinstance(value, Tensor)]
    return max(tensors, key=lambda tensor: prod(tensor.shape))
