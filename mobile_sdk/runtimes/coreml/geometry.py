"""Strides, padding and windows in MIL's parameters; they are the same for int8 and float32."""

from typing import Any

from mobile_sdk.integer_graph import AvgPool2d, Conv2d, MaxPool2d, Rows


def conv_geometry(operator: Conv2d) -> dict[str, Any]:
    """The parameters of `conv` beside its numbers."""
    return {
        "strides": list(operator.stride),
        "pad_type": "custom",
        "pad": list(operator.padding),
        "dilations": list(operator.dilation),
        "groups": operator.groups,
    }


def window(operator: MaxPool2d | AvgPool2d) -> dict[str, Any]:
    """The parameters of `max_pool` and `avg_pool`."""
    return {
        "kernel_sizes": list(operator.kernel),
        "strides": list(operator.stride),
        "pad_type": "custom",
        "pad": list(operator.padding),
    }


def rows_window(operator: Rows) -> tuple[list[int], list[int]]:
    """`begin` and `size` of `slice_by_size`."""
    return [0, 0, operator.start, 0], [1, *operator.output.shape]
