"""Defines operators with weights: convolutions, transposed ones too, and linear layers."""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.operators.base import Unary
from mobile_sdk.graph.operators.tensors import Clamp
from mobile_sdk.graph.operators.traits import Family, Rounding, Strips, Traits, Values, WorkKind

_traits = partial(Traits, family=Family.CONV, values=Values.COMPUTED, keeps_grid=False, rounding=Rounding.PROVED)


@dataclass(frozen=True, kw_only=True, eq=False)
class Weighted(Unary, is_base=True):
    """Holds `weight` int8, float32 `weight_scales` (O,), and int32 `bias` (O,) on the grid `s_x * s_w[c]`.

    In a float32 layer, `weight` and `bias` are float32.
    """

    weight: NDArray[Any]
    weight_scales: NDArray[np.float32] | None
    bias: NDArray[Any]
    clamp: Clamp = Clamp.NONE


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv2d(Weighted):
    """Convolves; depthwise if `groups` equals the input's channels. `padding` is (top, bottom, left, right)."""

    traits: ClassVar = _traits(strips=Strips.BY_WINDOW, work=WorkKind.CONVOLUTION)

    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    dilation: tuple[int, int]
    groups: int

    @property
    def extent(self) -> tuple[int, int]:
        """Returns the rows and columns that one value of the output sees, from the first to the last."""
        height, width = self.weight.shape[2:]
        return (height - 1) * self.dilation[0] + 1, (width - 1) * self.dilation[1] + 1

    @property
    def is_depthwise(self) -> bool:
        """Tells whether there is one filter (or several) per input channel: TensorFlow's DEPTHWISE_CONV_2D."""
        return self.groups == self.input.shape[0] and self.groups > 1


@dataclass(frozen=True, kw_only=True, eq=False)
class ConvTranspose2d(Weighted):
    """Adds up filters (O, I, KH, KW), each times its input pixel, `stride` pixels apart.

    `padding` (top, bottom, left, right) rows and columns are left away at the map's border.
    """

    traits: ClassVar = _traits(strips=Strips.NEVER, work=WorkKind.TRANSPOSED_CONVOLUTION)

    stride: tuple[int, int]
    padding: tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear(Weighted):
    """Applies a fully connected layer to a vector (I,), or to every row of tokens (T, I)."""

    traits: ClassVar = _traits(strips=Strips.NEVER, work=WorkKind.LINEAR)
