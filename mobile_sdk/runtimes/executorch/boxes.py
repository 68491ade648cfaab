"""A detector's last operator in XNNPACK's: NHWC maps are rows of anchors already, so that nothing is transposed."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.operators import DecodeBoxes, Quantization

MOST_PARTS = 5  # XNNConcatenate5


class NodeWriter(Protocol):
    """What of the delegate's writer is needed here; values are known by their ids."""

    def unary(self, kind: str, source: int, output: int, **extra: Any) -> None:
        """Appends a node of one operand."""
        ...

    def binary(self, kind: str, a: int, b: int, output: int) -> None:
        """Appends a node of two operands."""
        ...

    def concatenate(self, inputs: list[int], output: int, axis: int) -> None:
        """Joins five values at most."""
        ...

    def value(self, dims: list[int], grid: Quantization | None) -> int:
        """Declares a value."""
        ...

    def constants(self, array: NDArray[np.float32]) -> int:
        """Stores float32 constants."""
        ...


def write_boxes(writer: NodeWriter, operator: DecodeBoxes, predictions: list[int], output: int) -> None:
    """Every prediction as float32 rows, those of all maps joined, boxes moved, and boxes and scores side by side."""
    anchors, columns = operator.output.shape
    rows = [_rows(writer, operator, index, source) for index, source in enumerate(predictions)]
    counts = [operator.rows(index)[0] for index in range(len(rows))]
    offsets = _joined(writer, rows[::2], counts[::2], 4)
    scores = _joined(writer, rows[1::2], counts[1::2], columns - 4)
    moved, boxes = (writer.value([1, anchors, 4], None) for _ in range(2))
    writer.binary("XNNMultiply", offsets, writer.constants(operator.steps[np.newaxis]), moved)
    writer.binary("XNNAdd", moved, writer.constants(operator.origins[np.newaxis]), boxes)
    writer.concatenate([boxes, scores], output, 2)


def _rows(writer: NodeWriter, operator: DecodeBoxes, index: int, source: int) -> int:
    """The prediction's real values, (1, anchors, columns)."""
    shape, grid = [1, *operator.rows(index)], operator.predictions[index].quantization
    rows = writer.value(shape, grid)
    writer.unary("XNNStaticReshape", source, rows, num_dims=len(shape), new_shape=shape)
    if grid is None:
        return rows
    values = writer.value(shape, None)
    writer.unary("XNNConvert", rows, values)
    return values


def _joined(writer: NodeWriter, parts: list[int], counts: list[int], columns: int) -> int:
    """The rows of all maps in one value, at most five joined at a time."""
    while len(parts) > 1:
        total = sum(counts[:MOST_PARTS])
        joined = writer.value([1, total, columns], None)
        writer.concatenate(parts[:MOST_PARTS], joined, 1)
        parts, counts = [joined, *parts[MOST_PARTS:]], [total, *counts[MOST_PARTS:]]
    return parts[0]
