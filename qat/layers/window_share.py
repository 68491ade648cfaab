"""Computes a pooling window's size over the part that an average counts: 1 inside the map, more at its border.

Average pooling that leaves its padding out (`count_include_pad=False`, TensorFlow's SAME), or whose last window reaches
beyond the padding (`ceil_mode`), is the average that counts zeros, times this share. The share is equal for all images.
Convolutions compute it from a map of ones, whose zero padding they see as windows do: per axis, weights `u` with
`sum(u[i:j]) = size / (j - i)` for every part `i:j` of a window that occurs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mobile_sdk.graph.operators import INT8_MAX, Quantization
from qat.layers.integer_rounding import float32
from qat.layers.quantizers.fake_quant import WEIGHT_LIMIT
from qat.layers.quantizers.step_gradients import LEVELS
from qat.steps import Window

Padding = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Holds one depthwise convolution of those that compute the share: float32 `weight` (KH, KW) for all channels.

    `sides` are those of its output, whose largest value is `largest`.
    """

    name: str
    weight: NDArray[np.float32]
    bias: float
    stride: tuple[int, int]
    padding: Padding
    sides: tuple[int, int]
    largest: float

    @property
    def grid(self) -> Quantization:
        """Returns the grid of its output, from 0 on."""
        return grid_of(np.array([1.0, self.largest]))

    def codes(self, channels: int) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
        """Returns weights (channels, 1, KH, KW) as int8 codes, on an exact scale if there is one."""
        steps = _steps(self.weight.astype(np.float64), WEIGHT_LIMIT)
        codes = np.rint(self.weight * steps).astype(np.int8)
        return np.tile(codes, (channels, 1, 1, 1)), np.full(channels, codes.any() / steps)

    def geometry(self, channels: int) -> dict[str, Any]:
        """Returns how the window moves, under the names of `mobile_sdk.graph.operators.Conv2d`."""
        return {"stride": self.stride, "padding": self.padding, "dilation": (1, 1), "groups": channels}


class WindowShare(nn.Module):
    """Computes the share of every window: (N, C, rows, columns) of the map (N, C, H, W) that is pooled."""

    share: Tensor

    def __init__(self, window: Window, counted: Padding, sides: tuple[int, int], outputs: tuple[int, int]) -> None:
        super().__init__()
        self.window, self.counted, self.sides, self.outputs = window, counted, sides, outputs
        by_axis = [_shares(window, counted, sides, outputs, axis) for axis in (0, 1)]
        self.register_buffer("share", torch.from_numpy(np.outer(*by_axis).astype(np.float32)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the share, which does not depend on the values of `x`."""
        return self.share.to(x).expand(*x.shape[:2], *self.outputs)

    @property
    def grid(self) -> Quantization:
        """Returns the grid that represents the shares best."""
        return grid_of(self.share.numpy())

    def stages(self) -> Iterator[Stage]:
        """Yields the convolutions in order: a map of ones where padding counts, the shares of rows, then of columns."""
        top, bottom, left, right = self.counted
        rows, columns = self.sides[0] + top + bottom, self.sides[1] + left + right
        one = np.zeros((1, 1), np.float32)
        yield Stage(
            name="ones", weight=one, bias=1.0, stride=(1, 1), padding=self.counted, sides=(rows, columns), largest=1.0
        )
        beyond = [whole - part for whole, part in zip(self.window.padding, self.counted, strict=True)]
        by_axis = [_shares(self.window, self.counted, self.sides, self.outputs, axis).max() for axis in (0, 1)]
        yield Stage(
            name="rows",
            weight=_taps(self, 0)[:, None],
            bias=0.0,
            stride=(self.window.stride[0], 1),
            padding=(beyond[0], beyond[1], 0, 0),
            sides=(self.outputs[0], columns),
            largest=by_axis[0],
        )
        yield Stage(
            name="columns",
            weight=_taps(self, 1)[None],
            bias=0.0,
            stride=(1, self.window.stride[1]),
            padding=(0, 0, beyond[2], beyond[3]),
            sides=self.outputs,
            largest=by_axis[0] * by_axis[1],
        )


def is_expressible(share: WindowShare) -> bool:
    """Returns whether weights exist that give every window its share: not if one is cut on both sides in two ways."""
    for axis in (0, 1):
        taps = _taps(share, axis)
        for begin, end in _parts(share.window, share.counted, share.sides, share.outputs, axis):
            if not np.isclose(taps[begin:end].sum(), len(taps) / (end - begin), rtol=1e-5):
                return False
    return True


def grid_of(values: NDArray[np.floating]) -> Quantization:
    """Returns the grid from 0 on that represents these values, 1 and more, best."""
    return Quantization(scale=float32(1 / _steps(values.astype(np.float64), LEVELS)), zero_point=INT8_MAX - LEVELS)


def _steps(values: NDArray[np.float64], most: int) -> float:
    """Returns the number of steps to 1 at which all values are nearly whole numbers of steps, none above `most`."""
    largest = np.abs(values).max()
    if largest == 0:
        return 1.0
    limit = int(most / largest)
    if limit < 1:
        return float(most / largest)
    candidates = np.arange(limit, max(limit // 2, 1) - 1, -1)
    errors = np.abs(candidates[:, None] * values.flatten() - np.rint(candidates[:, None] * values.flatten())).max(
        axis=1
    )
    return float(candidates[np.argmin(np.round(errors / candidates, 9))])


def _parts(
    window: Window, counted: Padding, sides: tuple[int, int], outputs: tuple[int, int], axis: int
) -> list[tuple[int, int]]:
    """Returns the parts `(begin, end)` of a window along one axis that overlap the map and counted padding."""
    size, step, before = window.kernel[axis], window.stride[axis], window.padding[2 * axis]
    starts = np.arange(outputs[axis]) * step - before
    first, last = -counted[2 * axis], sides[axis] + counted[2 * axis + 1]
    return [(max(first - start, 0), min(last - start, size)) for start in starts.tolist()]


def _shares(
    window: Window, counted: Padding, sides: tuple[int, int], outputs: tuple[int, int], axis: int
) -> NDArray[np.float64]:
    parts = _parts(window, counted, sides, outputs, axis)
    return np.array([window.kernel[axis] / (end - begin) for begin, end in parts])


def _taps(share: WindowShare, axis: int) -> NDArray[np.float32]:
    """Returns the least weights along one axis that give every part of a window that occurs its share."""
    size = share.window.kernel[axis]
    parts = sorted(set(_parts(share.window, share.counted, share.sides, share.outputs, axis)))
    inside = np.array([[begin <= tap < end for tap in range(size)] for begin, end in parts], np.float64)
    wanted = np.array([size / (end - begin) for begin, end in parts])
    taps: NDArray[np.float64] = np.linalg.lstsq(inside, wanted, rcond=None)[0]
    return taps.astype(np.float32)
