"""Writes a detector's last operator: NHWC maps are rows of anchors already, so no transpose is needed."""

from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.graph.operators import DecodeBoxes
from mobile_sdk.runtimes.shapes import MOST_PARTS
from mobile_sdk.runtimes.tflite.model_writer import ModelWriter
from mobile_sdk.runtimes.tflite.operators.table import write

_FLOAT32 = np.dtype(np.float32)


@write.of(DecodeBoxes)
def _boxes(operator: DecodeBoxes, file: ModelWriter) -> None:
    """Writes every prediction as float32 rows, joins those of all maps, moves boxes, and joins boxes and scores."""
    name, (anchors, columns) = operator.output.name, operator.output.shape
    rows = [_rows(file, operator, index) for index in range(len(operator.predictions))]
    counts = [operator.rows(index)[0] for index in range(len(rows))]
    offsets = _joined(file, f"{name}.offsets", rows[::2], counts[::2], 4)
    scores = _joined(file, f"{name}.scores", rows[1::2], counts[1::2], columns - 4)
    for kind, role, values in (("MUL", "steps", operator.steps), ("ADD", "origins", operator.origins)):
        file.constant(f"{name}.{role}", values[np.newaxis])
        result = f"{name}.{kind.lower()}"
        file.activation(result, (1, anchors, 4), _FLOAT32)
        options = schema.MulOptionsT() if kind == "MUL" else schema.AddOptionsT()
        file.operator(kind, [offsets, f"{name}.{role}"], result, options)
        offsets = result
    _concatenate(file, [offsets, scores], name, axis=2)


def _rows(file: ModelWriter, operator: DecodeBoxes, index: int) -> str:
    """Returns the name of the prediction's real values, (1, anchors, columns)."""
    source, shape = operator.predictions[index], (1, *operator.rows(index))
    name, grid = f"{operator.output.name}.{index}", source.quantization
    file.constant(f"{name}.shape", np.array(shape, np.int32))
    dtype = _FLOAT32 if grid is None else np.dtype(np.int8)
    file.activation(f"{name}.rows", shape, dtype, *((grid.scale, grid.zero_point) if grid else ()))
    file.operator("RESHAPE", [source.name, f"{name}.shape"], f"{name}.rows", schema.ReshapeOptionsT())
    if grid is None:
        return f"{name}.rows"
    file.activation(f"{name}.values", shape, _FLOAT32)
    file.operator("DEQUANTIZE", [f"{name}.rows"], f"{name}.values")
    return f"{name}.values"


def _joined(file: ModelWriter, name: str, parts: Sequence[str], counts: Sequence[int], columns: int) -> str:
    """Returns the rows of all maps in one tensor, at most five joined at a time."""
    parts, counts = list(parts), list(counts)
    while len(parts) > 1:
        joined, total = f"{name}.{len(parts)}", sum(counts[:MOST_PARTS])
        file.activation(joined, (1, total, columns), _FLOAT32)
        _concatenate(file, parts[:MOST_PARTS], joined, axis=1)
        parts, counts = [joined, *parts[MOST_PARTS:]], [total, *counts[MOST_PARTS:]]
    return parts[0]


def _concatenate(file: ModelWriter, parts: Sequence[str], output: str, *, axis: int) -> None:
    options = schema.ConcatenationOptionsT()
    options.axis = axis
    file.operator("CONCATENATION", parts, output, options)
