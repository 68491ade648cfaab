"""Defines the interpolation of maps."""

from dataclasses import dataclass
from typing import ClassVar

from mobile_sdk.graph.operators.base import Unary
from mobile_sdk.graph.operators.traits import Family, Rounding, Strips, Traits, Values, WorkKind

LARGEST_RESIZE = 64  # a factor: XNNPACK's weights have 11 bits, and float32 holds products of two and a code


@dataclass(frozen=True, kw_only=True, eq=False)
class ResizeBilinear(Unary):
    """Interpolates bilinearly between pixels' centres to the output's size; input and output share their quantization.

    Each side grows by a power of two up to `LARGEST_RESIZE`; a map of one pixel grows to any size, which repeats it.
    Weights are then whole multiples of 1 / (2 * factor), every sum is exact, and in int8 it is rounded once, halves up.
    """

    traits: ClassVar = Traits(
        family=Family.RESIZE,
        values=Values.BETWEEN,
        keeps_grid=True,
        rounding=Rounding.PROVED,
        strips=Strips.NEVER,
        work=WorkKind.RESIZE,
    )
