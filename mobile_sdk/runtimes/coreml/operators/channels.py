"""Writes operators that join, slice, shuffle and reshape maps, whose values stay on their grid."""

from typing import Any

from mobile_sdk.graph.operators import ChannelShuffle, ChannelSlice, Concat, JoinRows, Reshape, Rows
from mobile_sdk.runtimes.coreml.mil_writer import MilWriter
from mobile_sdk.runtimes.coreml.operators.table import float32, int8


@int8.of(Concat, JoinRows, Rows, ChannelSlice, ChannelShuffle, Reshape)
def _codes(operator: Any, file: MilWriter) -> Any:
    return file.codes(_moved(operator, file), operator.output)


@float32.of(Concat, ChannelSlice, ChannelShuffle, Reshape)
def _values(operator: Any, file: MilWriter) -> Any:
    return file.values(_moved(operator, file))


def _moved(operator: Any, file: MilWriter) -> Any:
    match operator:
        case Concat() | JoinRows():
            axis = 1 if isinstance(operator, Concat) else 2
            return file.mil.concat(values=[file.read(part) for part in operator.parts], axis=axis, name=file.label)
        case Rows(start=start):
            return _window(operator, file, [0, 0, start, 0])
        case ChannelSlice(start=start):
            return _window(operator, file, [0, start, *[0] * (len(operator.output.shape) - 1)])
        case ChannelShuffle():
            return _shuffled(operator, file)
    return file.mil.reshape(x=file.read(operator.input), shape=[1, *operator.output.shape], name=file.label)


def _window(operator: Rows | ChannelSlice, file: MilWriter, begin: list[int]) -> Any:
    size = [1, *operator.output.shape]
    return file.mil.slice_by_size(x=file.read(operator.input), begin=begin, size=size, name=file.label)


def _shuffled(operator: ChannelShuffle, file: MilWriter) -> Any:
    """Writes channels as rows and columns, transposed."""
    channels, *sides = operator.input.shape
    rows, columns, label = operator.groups, channels // operator.groups, file.label
    split = file.mil.reshape(x=file.read(operator.input), shape=[1, rows, columns, *sides], name=f"{label}_split")
    turned = file.mil.transpose(x=split, perm=[0, 2, 1, 3, 4], name=f"{label}_turned")
    return file.mil.reshape(x=turned, shape=[1, channels, *sides], name=label)
