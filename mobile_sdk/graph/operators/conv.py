"""Defines operators with weights: convolutions, transposed ones too, and linear layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.operators.base import Operator, Unary, added
from mobile_sdk.graph.operators.tensors import INT8_MAX, INT32_MAX, Clamp
from mobile_sdk.graph.operators.traits import Family, Rounding, Strips, Traits, Values, WorkKind

_traits = partial(Traits, family=Family.CONV, values=Values.COMPUTED, keeps_grid=False, rounding=Rounding.PROVED)


@dataclass(frozen=True, kw_only=True, eq=False)
class Weighted(Unary, is_base=True):
    """Holds `weight` int8, float32 `weight_scales` (O,), and int32 `bias` (O,) on the grid `s_x * s_w[c]`.

    In a float32 layer, `weight` and `bias` are float32. `weight_bits` says how many bits a file may give to a code: 8,
    or 4 where `can_have_four_bits`; codes lie within ±`weight_limit(weight_bits)`, which `check_graph` holds them to.
    """

    weight: NDArray[Any]
    weight_scales: NDArray[np.float32] | None
    bias: NDArray[Any]
    clamp: Clamp = Clamp.NONE
    weight_bits: int = added(8)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "weight_bits", int(self.weight_bits))
        if self.weight_bits not in _LIMITS:
            raise ValueError(f"weights of {self.path} must have 4 or 8 bits, not {self.weight_bits!r:.60}")
        if self.weight_bits != 8 and (self.weight_scales is None or not can_have_four_bits(self)):
            kind = f"{'a float32' if self.weight_scales is None else 'an int8'} {type(self).__name__}"
            raise ValueError(
                f"weights of {self.path} must have 8 bits: 4 are for int8 linear layers and 1×1 convolutions of stride"
                f" 1 without groups and padding, of evenly many inputs; this is {kind} of {self.weight.shape!s:.60}"
            )

    @property
    def weight_bytes(self) -> int:
        """Returns the bytes of the weights where codes of 4 bits lie two a byte."""
        return int(self.weight.nbytes if self.weight_bits == 8 else self.weight.size // 2)


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


def four_bits_fit(
    *,
    inputs: int,
    kernel: Sequence[int] = (1, 1),
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    groups: int = 1,
) -> bool:
    """Tells whether runtimes have a kernel of 4-bit weights for such a layer of `inputs` channels.

    It is a linear layer, or one at every pixel: a convolution 1×1, of stride 1, without groups and padding. Two codes
    share a byte in every row of weights, so that XNNPACK takes even numbers of inputs alone.
    """
    return set(kernel) == set(stride) == {1} and set(padding) == {0} and groups == 1 and inputs % 2 == 0


def can_have_four_bits(operator: Operator) -> bool:
    """Tells whether runtimes have a kernel of 4-bit weights for the operator; see `four_bits_fit`."""
    match operator:
        case Linear(weight=weight):
            return four_bits_fit(inputs=weight.shape[-1])
        case Conv2d(weight=weight, stride=stride, padding=padding, groups=groups):
            inputs, kernel = weight.shape[1], weight.shape[2:]
            return four_bits_fit(inputs=inputs, kernel=kernel, stride=stride, padding=padding, groups=groups)
    return False


def weight_limit(bits: int) -> int:
    """Returns the largest code of a weight of 4 or 8 bits; the least is its negative, so that grids are symmetric."""
    return _LIMITS[bits]


def sum_limit(bits: int) -> int:
    """Returns the largest sum of products with weights of 4 or 8 bits that every processor's kernels hold.

    Arm's kernels read a 4-bit weight from the high nibble of a byte, and so hold its sums times 16 in int32.
    """
    return INT32_MAX >> (8 - bits)


_LIMITS = {4: 7, 8: INT8_MAX}
