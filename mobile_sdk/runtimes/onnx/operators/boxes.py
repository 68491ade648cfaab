"""Writes a detector's last operator: boxes and scores, row by row."""

import numpy as np

from mobile_sdk.graph.operators import DecodeBoxes
from mobile_sdk.runtimes.onnx.operators.table import float32
from mobile_sdk.runtimes.onnx.writer import OnnxWriter


@float32.of(DecodeBoxes)
def _boxes(operator: DecodeBoxes, file: OnnxWriter) -> None:
    """Takes predictions as real values; their rows follow each other by position."""
    rows = []
    for index, prediction in enumerate(operator.predictions):
        last = file.node("Transpose", [file.real(prediction)], f":{index}:last", perm=[0, 2, 3, 1])
        rows.append(file.reshape(last, f":{index}:rows", (1, *operator.rows(index))))
    offsets = file.node("Concat", rows[::2], ":offsets", axis=1)
    scores = file.node("Concat", rows[1::2], ":scores", axis=1)
    moved = file.node("Mul", [offsets, file.constant(":steps", operator.steps[np.newaxis])], ":moved")
    boxes = file.node("Add", [moved, file.constant(":origins", operator.origins[np.newaxis])], ":boxes")
    file.give(operator, lambda name: file.node("Concat", [boxes, scores], name, axis=2))
