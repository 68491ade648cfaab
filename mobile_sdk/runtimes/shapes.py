"""Converts shapes to those of runtimes: channels last, a batch of one."""

from mobile_sdk.graph.layout.rearrangement import channels_last

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
