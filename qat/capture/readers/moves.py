"""Reads views, permutations and pixel shuffles, alone or in chains, as one rearrangement of every picture.

A node that merges the pictures' axis with another, or moves it, is left to those that read it: a chain in which the
axis comes first again is a rearrangement of each picture.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn

from mobile_sdk.graph.layout.rearrangement import Rearrangement, composed
from qat.capture.rewriter import Rewriter, arguments, name_of, operand, shape_of, unsupported
from qat.layers.rearranging import REARRANGE
from qat.steps import Kind, step_of

aten = torch.ops.aten
MOVED = "moved"  # the key of the node that a chain of moves begins at, and of what it comes to, the pictures included
_FOLDED = "which merges or moves the axis of the pictures"


def read_move(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a move and those before it: as nothing, a vector, a map of one pixel, a shuffle or a rearrangement."""
    source, move = _chain(node)
    node.meta[MOVED] = (source, move)
    of_picture = _of_a_picture(move, shape_of(source)[0], shape_of(node)[0])
    if of_picture is None:
        rewriter.leave(node, _FOLDED)
    elif of_picture.moves_nothing and shape_of(node) == shape_of(source):
        node.replace_all_uses_with(source)
    else:
        _become(rewriter, node, source, of_picture)


def moves_nothing(node: fx.Node) -> bool:
    """Tells whether the node reads its operand's values in their order, as another shape."""
    return MOVED in node.meta and node.meta[MOVED][1].moves_nothing


def moved(rewriter: Rewriter, node: fx.Node, target: Any, source: fx.Node, *rest: Any) -> fx.Node:
    """Returns a move of `source`, read, before the node; `target` is one of PyTorch's operators."""
    shape = tuple(target(torch.empty(shape_of(source), device="meta"), *rest).shape)
    new = rewriter.place(node, target, (source, *rest), shape)
    reader = rewriter.graph.create_node("call_function", aten.alias.default, (new,))  # whose operand is what was read
    read_move(rewriter, new)
    found = operand(reader)
    rewriter.graph.erase_node(reader)
    return found


def _become(rewriter: Rewriter, node: fx.Node, source: fx.Node, move: Rearrangement) -> None:
    before, after = shape_of(source), shape_of(node)
    is_read_by_moves = bool(node.users) and all(name_of(user) in _MOVES for user in node.users)
    if not is_read_by_moves and move.moves_nothing and (form := _vector_or_pixel(rewriter, node, before, after)):
        node.args = (source, *node.args[1:])
        rewriter.replace(node, *form)
    elif not is_read_by_moves and before == after and (groups := _groups(move, before)):
        rewriter.become(node, aten.channel_shuffle.default, (source, groups), Kind.CHANNEL_SHUFFLE, groups=groups)
    else:
        details = {"split": move.split, "order": move.order}
        numbers = [list(move.split), list(move.order), list(after[1:])]
        rewriter.become(node, REARRANGE, (source, *numbers), Kind.REARRANGE, **details)


def _vector_or_pixel(
    rewriter: Rewriter, node: fx.Node, before: tuple[int, ...], after: tuple[int, ...]
) -> tuple[nn.Module, Kind] | None:
    """Returns the layer of a map as a vector, if it has one pixel or only linear layers read it, or the reverse."""
    if len(before) == 4 and len(after) == 2 and (before[2:] == (1, 1) or _feeds_linear(node)):
        return nn.Flatten(1), Kind.FLATTEN
    if len(before) == 2 and after == (*before, 1, 1):
        return nn.Unflatten(1, after[1:]), Kind.UNFLATTEN
    return None


def _groups(move: Rearrangement, shape: tuple[int, ...]) -> int:
    """Returns the groups of a shuffle of a map's channels; 0 for another move."""
    if len(shape) != 4 or move.order[:2] != (1, 0) or move.order[2:] not in ((), (2,)):
        return 0
    return move.split[0] if move.split[0] * move.split[1] == shape[1] else 0


