"""Expresses padding in TensorFlow's terms: SAME in pixels, and replacements for any other padding."""

from dataclasses import replace

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.graph.operators import Operator, Tensor
from mobile_sdk.runtimes.tflite.model_writer import ModelWriter
from mobile_sdk.runtimes.tflite.operators.slicing import join, write_window


def extents(kernel: tuple[int, ...], dilation: tuple[int, int]) -> tuple[int, int]:
    """Returns how many rows and columns the window reaches over, holes included."""
    return (kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1


def same_padding(size: tuple[int, ...], extent: tuple[int, int], stride: tuple[int, int]) -> tuple[int, int, int, int]:
    """Returns TensorFlow's SAME as (top, bottom, left, right): the output is ceil(size / stride), odd ones go after."""
    amounts: list[int] = []
    for length, window, step in zip(size, extent, stride, strict=True):
        total = max((-(-length // step) - 1) * step + window - length, 0)
        amounts += [total // 2, total - total // 2]
    return amounts[0], amounts[1], amounts[2], amounts[3]


def pad(
    file: ModelWriter,
    operator: Operator,
    source: Tensor,
    extent: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
) -> tuple[str, int]:
    """Returns the padded source's name and the schema's padding code, and writes a PAD if neither code fits."""
    if padding == (0, 0, 0, 0):
        return source.name, schema.Padding.VALID
    if padding == same_padding(source.shape[1:], extent, stride):
        return source.name, schema.Padding.SAME
    top, bottom, left, right = padding
    channels, height, width = source.shape
    padded = Tensor(
        name=f"{operator.output.name}.padded",
        shape=(channels, height + top + bottom, width + left + right),
        quantization=source.quantization,
    )
    file.declare(padded)
    amounts = f"{padded.name}.amounts"
    file.constant(amounts, np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
    file.operator("PAD", [source.name, amounts], padded.name, schema.PadOptionsT())
    return padded.name, schema.Padding.VALID


def repeat_edges(file: ModelWriter, source: Tensor, name: str, padding: tuple[int, int, int, int]) -> Tensor:
    """Returns the source with its outermost rows and columns repeated, `padding` (top, bottom, left, right) times.

    A maximum does not change by it: every window that reaches beyond an edge contains the edge too.
    """
    for axis, before, after in ((1, *padding[:2]), (2, *padding[2:])):
        if before or after:
            parts = [source]
            if before:
                parts = [_edge(file, source, f"{name}.first{axis}", axis, 0)] * before + parts
            if after:
                parts += [_edge(file, source, f"{name}.last{axis}", axis, source.shape[axis] - 1)] * after
            source = _resized(file, source, f"{name}.extended{axis}", axis, source.shape[axis] + before + after)
            join(file, parts, source, axis)
    return source


def _edge(file: ModelWriter, source: Tensor, name: str, axis: int, at: int) -> Tensor:
    """Returns one row or column."""
    edge = _resized(file, source, name, axis, 1)
    write_window(file, source.name, edge, axis, at)
    return edge


def _resized(file: ModelWriter, source: Tensor, name: str, axis: int, length: int) -> Tensor:
    shape = tuple(length if each == axis else size for each, size in enumerate(source.shape))
    resized = replace(source, name=name, shape=shape)
    file.declare(resized)
    return resized
