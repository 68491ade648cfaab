"""Writes the interpolation of maps."""

from typing import Any

import numpy as np

from mobile_sdk.graph.interpolation import ONE, shares
from mobile_sdk.graph.operators import ResizeBilinear
from mobile_sdk.runtimes.coreml.mil_writer import MilWriter
from mobile_sdk.runtimes.coreml.operators.table import int8, of_real_values
from mobile_sdk.runtimes.exact_sums import HALF

_LOW = 2**10  # the sums of columns are split into multiples of it and a rest


@int8.of(ResizeBilinear)
def _resize(operator: ResizeBilinear, file: MilWriter) -> Any:
    """Writes sums that float32 holds: where a side grows by a power of two, the weights are few enough for MIL's own.

    Halves round up.
    """
    if not _grows_by_powers_of_two(operator):
        return file.codes(_split_sums(operator, file), operator.output)
    shifted = file.add(_upsampled(operator, file), HALF, "_shifted")
    return file.codes(file.mil.floor(x=shifted, name=f"{file.label}_steps"), operator.output)


@of_real_values(ResizeBilinear)
def _float_resize(operator: ResizeBilinear, file: MilWriter) -> Any:
    """Fills a larger map from one pixel by a product with ones: interpolating it would round twice."""
    if operator.input.shape[1:] == (1, 1):
        ones = file.number(np.ones((1, 1, *operator.output.shape[1:])))
        return file.values(file.mul(file.read(operator.input), ones))
    if _grows_by_powers_of_two(operator):
        return file.values(_upsampled(operator, file))
    down, across = (file.number(each.astype(np.float32) / np.float32(ONE)) for each in shares(operator))
    columns = file.mil.matmul(x=file.read(operator.input), y=across.T, name=f"{file.label}_columns")
    return file.values(file.mil.matmul(x=down, y=columns, name=file.label))


def _split_sums(operator: ResizeBilinear, file: MilWriter) -> Any:
    """Returns `floor(sum / 2^22 + 1/2)`, the sum taken over products of both axes' shares.

    A sum over columns is below 2^19. It is split into `high * 2^10 + low`, so that the sums over rows, `H` and `L`, are
    below 2^21, and the result is `floor((H + floor(L / 2^10) + 2^11) / 2^12)`.
    """
    mil, label = file.mil, file.label
    down, across = (each.astype(np.float32) for each in shares(operator))
    columns = mil.matmul(x=file.read(operator.input), y=across.T, name=f"{label}_columns")
    parts = file.mul(columns, np.float32(1 / _LOW), "_parts")
    high = mil.floor(x=parts, name=f"{label}_high")
    low = file.add(parts, file.mul(high, np.float32(-1), "_less"), "_low")  # in 1 / 2^10
    sums = [mil.matmul(x=down, y=each, name=f"{label}_rows_{name}") for name, each in (("high", high), ("low", low))]
    whole = file.add(sums[0], mil.floor(x=sums[1], name=f"{label}_carry"), "_whole")
    steps = file.mul(file.add(whole, np.float32(ONE**2 / _LOW / 2), "_shifted"), np.float32(_LOW / ONE**2), "_scaled")
    return mil.floor(x=steps, name=f"{label}_steps")


def _grows_by_powers_of_two(operator: ResizeBilinear) -> bool:
    sides = zip(operator.input.shape[1:], operator.output.shape[1:], strict=True)
    factors = [divmod(output, length) for length, output in sides]
    are_small = all(rest == 0 and factor <= 64 and factor.bit_count() == 1 for factor, rest in factors)
    return are_small and not operator.align_corners


def _upsampled(operator: ResizeBilinear, file: MilWriter) -> Any:
    (_, height, width), (_, rows, columns) = operator.input.shape, operator.output.shape
    return file.mil.upsample_bilinear(
        x=file.read(operator.input),
        scale_factor_height=np.float32(rows // height),
        scale_factor_width=np.float32(columns // width),
        align_corners=False,
        half_pixel_centers=True,
        name=file.label,
    )
