"""Says by which reshapes and transpositions a runtime moves a tensor that it stores in some shape."""

from collections.abc import Iterable
from dataclasses import dataclass

from mobile_sdk.graph.layout.rearrangement import Rearrangement, Shape, channels_last
from mobile_sdk.graph.operators import Pad


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Gives a tensor another shape, or puts its axes into another `order`; `shape` is that of its output."""

    shape: Shape
    order: tuple[int, ...] | None = None


def stages(moves: Iterable[Rearrangement], before: Shape, after: Shape, most_axes: int) -> tuple[Stage, ...]:
    """Returns the stages from a stored shape to another, one or more, each of so many axes at most."""
    found: list[Stage] = []
    for move in (step for whole in moves for step in whole.within(most_axes)):
        step = _on(before, move)
        if step.split != before:
            found.append(Stage(shape=step.split))
        found.append(Stage(shape=step.shape, order=step.order))
        before = step.shape
    if before != after or not found:
        found.append(Stage(shape=after))
    return tuple(found)


def stored_padding(operator: Pad) -> list[tuple[int, int]]:
    """Returns the zeros before and after the values of each axis that runtimes store, the batch's included."""
    order = channels_last(operator.input.shape).order
    return [(0, 0), *((operator.before[axis], operator.after[axis]) for axis in order)]


def _on(shape: Shape, move: Rearrangement) -> Rearrangement:
    """Returns the move as one of the shape itself, its axes of length 1 in front, if it is one."""
    wide = [axis for axis, size in enumerate(shape) if size != 1]
    if tuple(shape[axis] for axis in wide) != move.split:
        return move
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    return Rearrangement(shape, (*ones, *(wide[axis] for axis in move.order)))
