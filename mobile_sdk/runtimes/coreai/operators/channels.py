"""Writes operators that join, slice and rearrange tensors: int8 codes move as float32 values do."""

from collections.abc import Sequence

import numpy as np

from mobile_sdk.graph.operators import ChannelShuffle, ChannelSlice, Concat, JoinRows, Pad, Rearrange, Reshape, Rows
from mobile_sdk.runtimes.coreai.operators.table import float32, int8
from mobile_sdk.runtimes.coreai.writer import CoreAIWriter


@int8.of(Concat, JoinRows)
@float32.of(Concat)
def _joined(operator: Concat | JoinRows, file: CoreAIWriter) -> None:
    axis = 1 + (operator.axis if isinstance(operator, Concat) else 1)
    parts = [file.code(part) for part in operator.parts]
    result = parts[0]
    if len(parts) > 1:
        operands = [np.array(axis, np.int32), *parts]
        result = file.operation("concat", operands, (1, *operator.output.shape), file.dtype(result))
    file.give(operator.output, result)


@int8.of(Rows)
def _rows(operator: Rows, file: CoreAIWriter) -> None:
    _window(operator, file, 1, operator.start)


@int8.of(ChannelSlice)
@float32.of(ChannelSlice)
def _slice(operator: ChannelSlice, file: CoreAIWriter) -> None:
    _window(operator, file, operator.axis, operator.start)


def _window(operator: Rows | ChannelSlice, file: CoreAIWriter, axis: int, start: int) -> None:
    starts = [0] * (1 + len(operator.output.shape))
    starts[1 + axis] = start
    stops = [first + side for first, side in zip(starts, (1, *operator.output.shape), strict=True)]
    file.give(operator.output, file.slice(file.code(operator.input), starts, stops))


@int8.of(ChannelShuffle)
@float32.of(ChannelShuffle)
def _shuffled(operator: ChannelShuffle, file: CoreAIWriter) -> None:
    """Writes channels as rows and columns, transposed."""
    channels, *sides = operator.input.shape
    _transposed(operator, file, (operator.groups, channels // operator.groups, *sides), (1, 0, 2, 3))


@int8.of(Rearrange)
@float32.of(Rearrange)
def _rearranged(operator: Rearrange, file: CoreAIWriter) -> None:
    moves = operator.logical
    if moves:
        (move,) = moves
        _transposed(operator, file, move.split, move.order)
    else:
        _reshape(operator, file)


def _transposed(
    operator: ChannelShuffle | Rearrange, file: CoreAIWriter, split: Sequence[int], order: Sequence[int]
) -> None:
    """Writes a reshape, a transposition and a reshape."""
    parts = file.reshape(file.code(operator.input), split)
    file.give(operator.output, file.reshape(file.transpose(parts, order), (1, *operator.output.shape)))


@int8.of(Reshape)
@float32.of(Reshape)
def _reshape(operator: Reshape | Rearrange, file: CoreAIWriter) -> None:
    file.give(operator.output, file.reshape(file.code(operator.input), (1, *operator.output.shape)))


@int8.of(Pad)
@float32.of(Pad)
def _pad(operator: Pad, file: CoreAIWriter) -> None:
    """Pads with zeros, which are the zero point in codes."""
    grid = operator.output.quantization
    zero = np.array(0, np.float32) if grid is None else np.array(grid.zero_point, np.int8)
    amounts = [(0, 0), *zip(operator.before, operator.after, strict=True)]
    file.give(operator.output, file.pad(file.code(operator.input), amounts, zero))
