"""Writes a detector's last operator: boxes and scores, row by row."""

import numpy as np

from mobile_sdk.graph.operators import DecodeBoxes
from mobile_sdk.runtimes.coreai.operators.table import float32
from mobile_sdk.runtimes.coreai.program import Operand
from mobile_sdk.runtimes.coreai.writer import CHANNELS_LAST, FLOAT32, CoreAIWriter


@float32.of(DecodeBoxes)
def _boxes(operator: DecodeBoxes, file: CoreAIWriter) -> None:
    """Writes a product and a sum for the boxes; rows follow each other by position."""
    rows = []
    for index, prediction in enumerate(operator.predictions):
        last = file.transpose(file.real(prediction), CHANNELS_LAST)
        rows.append(file.reshape(last, (1, *operator.rows(index))))
    moved = file.binary("mul", _joined(file, rows[::2], 1), operator.steps[np.newaxis].astype(np.float32))
    boxes = file.binary("add", moved, operator.origins[np.newaxis].astype(np.float32))
    file.give(operator.output, _joined(file, [boxes, _joined(file, rows[1::2], 1)], 2))


def _joined(file: CoreAIWriter, parts: list[Operand], axis: int) -> Operand:
    if len(parts) == 1:
        return parts[0]
    shape = list(file.shape(parts[0]))
    shape[axis] = sum(file.shape(part)[axis] for part in parts)
    return file.operation("concat", [np.array(axis, np.int32), *parts], shape, FLOAT32)
