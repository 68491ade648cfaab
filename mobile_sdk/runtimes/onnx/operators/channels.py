"""Writes operators that join, slice and rearrange tensors: int8 codes move as float32 values do."""

from typing import Any

from mobile_sdk.graph.operators import (
    ChannelShuffle,
    ChannelSlice,
    Concat,
    JoinRows,
    Operator,
    Pad,
    Rearrange,
    Reshape,
    Rows,
    Tensor,
)
from mobile_sdk.runtimes.onnx.operators.table import float32, int8
from mobile_sdk.runtimes.onnx.writer import OnnxWriter, stored


@int8.of(Concat, JoinRows)
@float32.of(Concat)
def _joined(operator: Concat | JoinRows, file: OnnxWriter) -> None:
    axis = 1 + (operator.axis if isinstance(operator, Concat) else 1)
    file.node("Concat", [file.name(part) for part in operator.parts], file.name(operator.output), axis=axis)


@int8.of(Rows)
def _rows(operator: Rows, file: OnnxWriter) -> None:
    _window(operator.input, operator, file, 1, operator.start)


@int8.of(ChannelSlice)
@float32.of(ChannelSlice)
def _slice(operator: ChannelSlice, file: OnnxWriter) -> None:
    _window(operator.input, operator, file, operator.axis, operator.start)


def _window(source: Tensor, operator: Operator, file: OnnxWriter, axis: int, start: int) -> None:
    ends = {"starts": start, "ends": start + operator.output.shape[axis], "axes": 1 + axis}
    inputs = [file.name(source), *(file.integers(f":{name}", [place]) for name, place in ends.items())]
    file.node("Slice", inputs, file.name(operator.output))


@int8.of(ChannelShuffle)
@float32.of(ChannelShuffle)
def _shuffled(operator: ChannelShuffle, file: OnnxWriter) -> None:
    """Writes channels as rows and columns, transposed."""
    channels, *sides = operator.input.shape
    split = (1, operator.groups, channels // operator.groups, *sides)
    _transposed(operator, file, split, (0, 2, 1, 3, 4))


@int8.of(Rearrange)
@float32.of(Rearrange)
def _rearranged(operator: Rearrange, file: OnnxWriter) -> None:
    moves = operator.logical
    if not moves:
        file.reshape(file.name(operator.input), file.name(operator.output), (1, *operator.output.shape))
        return
    (move,) = moves
    _transposed(operator, file, (1, *move.split), (0, *(1 + axis for axis in move.order)))


def _transposed(operator: Any, file: OnnxWriter, split: tuple[int, ...], order: tuple[int, ...]) -> None:
    """Writes a Reshape, a Transpose and a Reshape."""
    parts = file.reshape(file.name(operator.input), ":split", split)
    turned = file.node("Transpose", [parts], ":turned", perm=list(order))
    file.reshape(turned, file.name(operator.output), (1, *operator.output.shape))


@int8.of(Reshape)
@float32.of(Reshape)
def _reshape(operator: Reshape, file: OnnxWriter) -> None:
    file.reshape(file.name(operator.input), file.name(operator.output), (1, *operator.output.shape))


@int8.of(Pad)
@float32.of(Pad)
def _pad(operator: Pad, file: OnnxWriter) -> None:
    """Pads with zeros, which are the zero point in codes."""
    amounts = file.integers(":amounts", [0, *operator.before, 0, *operator.after])
    grid = operator.output.quantization
    zero = file.scalar(":zero", 0.0) if grid is None else file.constant(":zero", stored(grid.zero_point))
    file.node("Pad", [file.name(operator.input), amounts, zero], file.name(operator.output), mode="constant")
