"""Strides, padding and windows in MIL's parameters; they are the same for int8 and float32."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.operators import AvgPool2d, Conv2d, MaxPool2d, ResizeBilinear, Rows


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


def resize_factors(operator: ResizeBilinear) -> dict[str, Any]:
    """The parameters of `upsample_bilinear`."""
    (_, height, width), (_, rows, columns) = operator.input.shape, operator.output.shape
    return {
        "scale_factor_height": np.float32(rows // height),
        "scale_factor_width": np.float32(columns // width),
        "align_corners": np.bool_(False),
        "half_pixel_centers": np.bool_(True),
    }


def repeats(operator: ResizeBilinear) -> NDArray[np.float32]:
    """Ones, by whose product a map of one pixel fills a larger one: interpolating it would round twice."""
    return np.ones((1, 1, *operator.output.shape[1:]), np.float32)


def rows_window(operator: Rows) -> tuple[list[int], list[int]]:
    """`begin` and `size` of `slice_by_size`."""
    return [0, 0, operator.start, 0], [1, *operator.output.shape]
