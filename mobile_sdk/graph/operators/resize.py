"""Defines the interpolation of maps."""

from dataclasses import dataclass
from typing import ClassVar

from mobile_sdk.graph.operators.base import Unary, added
from mobile_sdk.graph.operators.traits import Family, Rounding, Strips, Traits, Values, WorkKind


@dataclass(frozen=True, kw_only=True, eq=False)
class ResizeBilinear(Unary):
    """Interpolates bilinearly to the output's size: between pixels' centres, or, aligned, between corner pixels.

    Input and output share their quantization. In int8 the shares of pixels are whole multiples of 2^-11
    (`mobile_sdk.graph.interpolation`), and a sum is rounded once, halves up.
    """

    traits: ClassVar = Traits(
        family=Family.RESIZE,
        values=Values.BETWEEN,
        keeps_grid=True,
        rounding=Rounding.PROVED,
        strips=Strips.NEVER,
        work=WorkKind.RESIZE,
    )

    align_corners: bool = added(False)
