"""Writes operators that join, slice and rearrange tensors, whose values stay on their grid."""

from mobile_sdk.graph.operators import ChannelShuffle, ChannelSlice, Concat, JoinRows, Pad, Rearrange, Reshape, Rows
from mobile_sdk.runtimes.executorch.node_writer import NodeWriter
from mobile_sdk.runtimes.executorch.operators.table import write
from mobile_sdk.runtimes.rearranging import Stage, stages, stored_padding
from mobile_sdk.runtimes.shapes import MOST_AXES, MOST_PARTS, runtime_axis, runtime_shape


@write.of(Concat, JoinRows)
def _join(operator: Concat | JoinRows, file: NodeWriter, inputs: list[int], output: int) -> None:
    """Joins two to five parts by one node, and more by a chain, which changes no value."""
    axis = runtime_axis(operator.output.shape, operator.axis if isinstance(operator, Concat) else 1)
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
    begin = [0] * len(sizes)
    begin[runtime_axis(operator.output.shape, operator.axis)] = operator.start
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


@write.of(Rearrange)
def _rearrange(operator: Rearrange, file: NodeWriter, inputs: list[int], output: int) -> None:
    """Writes reshapes and transpositions, as few as the stored values need."""
    (source,), grid = inputs, operator.output.quantization
    ends = runtime_shape(operator.input.shape), runtime_shape(operator.output.shape)
    *before, last = stages(operator.stored, *ends, MOST_AXES)
    for stage in before:
        target = file.value(list(stage.shape), grid)
        _write_stage(file, source, target, stage)
        source = target
    _write_stage(file, source, output, last)


def _write_stage(file: NodeWriter, source: int, target: int, stage: Stage) -> None:
    if stage.order is None:
        file.reshape(source, target, stage.shape)
    else:
        file.unary("XNNStaticTranspose", source, target, num_dims=len(stage.order), perm=list(stage.order))


@write.of(Pad)
def _pad(operator: Pad, file: NodeWriter, inputs: list[int], output: int) -> None:
    before, after = (list(amounts) for amounts in zip(*stored_padding(operator), strict=True))
    kind = "XNNStaticConstantPad"
    file.unary(kind, inputs[0], output, pre_paddings=before, post_paddings=after, padding_value=0.0)


@write.of(Reshape)
def _reshape(operator: Reshape, file: NodeWriter, inputs: list[int], output: int) -> None:
    file.reshape(inputs[0], output, runtime_shape(operator.output.shape))
