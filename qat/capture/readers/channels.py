"""Reads slices and shuffles of channels as steps."""

import operator

import torch
from torch import fx

from qat.capture.rewriter import Rewriter, arguments, shape_of, unsupported
from qat.steps import Kind

aten = torch.ops.aten


def read_slice(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads `x[:, start:stop]`; a slice of everything, which Python's colon alone makes, is removed."""
    source, axis, start, stop, step = arguments(node, None, 0, None, None, 1)
    before, after = shape_of(source), shape_of(node)
    if before == after and step == 1:
        node.replace_all_uses_with(source)
        return
    if axis % len(before) != 1 or len(before) not in (2, 4) or step != 1:
        raise unsupported(node, "but of channels that lie side by side")
    first = slice(start, stop).indices(before[1])[0]
    bounds = (first, first + after[1])
    rewriter.become(node, aten.slice.Tensor, (source, 1, *bounds), Kind.CHANNEL_SLICE, channels=bounds)


def read_parts(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads `chunk` or `split`: every part becomes a slice, which is read later."""
    source, _, axis = arguments(node, None, None, 0)
    if axis % len(shape_of(source)) != 1 or len(shape_of(source)) not in (2, 4):
        raise unsupported(node, "but of channels")
    sizes = [part.shape[1] for part in node.meta["val"]]
    for part in list(node.users):
        index = part.args[1]
        if part.target is not operator.getitem or not isinstance(index, int):
            raise unsupported(part, "of a list of parts")
        first = sum(sizes[:index])
        part.target, part.args = aten.slice.Tensor, (source, 1, first, first + sizes[index])


def read_channel_shuffle(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads `nn.ChannelShuffle`."""
    source, groups = arguments(node, None, None)
    rewriter.become(node, aten.channel_shuffle.default, (source, groups), Kind.CHANNEL_SHUFFLE, groups=groups)


def read_shuffled_view(rewriter: Rewriter, node: fx.Node) -> bool:
    """Reads a view of groups, its transpose and a view back as a shuffle; returns False if the node ends none.

    The nodes before it stay without a step, so that other readers of them are refused.
    """
    swapped = node.args[0]
    viewed = swapped.args[0] if isinstance(swapped, fx.Node) and _is_swap(swapped) else None
    source = viewed.args[0] if isinstance(viewed, fx.Node) else None
    if not isinstance(source, fx.Node) or len(shape_of(viewed)) != 5 or shape_of(node) != shape_of(source):
        return False
    batch, channels, *sides = shape_of(source)
    groups = shape_of(viewed)[1]
    if shape_of(viewed) != (batch, groups, channels // groups, *sides):
        return False
    rewriter.become(node, aten.channel_shuffle.default, (source, groups), Kind.CHANNEL_SHUFFLE, groups=groups)
    return True


def leave_to_a_shuffle(rewriter: Rewriter, node: fx.Node) -> None:
    """Defers a node that may be part of a shuffle to its reader."""
    rewriter.leave(node, "but to shuffle channels")


READERS = {
    "slice": read_slice,
    "chunk": read_parts,
    "split": read_parts,
    "split_with_sizes": read_parts,
    "channel_shuffle": read_channel_shuffle,
    "transpose": leave_to_a_shuffle,
    "permute": leave_to_a_shuffle,
}


def _is_swap(node: fx.Node) -> bool:
    """Returns whether the node swaps the second and third of five axes."""
    name = str(node.target).removeprefix("aten.").split(".")[0]
    if name not in ("transpose", "permute") or len(shape_of(node)) != 5:
        return False
    if name == "transpose":
        return sorted(axis % 5 for axis in arguments(node, None, None, None)[1:]) == [1, 2]
    return [axis % 5 for axis in arguments(node, None, None)[1]] == [0, 2, 1, 3, 4]
