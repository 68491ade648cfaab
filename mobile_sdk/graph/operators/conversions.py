"""Defines operators between codes and float32 values, and tensors that no picture changes."""

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from mobile_sdk.graph.operators.base import Operator, Unary
from mobile_sdk.graph.operators.tensors import Constant, Tensor
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


@dataclass(frozen=True, kw_only=True, eq=False)
class ConstantTensor(Operator):
    """Gives `values`, of the output's shape: int8 codes, or float32. It has no operand and computes nothing."""

    traits: ClassVar = Traits(
        family=Family.CONSTANTS,
        values=Values.COMPUTED,
        keeps_grid=False,
        rounding=Rounding.ONE,
        strips=Strips.NEVER,
        work=WorkKind.NONE,
    )

    values: NDArray[Any]

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        """Returns no operand."""
        return ()
