"""Cuts parts out of maps and joins them: the SLICE and CONCATENATION of several operators."""

from dataclasses import replace

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.graph.operators import Tensor
from mobile_sdk.runtimes.shapes import MOST_PARTS, runtime_axis, runtime_shape
from mobile_sdk.runtimes.tflite.model_writer import ModelWriter


def write_window(file: ModelWriter, source: str, output: Tensor, axis: int, start: int) -> None:
    """Writes a SLICE: a part of the output's size, from position `start` along an axis on."""
    begin = np.zeros(1 + len(output.shape), np.int32)
    begin[runtime_axis(output.shape, axis)] = start
    names = f"{output.name}.begin", f"{output.name}.size"
    file.constant(names[0], begin)
    file.constant(names[1], np.array(runtime_shape(output.shape), np.int32))
    file.operator("SLICE", [source, *names], output.name, schema.SliceOptionsT())


def join(file: ModelWriter, parts: list[Tensor], output: Tensor, axis: int) -> None:
    """Writes a CONCATENATION along an axis of the parts.

    XNNPACK joins five parts at most: more are joined in turns.
    """
    while len(parts) > MOST_PARTS:
        first, parts = parts[:MOST_PARTS], parts[MOST_PARTS:]
        length = sum(part.shape[axis] for part in first)
        shape = (*output.shape[:axis], length, *output.shape[axis + 1 :])
        joined = replace(output, name=f"{output.name}.first{length}", shape=shape)
        file.declare(joined)
        _append(file, first, joined, axis)
        parts.insert(0, joined)
    _append(file, parts, output, axis)


def _append(file: ModelWriter, parts: list[Tensor], output: Tensor, axis: int) -> None:
    options = schema.ConcatenationOptionsT()
    options.axis = runtime_axis(output.shape, axis)
    file.operator("CONCATENATION", [part.name for part in parts], output.name, options)
