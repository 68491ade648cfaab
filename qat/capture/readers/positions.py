"""Reads what takes some positions along an axis, in any order, or joins tensors along one.

Slices, reversals, rolls, constant indices, repetitions, nearest-neighbour resizing and padding with a map's own values
all take a list of positions, each once or more. Positions that lie side by side are a slice. Every second one is a
slice of rows, into which a tensor is read so that runtimes move nothing for it; a repetition is a concatenation.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import fx

from mobile_sdk.graph.layout.rearrangement import channels_first, channels_last
from qat.capture.readers.constants import put_constants
from qat.capture.readers.moves import moved, read_move
from qat.capture.rewriter import Rewriter, arguments, operand, shape_of, unsupported
from qat.steps import Kind

aten = torch.ops.aten


def take(rewriter: Rewriter, node: fx.Node, source: fx.Node, axis: int, positions: Sequence[int]) -> fx.Node:
    """Returns `source` at these positions along an axis (not the pictures'), as nodes before `node` that are read."""
    length, count = shape_of(source)[axis], len(positions)
    steps = {after - before for before, after in pairwise(positions)}
    if list(positions) == list(range(length)):
        return source
    if length == 1:
        return _repeated(rewriter, node, source, axis, count)
    if steps <= {1}:
        return _cut(rewriter, node, source, axis, positions[0], positions[-1] + 1)
    if len(steps) == 1 and (step := min(steps)) > 1:
        return _strided(rewriter, node, source, axis, positions, step)
    times = next((each for each in range(count, 1, -1) if _are_repeated(positions, each)), 1)
    if times > 1:
        return _each_repeated(rewriter, node, take(rewriter, node, source, axis, positions[::times]), axis, times)
    period = next((each for each in range(1, count) if count % each == 0 and _has_period(positions, each)), count)
    if period < count:
        once = take(rewriter, node, source, axis, positions[:period])
        return _repeated(rewriter, node, once, axis, count // period)
    runs = [0, *(index + 1 for index, (a, b) in enumerate(pairwise(positions)) if b != a + 1), count]
    parts = [
        take(rewriter, node, source, axis, positions[first:stop]) if stop - first < length else source
        for first, stop in pairwise(runs)
    ]
    return _joined(rewriter, node, parts, axis)


def take_each(rewriter: Rewriter, node: fx.Node, source: fx.Node, lists: Mapping[int, Sequence[int]]) -> fx.Node:
    """Returns `source` at positions of axes, one axis after the other; the one that leaves least is the first."""
    axes = len(shape_of(source))
    for axis, positions in sorted(lists.items(), key=lambda each: len(each[1]) / shape_of(source)[each[0]]):
        if list(positions) != list(range(shape_of(source)[axis])):
            _refuse_pictures(node, source, axis % axes)
            source = take(rewriter, node, source, axis % axes, list(positions))
    return source


def _are_repeated(positions: Sequence[int], times: int) -> bool:
    groups = [set(positions[first : first + times]) for first in range(0, len(positions), times)]
    return len(positions) % times == 0 and all(len(group) == 1 for group in groups)


def _has_period(positions: Sequence[int], period: int) -> bool:
    return all(position == positions[index % period] for index, position in enumerate(positions))


def _resized(source: fx.Node, axis: int, length: int) -> tuple[int, ...]:
    shape = shape_of(source)
    return (*shape[:axis], length, *shape[axis + 1 :])


def _cut(rewriter: Rewriter, node: fx.Node, source: fx.Node, axis: int, start: int, stop: int) -> fx.Node:
    details = {"channels": (start, stop), "axis": axis - 1}
    shape = _resized(source, axis, stop - start)
    return rewriter.insert(node, aten.slice.Tensor, (source, axis, start, stop), shape, Kind.CHANNEL_SLICE, **details)


def _joined(rewriter: Rewriter, node: fx.Node, parts: Sequence[fx.Node], axis: int) -> fx.Node:
    shape = _resized(parts[0], axis, sum(shape_of(part)[axis] for part in parts))
    return rewriter.insert(node, aten.cat.default, (list(parts), axis), shape, Kind.CONCAT, axis=axis - 1)


def _repeated(rewriter: Rewriter, node: fx.Node, source: fx.Node, axis: int, times: int) -> fx.Node:
    """Returns the whole tensor so many times, one behind the other."""
    counts = [times if each == axis else 1 for each in range(len(shape_of(source)))]
    shape = _resized(source, axis, times * shape_of(source)[axis])
    details = {"axis": axis - 1, "times": times}
    return rewriter.insert(node, aten.repeat.default, (source, counts), shape, Kind.REPEAT, **details)


def _strided(
    rewriter: Rewriter, node: fx.Node, source: fx.Node, axis: int, positions: Sequence[int], step: int
) -> fx.Node:
    """Returns every `step`-th position: whole groups of so many, of which a slice of rows takes one each."""
    length, count = shape_of(source)[axis], len(positions)
    if count * step > length:
        parts = [take(rewriter, node, source, axis, part) for part in (positions[:-1], positions[-1:])]
        return _joined(rewriter, node, parts, axis)
    first = min(positions[0], length - count * step)
    if count * step < length:
        source = _cut(rewriter, node, source, axis, first, first + count * step)
    rows, inner = _as_rows(rewriter, node, source, axis, step)
    at = (positions[0] - first) * inner
    return _from_rows(rewriter, node, _cut(rewriter, node, rows, 2, at, at + inner), _resized(source, axis, count))


def _each_repeated(rewriter: Rewriter, node: fx.Node, source: fx.Node, axis: int, times: int) -> fx.Node:
    """Returns every position so many times in turn."""
    rows, _ = _as_rows(rewriter, node, source, axis, 1)
    wide = _repeated(rewriter, node, rows, 2, times)
    return _from_rows(rewriter, node, wide, _resized(source, axis, times * shape_of(source)[axis]))


def _as_rows(rewriter: Rewriter, node: fx.Node, source: fx.Node, axis: int, step: int) -> tuple[fx.Node, int]:
    """Returns rows (N, T, C), each of `step` positions of an axis with all that runtimes store within them.

    It also returns how many values one position has in them.
    """
    batch, *shape = shape_of(source)
    stored = channels_last(tuple(shape))
    inner = prod(stored.shape[stored.order.index(axis - 1) + 1 :])
    turned = moved(rewriter, node, aten.permute.default, source, [0, *(1 + each for each in stored.order)])
    return moved(rewriter, node, aten.reshape.default, turned, [batch, -1, step * inner]), inner


def _from_rows(rewriter: Rewriter, node: fx.Node, rows: fx.Node, shape: tuple[int, ...]) -> fx.Node:
    """Returns the tensor of this shape that runtimes store as these rows."""
    batch, *sizes = shape
    own = channels_first(tuple(sizes))
    whole = moved(rewriter, node, aten.reshape.default, rows, [batch, *own.split])
    return moved(rewriter, node, aten.permute.default, whole, [0, *(1 + each for each in own.order)])


# -- PyTorch's operators


def read_slice(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads `x[:, start:stop:step]` along any axis but the pictures'."""
    source, axis, start, stop, step = arguments(node, None, 0, None, None, 1)
    length = shape_of(source)[axis]
    _take(rewriter, node, source, axis, list(range(length))[start:stop:step])


def read_select(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads `x[:, :, 0]`: a slice of one position, whose axis is removed."""
    source, axis, position = arguments(node, None, None, None)
    axis %= len(shape_of(source))
    _refuse_pictures(node, source, axis)
    one = take(rewriter, node, source, axis, [position % shape_of(source)[axis]])
    node.target, node.args = aten.view.default, (one, list(shape_of(node)))
    read_move(rewriter, node)


def read_flip(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a reversal of axes."""
    source, axes = arguments(node, None, None)
    _take_all(rewriter, node, source, {axis: range(shape_of(source)[axis])[::-1] for axis in axes})


def read_roll(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a roll of axes, whose last positions come first."""
    source, shifts, axes = arguments(node, None, None, [])
    if not axes:
        raise unsupported(node, "without its axes")
    lists = {}
    for shift, axis in zip(_listed(shifts), _listed(axes), strict=True):
        length = shape_of(source)[axis]
        lists[axis] = [(position - shift) % length for position in range(length)]
    _take_all(rewriter, node, source, lists)


def read_index_select(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads positions that a constant lists."""
    source, axis, index = arguments(node, None, None, None)
    _take(rewriter, node, source, axis, _constant_positions(rewriter, node, index, shape_of(source)[axis]))


def read_index(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads `x[:, index]` with a constant list of positions."""
    source, indices = arguments(node, None, None)
    given = [axis for axis, index in enumerate(indices) if index is not None]
    if len(given) != 1 or len(shape_of(indices[given[0]])) != 1:
        raise unsupported(node, "but by one constant list of positions")
    (axis,) = given
    positions = _constant_positions(rewriter, node, indices[axis], shape_of(source)[axis])
    _take(rewriter, node, source, axis, positions)


def read_repeat(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads repetitions of whole axes; new axes come first."""
    source, counts = arguments(node, None, None)
    shape = shape_of(source)
    if len(counts) < len(shape):
        counts = [1] * (len(shape) - len(counts)) + list(counts)
    if len(counts) > len(shape) or counts[0] != 1:
        raise unsupported(node, "along the axis of the pictures")
    lists = {axis: list(range(shape[axis])) * count for axis, count in enumerate(counts)}
    _take_all(rewriter, node, source, lists)


def read_repeat_interleave(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a repetition of every position in turn."""
    source, times, axis = arguments(node, None, None, None)
    if not isinstance(times, int) or axis is None:
        raise unsupported(node, "but of each position of one axis, equally often")
    _take(rewriter, node, source, axis, [each for each in range(shape_of(source)[axis]) for _ in range(times)])


def read_nearest(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a resizing that takes the nearest pixel, to any size: which ones it takes, PyTorch says."""
    source = operand(node)
    lists = {}
    for axis in range(2, len(shape_of(node))):
        length = shape_of(source)[axis]
        places = torch.arange(length, dtype=torch.float32).expand(*[length] * (len(shape_of(node)) - 2))
        places = places.movedim(-1, axis - 2)[None, None]
        found = node.target(places, *node.args[1:], **node.kwargs)  # type: ignore[operator]
        others = tuple(0 if each != axis else slice(None) for each in range(found.ndim))
        lists[axis] = [int(each) for each in found[others]]
    _take_all(rewriter, node, source, lists)


def read_cat(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a concatenation along any axis but the pictures'."""
    parts, axis = arguments(node, None, 0)
    axis %= len(shape_of(node))
    _refuse_pictures(node, node, axis)
    constants = {part: rewriter.constant(part) for part in parts}
    if all(values is not None for values in constants.values()):
        raise unsupported(node, "of numbers that no picture changes")
    parts = [part if (values := constants[part]) is None else put_constants(rewriter, node, values) for part in parts]
    if len(parts) == 1:
        node.replace_all_uses_with(parts[0])
    else:
        rewriter.become(node, aten.cat.default, (list(parts), axis), Kind.CONCAT, axis=axis - 1)


def read_stack(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a concatenation along a new axis."""
    parts, axis = arguments(node, None, 0)
    axis %= len(shape_of(node))
    node.target, node.args, node.kwargs = aten.cat.default, (list(parts), axis), {}
    if all(part.op != "get_attr" for part in parts):
        node.args = ([moved(rewriter, node, aten.unsqueeze.default, part, axis) for part in parts], axis)
    read_cat(rewriter, node)


def _take(rewriter: Rewriter, node: fx.Node, source: fx.Node, axis: int, positions: Sequence[int]) -> None:
    _take_all(rewriter, node, source, {axis: positions})


def _take_all(rewriter: Rewriter, node: fx.Node, source: fx.Node, lists: Mapping[int, Sequence[int]]) -> None:
    node.replace_all_uses_with(take_each(rewriter, node, source, lists))


def _refuse_pictures(node: fx.Node, source: fx.Node, axis: int) -> None:
    if axis == 0 or not shape_of(source):
        raise unsupported(node, "along the axis of the pictures")


def _constant_positions(rewriter: Rewriter, node: fx.Node, index: Any, length: int) -> list[int]:
    found = rewriter.constant(index)
    if found is None or found.dtype == torch.bool:
        raise unsupported(node, "but by a constant list of positions")
    return [int(each) % length for each in found.flatten()]


def _listed(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


READERS = {
    "slice": read_slice,
    "select": read_select,
    "flip": read_flip,
    "roll": read_roll,
    "index_select": read_index_select,
    "index": read_index,
    "repeat": read_repeat,
    "tile": read_repeat,
    "repeat_interleave": read_repeat_interleave,
    "upsample_nearest1d": read_nearest,
    "upsample_nearest2d": read_nearest,
    "_upsample_nearest_exact1d": read_nearest,
    "_upsample_nearest_exact2d": read_nearest,
    "cat": read_cat,
    "concat": read_cat,
    "stack": read_stack,
}
