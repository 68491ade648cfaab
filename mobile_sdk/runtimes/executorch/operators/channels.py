"""Writes operators that join, slice, shuffle and reshape maps, whose values stay on their grid."""

from mobile_sdk.graph.operators import ChannelShuffle, ChannelSlice, Concat, JoinRows, Reshape, Rows
from mobile_sdk.runtimes.executorch.node_writer import NodeWriter
from mobile_sdk.runtimes.executorch.operators.table import write
from mobile_sdk.runtimes.shapes import MOST_PARTS, runtime_shape


@write.of(Concat, JoinRows)
def _join(operator: Concat | JoinRows, file: NodeWriter, inputs: list[int], output: int) -> None:
    """Joins two to five parts by one node, and more by a chain, which changes no value."""
    axis = 1 if isinstance(operator, JoinRows) else len(operator.output.shape)
    dims = list(runtime_shape(operator.output.shape))
    sizes = [runtime_shape(part.shape)[axis] for part in operator.parts]
    while len(inputs) > MOST_PARTS:
        sizes = [sum(sizes[:MOST_PARTS]), *sizes[MOST_PARTS:]]
        dims[axis] = sizes[0]
        joined = file.value(list(dims), operator.output.quantization)
        file.concatenate(inputs[:MOST_PARTS], joined, axis)
        inputs = [joined, *inputs[MOST_PARTS:]]
    file.concatenate(inputs, output, axis)


@write.of(Rows)
def _rows(operator: Rows, file: NodeWriter, inputs: list[int], output: int) -> None:
    begin, size = [0, operator.start, 0, 0], list(runtime_shape(operator.output.shape))
    file.unary("XNNStaticSlice", inputs[0], output, num_dims=4, offsets=begin, sizes=size)


@write.of(ChannelSlice)
def _slice(operator: ChannelSlice, file: NodeWriter, inputs: list[int], output: int) -> None:
    sizes = runtime_shape(operator.output.shape)
    begin = [0] * (len(sizes) - 1) + [operator.start]
    file.unary("XNNStaticSlice", inputs[0], output, num_dims=len(sizes), offsets=begin, sizes=list(sizes))


@write.of(ChannelShuffle)
def _shuffle(operator: ChannelShuffle, file: NodeWriter, inputs: list[int], output: int) -> None:
    """Writes channels as rows and columns, transposed."""
    batch, height, width, channels = shape = runtime_shape(operator.output.shape)
    columns, rows, grid = operator.groups, channels // operator.groups, operator.output.quantization
    split = file.value([batch, height, width, columns, rows], grid)
    turned = file.value([batch, height, width, rows, columns], grid)
    file.reshape(inputs[0], split, (batch, height, width, columns, rows))
    file.unary("XNNStaticTranspose", split, turned, num_dims=5, perm=[0, 1, 2, 4, 3])
    file.reshape(turned, output, shape)


@write.of(Reshape)
def _reshape(operator: Reshape, file: NodeWriter, inputs: list[int], output: int) -> None:
    file.reshape(inputs[0], output, runtime_shape(operator.output.shape))
