"""Writes what joins, slices, shuffles and resizes maps, whose values stay on their grid."""

from dataclasses import replace

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.graph.operators import ChannelShuffle, ChannelSlice, Concat, JoinRows, ResizeBilinear, Tensor
from mobile_sdk.runtimes.shapes import runtime_shape
from mobile_sdk.runtimes.tflite.tensors import declare
from mobile_sdk.runtimes.tflite.writer import Writer

MOST_PARTS = 5  # XNNPACK delegate, VisitConcatenationNode


def write_concat(writer: Writer, operator: Concat) -> None:
    """CONCATENATION along channels."""
    join(writer, list(operator.parts), operator.output, 0)


def write_join_rows(writer: Writer, operator: JoinRows) -> None:
    """CONCATENATION along rows."""
    join(writer, list(operator.parts), operator.output, 1)


def write_slice(writer: Writer, operator: ChannelSlice) -> None:
    """SLICE along channels."""
    sides = operator.input.shape[1:]
    write_window(writer, operator.input, operator.output, (operator.start, *[0] * len(sides)))


def write_shuffle(writer: Writer, operator: ChannelShuffle) -> None:
    """Channels as rows and columns, turned: RESHAPE, TRANSPOSE, RESHAPE."""
    channels, height, width = operator.input.shape
    columns, rows, name = operator.groups, channels // operator.groups, operator.output.name
    split = replace(operator.output, name=f"{name}.split", shape=(rows, height, width, columns))
    turned = replace(operator.output, name=f"{name}.turned", shape=(columns, height, width, rows))
    declare(writer, split)
    declare(writer, turned)
    write_reshape(writer, operator.input, split)
    writer.constant(f"{name}.order", np.array([0, 1, 2, 4, 3], np.int32))
    writer.operator("TRANSPOSE", [split.name, f"{name}.order"], turned.name, 2, schema.TransposeOptionsT())
    write_reshape(writer, turned, operator.output)


def write_resize(writer: Writer, operator: ResizeBilinear) -> None:
    """RESIZE_BILINEAR between the centres of pixels."""
    size = f"{operator.output.name}.size"
    writer.constant(size, np.array(operator.output.shape[1:], np.int32))
    options = schema.ResizeBilinearOptionsT()
    options.halfPixelCenters = True
    writer.operator("RESIZE_BILINEAR", [operator.input.name, size], operator.output.name, 3, options)


def write_reshape(writer: Writer, source: Tensor, output: Tensor) -> None:
    """RESHAPE to the output's shape."""
    shape = f"{output.name}.shape"
    writer.constant(shape, np.array(runtime_shape(output.shape), np.int32))
    writer.operator("RESHAPE", [source.name, shape], output.name, 1, schema.ReshapeOptionsT())


def write_window(writer: Writer, source: Tensor, output: Tensor, begin: tuple[int, ...]) -> None:
    """SLICE: a part of (C, H, W) of the output's size, from `begin` on."""
    names = f"{output.name}.begin", f"{output.name}.size"
    writer.constant(names[0], np.array([0, *begin[1:], begin[0]], np.int32))
    writer.constant(names[1], np.array(runtime_shape(output.shape), np.int32))
    writer.operator("SLICE", [source.name, *names], output.name, 2, schema.SliceOptionsT())


def join(writer: Writer, parts: list[Tensor], output: Tensor, axis: int) -> None:
    """CONCATENATION along an axis of (C, H, W) or (C,). XNNPACK joins five parts at most: more are joined in turns."""
    while len(parts) > MOST_PARTS:
        first, parts = parts[:MOST_PARTS], parts[MOST_PARTS:]
        length = sum(part.shape[axis] for part in first)
        shape = (*output.shape[:axis], length, *output.shape[axis + 1 :])
        joined = replace(output, name=f"{output.name}.first{length}", shape=shape)
        declare(writer, joined)
        _append(writer, first, joined, axis)
        parts.insert(0, joined)
    _append(writer, parts, output, axis)


def _append(writer: Writer, parts: list[Tensor], output: Tensor, axis: int) -> None:
    options = schema.ConcatenationOptionsT()
    options.axis = axis or len(output.shape)
    writer.operator("CONCATENATION", [part.name for part in parts], output.name, 2, options)
