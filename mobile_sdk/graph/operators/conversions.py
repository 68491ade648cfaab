"""Defines operators between codes and float32 values."""

from dataclasses import dataclass
from typing import ClassVar

from mobile_sdk.graph.operators.base import Unary
from mobile_sdk.graph.operators.traits import Family, Rounding, Strips, Traits, Values, WorkKind

_TRAITS = Traits(
    family=Family.CONVERSIONS,
    values=Values.COMPUTED,
    keeps_grid=False,
    rounding=Rounding.ONE,
    strips=Strips.NEVER,
    work=WorkKind.CONVERSION,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dequantize(Unary):
    """Converts int8 codes to float32 values: a float32 graph's picture, or before kept layers."""

    traits: ClassVar = _TRAITS


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantize(Unary):
    """Converts float32 values to the nearest int8 codes, ties to even: after kept layers."""

    traits: ClassVar = _TRAITS
