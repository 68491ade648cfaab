"""Writes the interpolation of maps."""

from typing import Any

import numpy as np

from mobile_sdk.graph.operators import ResizeBilinear
from mobile_sdk.runtimes.coreml.exact_sums import HALF
from mobile_sdk.runtimes.coreml.mil_writer import MilWriter
from mobile_sdk.runtimes.coreml.operators.table import float32, int8


@int8.of(ResizeBilinear)
def _resize(operator: ResizeBilinear, file: MilWriter) -> Any:
    """Uses weights that are small multiples of a power of two: products and sums are exact, and halves round up."""
    shifted = file.add(_interpolated(operator, file), HALF, "_shifted")
    return file.codes(file.mil.floor(x=shifted, name=f"{file.label}_steps"), operator.output)


@float32.of(ResizeBilinear)
def _float_resize(operator: ResizeBilinear, file: MilWriter) -> Any:
    """Fills a larger map from one pixel by a product with ones: interpolating it would round twice."""
    if operator.input.shape[1:] == (1, 1):
        ones = np.ones((1, 1, *operator.output.shape[1:]), np.float32)
        return file.values(file.mul(file.read(operator.input), ones))
    return file.values(_interpolated(operator, file))


def _interpolated(operator: ResizeBilinear, file: MilWriter) -> Any:
    (_, height, width), (_, rows, columns) = operator.input.shape, operator.output.shape
    return file.mil.upsample_bilinear(
        x=file.read(operator.input),
        scale_factor_height=np.float32(rows // height),
        scale_factor_width=np.float32(columns // width),
        align_corners=False,
        half_pixel_centers=True,
        name=file.label,
    )
