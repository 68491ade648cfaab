"""Writes a detector's last operator: NHWC maps are rows of anchors already, so no transpose is needed."""

import numpy as np

from mobile_sdk.graph.operators import DecodeBoxes
from mobile_sdk.runtimes.executorch.node_writer import NodeWriter
from mobile_sdk.runtimes.executorch.operators.table import write
from mobile_sdk.runtimes.shapes import MOST_PARTS


@write.of(DecodeBoxes)
def _boxes(operator: DecodeBoxes, file: NodeWriter, inputs: list[int], output: int) -> None:
    """Writes every prediction as float32 rows, joins those of all maps, moves boxes, and joins boxes and scores."""
    anchors, columns = operator.output.shape
    rows = [_rows(file, operator, index, source) for index, source in enumerate(inputs)]
    counts = [operator.rows(index)[0] for index in range(len(rows))]
    offsets = _joined(file, rows[::2], counts[::2], 4)
    scores = _joined(file, rows[1::2], counts[1::2], columns - 4)
    moved, boxes = (file.value([1, anchors, 4], None) for _ in range(2))
    file.binary("XNNMultiply", offsets, file.constants(operator.steps[np.newaxis]), moved)
    file.binary("XNNAdd", moved, file.constants(operator.origins[np.newaxis]), boxes)
    file.concatenate([boxes, scores], output, 2)


def _rows(file: NodeWriter, operator: DecodeBoxes, index: int, source: int) -> int:
    """Returns the prediction's real values, (1, anchors, columns)."""
    shape, grid = (1, *operator.rows(index)), operator.predictions[index].quantization
    rows = file.value(list(shape), grid)
    file.reshape(source, rows, shape)
    if grid is None:
        return rows
    values = file.value(list(shape), None)
    file.unary("XNNConvert", rows, values)
    return values


def _joined(file: NodeWriter, parts: list[int], counts: list[int], columns: int) -> int:
    """Returns the rows of all maps in one value, at most five joined at a time."""
    while len(parts) > 1:
        total = sum(counts[:MOST_PARTS])
        joined = file.value([1, total, columns], None)
        file.concatenate(parts[:MOST_PARTS], joined, 1)
        parts, counts = [joined, *parts[MOST_PARTS:]], [total, *counts[MOST_PARTS:]]
    return parts[0]
