"""Writes operators that join, slice and rearrange tensors, whose values stay on their grid."""

from typing import Any

from mobile_sdk.graph.operators import ChannelShuffle, ChannelSlice, Concat, JoinRows, Pad, Rearrange, Reshape, Rows
from mobile_sdk.runtimes.coreml.mil_writer import MOST_AXES, MilWriter, mil_axis, mil_shape
from mobile_sdk.runtimes.coreml.operators.table import float16, int8, of_real_values
from mobile_sdk.runtimes.rearranging import stages


@int8.of(Concat, JoinRows, Rows, ChannelSlice, ChannelShuffle, Rearrange, Pad, Reshape)
def _codes(operator: Any, file: MilWriter) -> Any:
    return file.codes(_moved(operator, file), operator.output)


@float16.of(JoinRows, Rows)
@of_real_values(Concat, ChannelSlice, ChannelShuffle, Rearrange, Pad, Reshape)
def _values(operator: Any, file: MilWriter) -> Any:
    return file.values(_moved(operator, file))


def _moved(operator: Any, file: MilWriter) -> Any:
    match operator:
        case Concat() | JoinRows():
            axis = mil_axis(operator.output.shape, operator.axis if isinstance(operator, Concat) else 1)
            return file.mil.concat(values=[file.read(part) for part in operator.parts], axis=axis, name=file.label)
        case Rows(start=start):
            return _window(operator, file, 1, start)
        case ChannelSlice(start=start, axis=axis):
            return _window(operator, file, axis, start)
        case ChannelShuffle():
            return _shuffled(operator, file)
        case Rearrange():
            return _rearranged(operator, file)
        case Pad():
            return _padded(operator, file)
    return file.mil.reshape(x=file.read(operator.input), shape=list(mil_shape(operator.output.shape)), name=file.label)


def _window(operator: Rows | ChannelSlice, file: MilWriter, axis: int, start: int) -> Any:
    size = mil_shape(operator.output.shape)
    begin = [0] * len(size)
    begin[mil_axis(operator.output.shape, axis)] = start
    return file.mil.slice_by_size(x=file.read(operator.input), begin=begin, size=list(size), name=file.label)


def _shuffled(operator: ChannelShuffle, file: MilWriter) -> Any:
    """Writes channels as rows and columns, transposed."""
    channels, *sides = operator.input.shape
    rows, columns, label = operator.groups, channels // operator.groups, file.label
    split = file.mil.reshape(x=file.read(operator.input), shape=[1, rows, columns, *sides], name=f"{label}_split")
    turned = file.mil.transpose(x=split, perm=[0, 2, 1, 3, 4], name=f"{label}_turned")
    return file.mil.reshape(x=turned, shape=[1, channels, *sides], name=label)


def _rearranged(operator: Rearrange, file: MilWriter) -> Any:
    """Writes reshapes and transpositions; maps are stored as C, H, W, so that nothing else moves."""
    x = file.read(operator.input)
    ends = mil_shape(operator.input.shape), mil_shape(operator.output.shape)
    *before, last = stages(operator.logical, *ends, MOST_AXES)
    for index, stage in enumerate((*before, last)):
        name = file.label if stage is last else f"{file.label}_stage{index}"
        if stage.order is None:
            x = file.mil.reshape(x=x, shape=list(stage.shape), name=name)
        else:
            x = file.mil.transpose(x=x, perm=list(stage.order), name=name)
    return x


def _padded(operator: Pad, file: MilWriter) -> Any:
    """Writes zeros: centred codes, and real values, are zero at the zero point."""
    pairs = [(0, 0)] * mil_axis(operator.input.shape, 0) + list(zip(operator.before, operator.after, strict=True))
    amounts = [amount for pair in pairs for amount in pair]
    zero = file.number(0)
    return file.mil.pad(x=file.read(operator.input), pad=amounts, mode="constant", constant_val=zero, name=file.label)
