"""Defines means and maxima over a map and over windows of it."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from mobile_sdk.graph.operators.base import Unary
from mobile_sdk.graph.operators.traits import Family, Rounding, Strips, Traits, Values, WorkKind

_traits = partial(Traits, family=Family.POOLING)


@dataclass(frozen=True, kw_only=True, eq=False)
class Mean(Unary):
    """Averages over height and width; the output is (C, 1, 1) or (C,)."""

    traits: ClassVar = _traits(
        values=Values.BETWEEN, keeps_grid=False, rounding=Rounding.MANY, strips=Strips.NEVER, work=WorkKind.MEAN
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool2d(Unary, is_base=True):
    """Moves a window over a map. `padding` is (top, bottom, left, right)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]

    @property
    def extent(self) -> tuple[int, int]:
        """Returns the rows and columns that one value of the output sees, from the first to the last."""
        return self.kernel


@dataclass(frozen=True, kw_only=True, eq=False)
class MaxPool2d(Pool2d):
    """Takes the maximum in a window; input and output share their quantization. Padding never wins."""

    traits: ClassVar = _traits(
        values=Values.CHOSEN, keeps_grid=True, rounding=Rounding.ONE, strips=Strips.BY_WINDOW, work=WorkKind.POOLING
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class AvgPool2d(Pool2d):
    """Averages a window without padding; float32 only: in int8 a depthwise Conv2d takes its place."""

    traits: ClassVar = _traits(
        values=Values.BETWEEN, keeps_grid=False, rounding=Rounding.MANY, strips=Strips.NEVER, work=WorkKind.POOLING
    )
