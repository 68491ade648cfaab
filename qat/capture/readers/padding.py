"""Reads padding: with zeros, with another number, and with a map's own values."""

import math

import torch
from torch import fx
from torch.nn import functional

from qat.capture.readers.positions import take_each
from qat.capture.rewriter import Rewriter, arguments, name_of, operand, shape_of, unsupported
from qat.steps import Kind

aten = torch.ops.aten


def read_constant_padding(rewriter: Rewriter, node: fx.Node, amounts: list[int], value: float) -> None:
    """Reads padding with one number; negative amounts take values away.

    Zeros alone are put around a tensor: another number is added to zeros, after it is taken off the tensor.
    """
    if not math.isfinite(value):
        raise unsupported(node, f"with {value}: give the pool behind it a padding of its own")
    source = _without_cut_off(rewriter, node, operand(node), amounts)
    if value:
        source = rewriter.insert(
            node, aten.add.Tensor, (source, -value), shape_of(source), Kind.ADD_CONSTANT, constant=-value
        )
    added = [max(amount, 0) for amount in amounts]
    if any(added):
        sides = [(0, 0)] * (len(shape_of(source)) - 1 - len(added) // 2) + _pairs(added)[::-1]
        if len(sides) != len(shape_of(source)) - 1:
            raise unsupported(node, "along the axis of the pictures")
        details = {"before": tuple(before for before, _ in sides), "after": tuple(after for _, after in sides)}
        source = rewriter.insert(
            node, aten.constant_pad_nd.default, (source, added, 0.0), shape_of(node), Kind.PAD, **details
        )
    if value:
        rewriter.become(node, aten.add.Tensor, (source, value), Kind.ADD_CONSTANT, constant=value)
    else:
        node.replace_all_uses_with(source)


def read_own_padding(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads padding with a map's own values: reflected at its edges, its edges again, or from its other side."""
    source, amounts, mode = arguments(node, None, None, _MODES.get(name_of(node)))
    axes, lists = len(shape_of(source)), {}
    for index, (before, after) in enumerate(_pairs(amounts)):
        axis = axes - 1 - index
        places = torch.arange(shape_of(source)[axis], dtype=torch.float32)[None, None]
        lists[axis] = [int(each) for each in functional.pad(places, (before, after), mode=mode)[0, 0]]
    node.replace_all_uses_with(take_each(rewriter, node, source, lists))


_MODES = {
    "reflection_pad1d": "reflect",
    "reflection_pad2d": "reflect",
    "replication_pad1d": "replicate",
    "replication_pad2d": "replicate",
}


def _without_cut_off(rewriter: Rewriter, node: fx.Node, source: fx.Node, amounts: list[int]) -> fx.Node:
    """Returns the source without the positions that negative amounts take away."""
    shape, lists = shape_of(source), {}
    for axis, (before, after) in zip(range(len(shape) - 1, -1, -1), _pairs(amounts), strict=False):
        lists[axis] = range(max(-before, 0), shape[axis] - max(-after, 0))
    return take_each(rewriter, node, source, lists)


def _pairs(amounts: list[int]) -> list[tuple[int, int]]:
    """Returns the amounts before and after each axis, the last axis first."""
    return list(zip(amounts[::2], amounts[1::2], strict=True))


READERS = dict.fromkeys(_MODES, read_own_padding)
