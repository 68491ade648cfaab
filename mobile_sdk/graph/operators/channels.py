"""Defines operators that join, cut and reorder values along any axis, and compute nothing."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from mobile_sdk.graph.layout.rearrangement import Rearrangement, channels_first, channels_last, composed
from mobile_sdk.graph.operators.base import Operator, Unary, added
from mobile_sdk.graph.operators.tensors import Constant, Tensor
from mobile_sdk.graph.operators.traits import Family, Rounding, Strips, Traits, Values, WorkKind

# All of them move values and compute none.
_traits = partial(Traits, family=Family.CHANNELS, values=Values.CHOSEN, keeps_grid=True, rounding=Rounding.ONE)


@dataclass(frozen=True, kw_only=True, eq=False)
class Joining(Operator, is_base=True):
    """This is the base of operators that put their parts side by side, or one below the other."""

    parts: tuple[Tensor, ...]

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        """Returns the parts, in order."""
        return self.parts


@dataclass(frozen=True, kw_only=True, eq=False)
class Concat(Joining):
    """Concatenates along channels, or another `axis` of its tensors; inputs and output share one quantization."""

    traits: ClassVar = _traits(strips=Strips.BY_ROW, work=WorkKind.CONCATENATION)

    axis: int = added(0)


@dataclass(frozen=True, kw_only=True, eq=False)
class ChannelSlice(Unary):
    """Takes channels `start` to before `stop`, or those positions along another `axis`; the quantization stays."""

    traits: ClassVar = _traits(strips=Strips.NEVER, work=WorkKind.SLICE)

    start: int
    stop: int
    axis: int = added(0)


@dataclass(frozen=True, kw_only=True, eq=False)
class ChannelShuffle(Unary):
    """Shuffles channels: output channel `g + groups * i` is input `i + C/groups * g`.

    The channels are written in rows of `groups` columns and read by column. Input and output share their quantization.
    Source: ShuffleNet, arXiv 1707.01083, section 3.1.
    """

    traits: ClassVar = _traits(strips=Strips.NEVER, work=WorkKind.SHUFFLE)

    groups: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows(Unary):
    """Takes the rows of a map from `start` on, as many as the output has; the codes and the grid stay."""

    traits: ClassVar = _traits(strips=Strips.NEVER, work=WorkKind.ROWS)

    start: int


@dataclass(frozen=True, kw_only=True, eq=False)
class JoinRows(Joining):
    """Joins maps of equal width and channels, one below the other; inputs and output share one quantization."""

    traits: ClassVar = _traits(strips=Strips.NEVER, work=WorkKind.ROWS)


@dataclass(frozen=True, kw_only=True, eq=False)
class Reshape(Unary):
    """Turns (C, 1, 1) into (C,), or the other way round; the values and the quantization stay."""

    traits: ClassVar = _traits(strips=Strips.NEVER, work=WorkKind.NONE)


@dataclass(frozen=True, kw_only=True, eq=False)
class Rearrange(Unary):
    """Reads its input as an array of shape `split`, puts its axes into `order`, and reads that as the output's shape.

    Values are read in row-major order of (C, H, W), whatever a runtime's own order is. It stands for any chain of
    reshapes and transpositions; the quantization stays.
    """

    traits: ClassVar = _traits(strips=Strips.NEVER, work=WorkKind.SHUFFLE)

    split: tuple[int, ...]
    order: tuple[int, ...]

    @property
    def logical(self) -> tuple[Rearrangement, ...]:
        """Returns what moves in row-major order of (C, H, W); nothing, or one rearrangement."""
        return composed([Rearrangement(self.split, self.order)])

    @property
    def stored(self) -> tuple[Rearrangement, ...]:
        """Returns what moves where maps are stored as H, W, C: nothing, mostly one rearrangement, or several."""
        own = Rearrangement(self.split, self.order)
        return composed([channels_first(self.input.shape), own, channels_last(self.output.shape)])


@dataclass(frozen=True, kw_only=True, eq=False)
class Pad(Unary):
    """Puts so many zeros `before` and `after` the values of every axis; in int8 a zero is the zero point."""

    traits: ClassVar = Traits(
        family=Family.CHANNELS,
        values=Values.COMPUTED,
        keeps_grid=True,
        rounding=Rounding.ONE,
        strips=Strips.NEVER,
        work=WorkKind.ROWS,
    )

    before: tuple[int, ...]
    after: tuple[int, ...]
