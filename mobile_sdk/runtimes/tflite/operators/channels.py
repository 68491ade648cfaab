"""Writes operators that join, slice, shuffle and reshape maps, whose values stay on their grid."""

from dataclasses import replace

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.graph.operators import ChannelShuffle, ChannelSlice, Concat, JoinRows, Reshape, Rows, Tensor
from mobile_sdk.runtimes.shapes import runtime_shape
from mobile_sdk.runtimes.tflite.model_writer import ModelWriter
from mobile_sdk.runtimes.tflite.operators.slicing import join, write_window
from mobile_sdk.runtimes.tflite.operators.table import write
from mobile_sdk.runtimes.tflite.picture import write_picture_rows


@write.of(Concat)
def _concat(operator: Concat, file: ModelWriter) -> None:
    join(file, list(operator.parts), operator.output, 0)


@write.of(JoinRows)
def _join_rows(operator: JoinRows, file: ModelWriter) -> None:
    join(file, list(operator.parts), operator.output, 1)


@write.of(Rows)
def _rows(operator: Rows, file: ModelWriter) -> None:
    if file.knows(operator.input.name):
        write_window(file, operator.input.name, operator.output, (0, operator.start, 0))
    else:
        write_picture_rows(operator, file)


@write.of(ChannelSlice)
def _slice(operator: ChannelSlice, file: ModelWriter) -> None:
    sides = operator.input.shape[1:]
    write_window(file, operator.input.name, operator.output, (operator.start, *[0] * len(sides)))


@write.of(ChannelShuffle)
def _shuffle(operator: ChannelShuffle, file: ModelWriter) -> None:
    """Writes channels as rows and columns, transposed: RESHAPE, TRANSPOSE, RESHAPE."""
    channels, height, width = operator.input.shape
    columns, rows, name = operator.groups, channels // operator.groups, operator.output.name
    split = replace(operator.output, name=f"{name}.split", shape=(rows, height, width, columns))
    turned = replace(operator.output, name=f"{name}.turned", shape=(columns, height, width, rows))
    file.declare(split)
    file.declare(turned)
    _write_reshape(file, operator.input, split)
    file.constant(f"{name}.order", np.array([0, 1, 2, 4, 3], np.int32))
    file.operator("TRANSPOSE", [split.name, f"{name}.order"], turned.name, 2, schema.TransposeOptionsT())
    _write_reshape(file, turned, operator.output)


@write.of(Reshape)
def _reshape(operator: Reshape, file: ModelWriter) -> None:
    _write_reshape(file, operator.input, operator.output)


def _write_reshape(file: ModelWriter, source: Tensor, output: Tensor) -> None:
    """Writes a RESHAPE to the output's shape."""
    shape = f"{output.name}.shape"
    file.constant(shape, np.array(runtime_shape(output.shape), np.int32))
    file.operator("RESHAPE", [source.name, shape], output.name, 1, schema.ReshapeOptionsT())