def _chain(node: fx.Node) -> tuple[fx.Node, Rearrangement]:
    """Returns where the chain of moves that ends at the node begins, and what it comes to."""
    source, own = operand(node), _MOVES[name_of(node)](node)
    if MOVED in source.meta:
        start, before = source.meta[MOVED]
        one = before.then(own)
        if one is not None:
            return start, one
        if step_of(source) is None:
            raise unsupported(node, f"from {shape_of(source)} to {shape_of(node)} {_FOLDED}")
    one = Rearrangement.nothing(shape_of(source)).then(own)
    if one is None:
        raise unsupported(node, f"from {shape_of(source)} to {shape_of(node)} {_FOLDED}")
    return source, one


def _of_a_picture(move: Rearrangement, count: int, left: int) -> Rearrangement | None:
    """Returns what moves within each of `count` pictures; None if `left` is another number, or their axis moves."""
    if left != count or move.split[0] != count or move.order[0] != 0:
        return None
    rest = Rearrangement(move.split[1:], tuple(axis - 1 for axis in move.order[1:]))
    (one,) = composed([rest]) or (Rearrangement.nothing(rest.shape).simplified(),)
    return one


def _feeds_linear(node: fx.Node) -> bool:
    """Returns whether only linear layers read the node, some of them after dropout."""
    return all(
        name_of(user) in ("linear", "matmul", "mm") or (name_of(user) in ("dropout", "clone") and _feeds_linear(user))
        for user in node.users
    )


# -- what each of PyTorch's operators moves


def _reshape(node: fx.Node) -> Rearrangement:
    return Rearrangement.nothing(shape_of(operand(node)))


def _permute(node: fx.Node) -> Rearrangement:
    shape = shape_of(operand(node))
    _, order = arguments(node, None, None)
    return Rearrangement.of_order(shape, [axis % len(shape) for axis in order])


def _transpose(node: fx.Node) -> Rearrangement:
    shape = shape_of(operand(node))
    _, first, second = arguments(node, None, 0, 1)
    order = list(range(len(shape)))
    order[first], order[second] = order[second], order[first]
    return Rearrangement.of_order(shape, order)


def _turn(node: fx.Node) -> Rearrangement:
    shape = shape_of(operand(node))
    axes = list(range(len(shape)))
    order = [*axes[:-2], axes[-1], axes[-2]] if name_of(node) == "mT" else axes[::-1]
    return Rearrangement.of_order(shape, order)


def _move_axes(node: fx.Node) -> Rearrangement:
    shape = shape_of(operand(node))
    _, before, after = arguments(node, None, None, None)
    pairs = zip(_listed(after), _listed(before), strict=True)
    placed = {to % len(shape): axis % len(shape) for to, axis in pairs}
    others = iter(axis for axis in range(len(shape)) if axis not in placed.values())
    return Rearrangement.of_order(shape, [placed[to] if to in placed else next(others) for to in range(len(shape))])


def _pixel_shuffle(node: fx.Node) -> Rearrangement:
    batch, _, height, width = shape_of(operand(node))
    _, factor = arguments(node, None, None)
    channels = shape_of(node)[1]
    return Rearrangement((batch, channels, factor, factor, height, width), (0, 1, 4, 2, 5, 3))


def _pixel_unshuffle(node: fx.Node) -> Rearrangement:
    batch, channels, *_ = shape_of(operand(node))
    _, factor = arguments(node, None, None)
    height, width = shape_of(node)[2:]
    return Rearrangement((batch, channels, height, factor, width, factor), (0, 1, 3, 5, 2, 4))


def _channel_shuffle(node: fx.Node) -> Rearrangement:
    batch, channels, *sides = shape_of(operand(node))
    _, groups = arguments(node, None, None)
    axes = range(3, 3 + len(sides))
    return Rearrangement((batch, groups, channels // groups, *sides), (0, 2, 1, *axes))


def _listed(value: Any) -> Sequence[int]:
    return [value] if isinstance(value, int) else list(value)


_MOVES: Mapping[str, Callable[[fx.Node], Rearrangement]] = {
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "reshape_as", "view_as"), _reshape),
    **dict.fromkeys(("flatten", "unflatten", "squeeze", "unsqueeze"), _reshape),
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), _transpose),
    **dict.fromkeys(("t", "numpy_T", "mT"), _turn),
    **dict.fromkeys(("movedim", "moveaxis"), _move_axes),
    "permute": _permute,
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    "channel_shuffle": _channel_shuffle,
}

READERS = dict.fromkeys(_MOVES, read_move)
