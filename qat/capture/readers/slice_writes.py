"""Reads writes into some of a tensor's channels as a concatenation of what was written and what was kept.

A functional graph holds `x[:, 4:8] = y` as `slice_scatter(x, y, 1, 4, 8)`, which is a concatenation of channels.
"""

import torch
from torch import Tensor, fx

from qat.capture.readers.arithmetic import read_affine
from qat.capture.rewriter import Rewriter, arguments, operand, shape_of, unsupported
from qat.steps import Kind

aten = torch.ops.aten
Channels = tuple[int, int]


def simplify_writes(graph: fx.Graph) -> None:
    """Removes what is written and read again, or written twice: Python's `x[:, :4] += y` does both."""
    for node in list(graph.nodes):
        if node.target == aten.copy.default and shape_of(operand(node)) == shape_of(operand(node, 1)):
            node.replace_all_uses_with(operand(node, 1))
        elif node.target == aten.slice.Tensor and _is_write(operand(node)):
            _read_what_was_written(node)
        elif _is_write(node) and _is_write(before := operand(node)) and _holds(channels_of(node), channels_of(before)):
            node.replace_input_with(before, operand(before))
    graph.eliminate_dead_code()


def read_slice_scatter(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a write into channels `start` to `stop` as the concatenation of those before, in and after it."""
    base, written = operand(node), operand(node, 1)
    channels, shape = channels_of(node), shape_of(base)
    if channels is None or len(shape) != 4:
        raise unsupported(node, "but into channels of a map that lie side by side")
    start, stop = channels
    if (constant := _constant(rewriter, written)) is not None:
        kept = torch.ones(1, shape[1], 1, 1)
        kept[:, start:stop] = 0
        offset = torch.zeros(shape)
        offset[:, start:stop] = constant
        read_affine(rewriter, node, base, kept, offset)
        return
    parts = [_slice(rewriter, node, base, (0, start)), written, _slice(rewriter, node, base, (stop, shape[1]))]
    rewriter.become(node, aten.cat.default, ([part for part in parts if part is not None], 1), Kind.CONCAT)


def channels_of(node: fx.Node) -> Channels | None:
    """Returns the channels, first and one after the last, of a slice or a write; None for another axis."""
    first = 1 if node.target == aten.slice.Tensor else 2
    axis, start, stop, step = arguments(node, *[None] * first, 0, None, None, 1)[first:]
    shape = shape_of(operand(node))
    if axis % len(shape) != 1 or step != 1:
        return None
    begin, end, _ = slice(start, stop).indices(shape[1])
    return begin, max(begin, end)


def _read_what_was_written(node: fx.Node) -> None:
    """Makes a slice of a written tensor read what was written, or what the write kept."""
    write = operand(node)
    read, written = channels_of(node), channels_of(write)
    if read is None or written is None:
        return
    if read == written:
        node.replace_all_uses_with(operand(write, 1))
    elif _holds(written, read):
        node.args = (write.args[1], 1, read[0] - written[0], read[1] - written[0])
    elif read[1] <= written[0] or read[0] >= written[1]:
        node.args = (write.args[0], 1, *read)


def _constant(rewriter: Rewriter, written: fx.Node) -> Tensor | None:
    """Returns the written number or constant tensor; None if it depends on the image."""
    if written.target in (aten.fill.Tensor, aten.fill.Scalar, aten.copy.default):
        return rewriter.constant(written.args[1])
    return rewriter.constant(written)


def _slice(rewriter: Rewriter, node: fx.Node, base: fx.Node, channels: Channels) -> fx.Node | None:
    """Returns a slice of some channels of `base`; None for none."""
    start, stop = channels
    if start >= stop:
        return None
    shape = (shape_of(base)[0], stop - start, *shape_of(base)[2:])
    return rewriter.insert(
        node, aten.slice.Tensor, (base, 1, start, stop), shape, Kind.CHANNEL_SLICE, channels=channels
    )


def _is_write(node: fx.Node) -> bool:
    return node.target == aten.slice_scatter.default


def _holds(outer: Channels | None, inner: Channels | None) -> bool:
    return outer is not None and inner is not None and outer[0] <= inner[0] and inner[1] <= outer[1]


def leave_to_a_write(rewriter: Rewriter, node: fx.Node) -> None:
    """Defers what may be written into a slice to its reader."""
    rewriter.leave(node, "but into channels of a map that lie side by side")


READERS = {"slice_scatter": read_slice_scatter, "fill": leave_to_a_write, "copy": leave_to_a_write}
