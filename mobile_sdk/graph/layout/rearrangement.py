"""Composes and simplifies rearrangements: a tensor is read as other axes, and these are put into another order.

Any chain of reshapes and transpositions is one rearrangement, or several where sizes do not divide one another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Rearrangement:
    """Reads values, in row-major order, as an array of shape `split`, whose axes it then puts into this `order`."""

    split: Shape
    order: tuple[int, ...]

    @classmethod
    def of_order(cls, shape: Sequence[int], order: Sequence[int]) -> "Rearrangement":
        """Returns a transposition of a whole tensor."""
        return cls(tuple(shape), tuple(order))

    @classmethod
    def nothing(cls, shape: Sequence[int]) -> "Rearrangement":
        """Returns the one that leaves all values where they are: a reshape."""
        return cls(tuple(shape), tuple(range(len(shape))))

    @property
    def shape(self) -> Shape:
        """Returns the shape after the transposition."""
        return tuple(self.split[axis] for axis in self.order)

    @property
    def moves_nothing(self) -> bool:
        """Tells whether every value stays where it is, in row-major order."""
        return len(self.simplified().split) < 2

    def then(self, other: "Rearrangement") -> "Rearrangement | None":
        """Returns this one and then the other as one; None if the sizes of their axes do not divide one another."""
        parts = _common_parts(self.shape, other.split)
        if parts is None:
            return None
        of_mine, of_other = parts
        place = dict(zip(self.order, of_mine, strict=True))  # my axis → its parts, numbered as they lie in between
        split = [part for axis in range(len(self.split)) for part in place[axis]]
        numbers = {part: index for index, (part, _) in enumerate(split)}
        order = [numbers[part] for axis in other.order for part, _ in of_other[axis]]
        return Rearrangement(tuple(size for _, size in split), tuple(order))

    def simplified(self) -> "Rearrangement":
        """Returns an equal one of the fewest axes: without those of length 1, and with neighbours that stay such."""
        runs: list[list[int]] = []
        for axis in (axis for axis in self.order if self.split[axis] != 1):
            if runs and self._are_neighbours(runs[-1][-1], axis):
                runs[-1].append(axis)
            else:
                runs.append([axis])
        by_place = sorted(runs)
        split = tuple(prod(self.split[axis] for axis in run) for run in by_place)
        return Rearrangement(split, tuple(by_place.index(run) for run in runs))

    def within(self, most_axes: int) -> tuple["Rearrangement", ...]:
        """Returns equal steps, each of that many axes at most (four or more), the first of which are the largest."""
        simple = self.simplified()
        if len(simple.split) <= most_axes:
            return (simple,)
        done = Rearrangement.nothing(simple.split)
        for position in range(len(simple.order)):
            moved = _with_axis_at(simple, done.order, position)
            if len(moved.simplified().split) > most_axes:
                break
            done = moved
        rest = Rearrangement(done.shape, tuple(done.order.index(axis) for axis in simple.order))
        return (done.simplified(), *rest.within(most_axes))

    def _are_neighbours(self, first: int, second: int) -> bool:
        """Tells whether nothing but axes of length 1 lies between the two in the split, in this order."""
        return first < second and all(size == 1 for size in self.split[first + 1 : second])


def composed(moves: Iterable[Rearrangement]) -> tuple[Rearrangement, ...]:
    """Returns the moves in order, as few as they can be, each simplified; none if nothing moves."""
    merged: list[Rearrangement] = []
    for move in (each.simplified() for each in moves):
        one = merged[-1].then(move) if merged else None
        if one is not None:
            merged[-1] = one.simplified()
        else:
            merged.append(move)
    return tuple(move for move in merged if not move.moves_nothing)


def channels_last(shape: Shape) -> Rearrangement:
    """Returns the change from rows of channels (C, H, W) to how runtimes store maps: H, W, C; others stay."""
    return Rearrangement.of_order(shape, (1, 2, 0)) if len(shape) == 3 else Rearrangement.nothing(shape)


def channels_first(shape: Shape) -> Rearrangement:
    """Returns the change from how runtimes store a tensor of this shape to its row-major order."""
    stored = channels_last(shape).shape
    return Rearrangement.of_order(stored, (2, 0, 1)) if len(shape) == 3 else Rearrangement.nothing(stored)


def _with_axis_at(wanted: Rearrangement, order: Sequence[int], position: int) -> Rearrangement:
    """Returns the order with the axis moved to `position` that is wanted there."""
    axis = wanted.order[position]
    others = [each for each in order if each != axis]
    return Rearrangement(wanted.split, (*others[:position], axis, *others[position:]))


_Part = tuple[int, int]
"""It holds the number of a part, from the innermost on, and its size."""


def _common_parts(mine: Shape, other: Shape) -> tuple[list[list[_Part]], list[list[_Part]]] | None:
    """Returns the parts of every axis of both shapes, so that both have the same parts; None if there are none."""
    parts: tuple[list[list[_Part]], list[list[_Part]]] = ([[] for _ in mine], [[] for _ in other])
    ends, left = [len(mine) - 1, len(other) - 1], [1, 1]
    for number in range(len(mine) + len(other)):
        for side, shape in enumerate((mine, other)):
            while left[side] == 1 and ends[side] >= 0:
                left[side] = shape[ends[side]]
                ends[side] -= 1
        size = min(left)
        if size == 1:
            break
        if max(left) % size:
            return None
        for side in range(2):
            parts[side][ends[side] + 1].insert(0, (number, size))
            left[side] //= size
    return parts
