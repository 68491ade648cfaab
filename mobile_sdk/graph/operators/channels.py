"""Defines operators that join, cut and reorder channels and rows, and compute nothing."""

from dataclasses import dataclass
from typing import ClassVar

from mobile_sdk.graph.operators.base import Operator, Unary
from mobile_sdk.graph.operators.tensors import Constant, Tensor
from mobile_sdk.graph.operators.traits import Family, Rounding, Strips, Traits, Values, WorkKind


@dataclass(frozen=True, kw_only=True, eq=False)
class Concat(Operator):
    """Concatenates along channels; all inputs and the output share one quantization."""

    traits: ClassVar = Traits(
        family=Family.CHANNELS,
        values=Values.CHOSEN,
        keeps_grid=True,
        rounding=Rounding.ONE,
        strips=Strips.BY_ROW,
        work=WorkKind.CONCATENATION,
    )

    parts: tuple[Tensor, ...]

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        """Returns the parts, in order."""
        return self.parts


@dataclass(frozen=True, kw_only=True, eq=False)
class ChannelSlice(Unary):
    """Takes channels `start` to before `stop` of (C, H, W); input and output share their quantization."""

    traits: ClassVar = Traits(
        family=Family.CHANNELS,
        values=Values.CHOSEN,
        keeps_grid=True,
        rounding=Rounding.ONE,
        strips=Strips.NEVER,
        work=WorkKind.SLICE,
    )

    start: int
    stop: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ChannelShuffle(Unary):
    """Shuffles channels: output channel `g + groups * i` is input `i + C/groups * g`.

    The channels are written in rows of `groups` columns and read by column. Input and output share their quantization.
    Source: ShuffleNet, arXiv 1707.01083, section 3.1.
    """

    traits: ClassVar = Traits(
        family=Family.CHANNELS,
        values=Values.CHOSEN,
        keeps_grid=True,
        rounding=Rounding.ONE,
        strips=Strips.NEVER,
        work=WorkKind.SHUFFLE,
    )

    groups: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows(Unary):
    """Takes the rows of a map from `start` on, as many as the output has; the codes and the grid stay."""

    traits: ClassVar = Traits(
        family=Family.CHANNELS,
        values=Values.CHOSEN,
        keeps_grid=True,
        rounding=Rounding.ONE,
        strips=Strips.NEVER,
        work=WorkKind.ROWS,
    )

    start: int


@dataclass(frozen=True, kw_only=True, eq=False)
class JoinRows(Operator):
    """Joins maps of equal width and channels, one below the other; inputs and output share one quantization."""

    traits: ClassVar = Traits(
        family=Family.CHANNELS,
        values=Values.CHOSEN,
        keeps_grid=True,
        rounding=Rounding.ONE,
        strips=Strips.NEVER,
        work=WorkKind.ROWS,
    )

    parts: tuple[Tensor, ...]

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        """Returns the parts, from the top."""
        return self.parts


@dataclass(frozen=True, kw_only=True, eq=False)
class Reshape(Unary):
    """Turns (C, 1, 1) into (C,); the values and the quantization stay."""

    traits: ClassVar = Traits(
        family=Family.CHANNELS,
        values=Values.CHOSEN,
        keeps_grid=True,
        rounding=Rounding.ONE,
        strips=Strips.NEVER,
        work=WorkKind.NONE,
    )
