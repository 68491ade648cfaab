"""Converts shapes to those of runtimes: channels last, a batch of one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.layout.rearrangement import channels_last
from mobile_sdk.graph.operators import Normalize

MOST_AXES = 6  # of a tensor: XNN_MAX_TENSOR_DIMS
MOST_PARTS = 5  # of one concatenation: XNNConcatenate5, and VisitConcatenationNode of LiteRT's XNNPACK delegate


def runtime_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns (1, H, W, C) for (C, H, W); tensors of other than three axes, such as rows (T, C), are stored as is.

    It returns (1, C) for (C,), and (1, anchors, columns) for boxes (anchors, columns).
    """
    return (1, *channels_last(shape).shape)


def runtime_axis(shape: tuple[int, ...], axis: int) -> int:
    """Returns which axis of `runtime_shape(shape)` is the axis of `shape`."""
    return 1 + channels_last(shape).order.index(axis)


def normalized_axes(operator: Normalize) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the shape in which the phone normalises, groups of channels an axis, and the axes of its means."""
    shape = runtime_shape(operator.output.shape)
    if operator.groups > 1:
        _, height, width, channels = shape
        return (1, height * width, operator.groups, channels // operator.groups), (1, 3)
    return shape, tuple(sorted(runtime_axis(operator.output.shape, axis) for axis in operator.axes))


def runtime_layout(values: NDArray[Any]) -> NDArray[Any]:
    """Returns a tensor's values as the runtimes store them, of `runtime_shape`."""
    return np.ascontiguousarray(values.transpose(channels_last(values.shape).order))[None]
