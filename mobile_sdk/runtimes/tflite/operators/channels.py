"""Writes operators that join, slice and rearrange tensors, whose values stay on their grid."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.graph.operators import (
    ChannelShuffle,
    ChannelSlice,
    Concat,
    JoinRows,
    Pad,
    Rearrange,
    Reshape,
    Rows,
    Tensor,
)
from mobile_sdk.runtimes.rearranging import Stage, stages, stored_padding
from mobile_sdk.runtimes.shapes import MOST_AXES, runtime_shape
from mobile_sdk.runtimes.tflite.model_writer import ModelWriter
from mobile_sdk.runtimes.tflite.operators.slicing import join, write_window
from mobile_sdk.runtimes.tflite.operators.table import write
from mobile_sdk.runtimes.tflite.picture import write_picture_rows


@write.of(Concat)
def _concat(operator: Concat, file: ModelWriter) -> None:
    join(file, list(operator.parts), operator.output, operator.axis)


@write.of(JoinRows)
def _join_rows(operator: JoinRows, file: ModelWriter) -> None:
    join(file, list(operator.parts), operator.output, 1)


@write.of(Rows)
def _rows(operator: Rows, file: ModelWriter) -> None:
    if file.knows(operator.input.name):
        write_window(file, operator.input.name, operator.output, 1, operator.start)
    else:
        write_picture_rows(operator, file)


@write.of(ChannelSlice)
def _slice(operator: ChannelSlice, file: ModelWriter) -> None:
    write_window(file, operator.input.name, operator.output, operator.axis, operator.start)


@write.of(ChannelShuffle)
def _shuffle(operator: ChannelShuffle, file: ModelWriter) -> None:
    """Writes channels as rows and columns, transposed: RESHAPE, TRANSPOSE, RESHAPE."""
    *sides, channels = runtime_shape(operator.input.shape)
    columns, rows, name = operator.groups, channels // operator.groups, operator.output.name
    split, turned = f"{name}.split", f"{name}.turned"
    _declare(file, split, (*sides, columns, rows), operator.output)
    _declare(file, turned, (*sides, rows, columns), operator.output)
    _write_reshape(file, operator.input.name, split, (*sides, columns, rows))
    _write_transpose(file, split, turned, f"{name}.order", (0, 1, 2, 4, 3))
    _write_reshape(file, turned, name, runtime_shape(operator.output.shape))


@write.of(Rearrange)
def _rearrange(operator: Rearrange, file: ModelWriter) -> None:
    """Writes RESHAPE, TRANSPOSE and RESHAPE, as few of them as the stored values need."""
    source, output = operator.input.name, operator.output
    ends = runtime_shape(operator.input.shape), runtime_shape(output.shape)
    *before, last = stages(operator.stored, *ends, MOST_AXES)
    for index, stage in enumerate(before):
        target = f"{output.name}.stage{index}"
        _declare(file, target, stage.shape, output)
        _write_stage(file, source, target, stage)
        source = target
    _write_stage(file, source, output.name, last)


@write.of(Pad)
def _pad(operator: Pad, file: ModelWriter) -> None:
    amounts = f"{operator.output.name}.amounts"
    file.constant(amounts, np.array(stored_padding(operator), np.int32))
    file.operator("PAD", [operator.input.name, amounts], operator.output.name, schema.PadOptionsT())


@write.of(Reshape)
def _reshape(operator: Reshape, file: ModelWriter) -> None:
    _write_reshape(file, operator.input.name, operator.output.name, runtime_shape(operator.output.shape))


def _declare(file: ModelWriter, name: str, shape: tuple[int, ...], like: Tensor) -> None:
    """Declares a tensor of a stored shape, of the type and on the grid of another."""
    grid = like.quantization
    dtype = np.dtype(np.float32 if grid is None else np.int8)
    file.activation(name, shape, dtype, *((grid.scale, grid.zero_point) if grid else ()))


def _write_stage(file: ModelWriter, source: str, target: str, stage: Stage) -> None:
    if stage.order is None:
        _write_reshape(file, source, target, stage.shape)
    else:
        _write_transpose(file, source, target, f"{target}.order", stage.order)


def _write_transpose(file: ModelWriter, source: str, target: str, constant: str, order: tuple[int, ...]) -> None:
    file.constant(constant, np.array(order, np.int32))
    file.operator("TRANSPOSE", [source, constant], target, schema.TransposeOptionsT())


def _write_reshape(file: ModelWriter, source: str, target: str, shape: tuple[int, ...]) -> None:
    file.constant(f"{target}.shape", np.array(shape, np.int32))
    file.operator("RESHAPE", [source, f"{target}.shape"], target, schema.ReshapeOptionsT())
