"""Defines a captured net's transposed convolutions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from qat.layers.weighted import Filters


class ConvTranspose2d(Filters):
    """Computes a transposed convolution, whose weights are stored as (O, I / groups, KH, KW): by output channel.

    `padding` (top, bottom, left, right) is left away at the map's border; below and on the right it is negative where
    `output_padding` adds more rows and columns than that.
    """

    @property
    def geometry(self) -> dict[str, Any]:
        """Returns how `dense` filters move, under the names of `mobile_sdk.graph.operators.ConvTranspose2d`."""
        top, bottom, left, right = self.padding
        return {"stride": self.stride, "padding": (top, max(bottom, 0), left, max(right, 0))}

    def apply_weights(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Computes a transposed convolution with the given weights."""
        by_input = by_other_channel(weight, self.groups)
        whole = F.conv_transpose2d(x, by_input, bias, self.stride, 0, self._beyond, self.groups, self.dilation)
        top, bottom, left, right = self.padding
        return whole[:, :, top : whole.shape[2] - max(bottom, 0), left : whole.shape[3] - max(right, 0)]

    def dense(self, weight: NDArray[Any]) -> NDArray[Any]:
        """Returns `weight` (O, I / groups, KH, KW) as filters (O, I, rows, columns) of one group without dilation.

        Taps between those that are dilated are zero, and so are those that reach rows and columns beyond the last.
        """
        outputs, inputs, *kernel = weight.shape
        down, across = self.dilation
        rows, columns = (
            (size - 1) * step + 1 + beyond
            for size, step, beyond in zip(kernel, self.dilation, self._beyond, strict=True)
        )
        dense = np.zeros((outputs, inputs * self.groups, rows, columns), weight.dtype)
        share = outputs // self.groups
        for group in range(self.groups):
            own = dense[group * share : (group + 1) * share, group * inputs : (group + 1) * inputs]
            own[:, :, : (kernel[0] - 1) * down + 1 : down, : (kernel[1] - 1) * across + 1 : across] = weight[
                group * share : (group + 1) * share
            ]
        return dense

    def columns(self, x: Tensor, every: int = 1) -> Tensor:
        """Returns the inputs of every filter's weights as `Conv2d.columns` does: zeros between pixels."""
        count, channels, height, width = x.shape
        (down, across), kernel = self.stride, tuple(self.weight.shape[2:])
        spread = x.new_zeros(count, channels, (height - 1) * down + 1, (width - 1) * across + 1)
        spread[:, :, ::down, ::across] = x
        top, bottom, left, right = self.padding
        reach = [(size - 1) * step for size, step in zip(kernel, self.dilation, strict=True)]
        edges = (reach[1] - left, reach[1] - right, reach[0] - top, reach[0] - bottom)
        columns = F.unfold(F.pad(spread, edges), kernel, self.dilation, 0, every)
        return columns.reshape(count, channels, *kernel, -1).flip(2, 3).reshape(count, columns.shape[1], -1)

    @property
    def _beyond(self) -> tuple[int, int]:
        _, bottom, _, right = self.padding
        return max(-bottom, 0), max(-right, 0)


def by_other_channel(weight: Tensor, groups: int) -> Tensor:
    """Returns weights (O, I / groups, …) as (I, O / groups, …), and the other way round."""
    first, second, *kernel = weight.shape
    return (
        weight.reshape(groups, first // groups, second, *kernel).transpose(1, 2).reshape(-1, first // groups, *kernel)
    )
