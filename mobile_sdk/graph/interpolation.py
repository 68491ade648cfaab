"""Says between which pixels, and in which shares, phones interpolate maps bilinearly: in whole numbers.

XNNPACK computes an output pixel's place in float32, and its share of the next input pixel in 1 / 2^11
(`src/indirection.c`, q11). Its kernels add whole products of both axes' shares, 2^22 in all, and round once, halves up
(`src/s8-ibilinear`), so that no order of summation matters.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.operators import ResizeBilinear

if TYPE_CHECKING:
    import torch

ONE = 2**11  # all shares of one axis


@dataclass(frozen=True, kw_only=True, eq=False)
class Taps:
    """Holds, for each output pixel of one axis, two input pixels and the share of the second, of `ONE` parts."""

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    share: NDArray[np.int64]

    def matrix(self, length: int) -> NDArray[np.int64]:
        """Returns the shares (output pixels, `length` input pixels) of the axis."""
        rows, matrix = np.arange(len(self.share)), np.zeros((len(self.share), length), np.int64)
        np.add.at(matrix, (rows, self.before), ONE - self.share)
        np.add.at(matrix, (rows, self.after), self.share)
        return matrix


@cache
def taps(length: int, output: int, *, align_corners: bool) -> Taps:
    """Returns the taps of one axis that is resized from `length` to `output` pixels."""
    return _taps(_places(length, output, align_corners=align_corners, is_fused=False), length)


def shares(operator: ResizeBilinear) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the shares of rows and of columns, (output pixels, input pixels) each, in parts of `ONE`."""
    sides = zip(operator.input.shape[1:], operator.output.shape[1:], strict=True)
    each = [(length, taps(length, output, align_corners=operator.align_corners)) for length, output in sides]
    down, across = (axis.matrix(length) for length, axis in each)
    return down, across


@cache
def is_settled(length: int, output: int, *, align_corners: bool) -> bool:
    """Tells whether every build has these taps: one that fuses a place's product and sum, and one that does not."""
    found = (_places(length, output, align_corners=align_corners, is_fused=is_fused) for is_fused in (False, True))
    first, second = (_taps(places, length) for places in found)
    return np.array_equal(first.before * ONE + first.share, second.before * ONE + second.share)


def resized_codes(x: "torch.Tensor", size: tuple[int, int], *, align_corners: bool) -> "torch.Tensor":
    """Returns whole codes (N, C, H, W) in float32, less than 2^10, interpolated to `size` and rounded, halves up."""
    import torch  # programs are read without it

    for axis, output in zip((2, 3), size, strict=True):
        if axis == 3:
            x = x.to(torch.float64)  # products of three numbers pass float32's 2^24
        each = taps(x.shape[axis], output, align_corners=align_corners)
        shape = [-1 if side == axis else 1 for side in range(4)]
        share = torch.from_numpy(each.share).to(x.dtype).reshape(shape).to(x.device)
        before, after = (torch.from_numpy(index).to(x.device) for index in (each.before, each.after))
        x = x.index_select(axis, before) * (ONE - share) + x.index_select(axis, after) * share
    return x.div_(ONE**2).add_(0.5).floor_().to(torch.float32)


def _places(length: int, output: int, *, align_corners: bool, is_fused: bool) -> NDArray[np.float32]:
    """Returns the place of every output pixel among the input pixels, each step rounded to float32 as XNNPACK's is."""
    pixels, last = np.arange(output, dtype=np.float32), np.float32(length - 1)
    gaps = int(align_corners and output > 1)
    scale = np.float32(length - gaps) / np.float32(output - gaps)
    places: NDArray[np.float32] = pixels * scale
    if not align_corners:
        offset = np.float32(0.5) * scale - np.float32(0.5)
        fused = (pixels.astype(np.float64) * np.float64(scale) + np.float64(offset)).astype(np.float32)
        places = fused if is_fused else places + offset
    return places.clip(np.float32(0), last)


def _taps(places: NDArray[np.float32], length: int) -> Taps:
    before = places.astype(np.int64)
    share = np.rint((places - before.astype(np.float32)) * np.float32(ONE)).astype(np.int64)
    return Taps(before=before, after=np.minimum(before + 1, length - 1), share=share)
