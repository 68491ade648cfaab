"""Writes a detector's last operator: boxes and scores, row by row."""

from typing import Any

import numpy as np

from mobile_sdk.graph.operators import DecodeBoxes
from mobile_sdk.runtimes.coreml.mil_writer import CHANNELS_LAST, MilWriter
from mobile_sdk.runtimes.coreml.operators.table import float32


@float32.of(DecodeBoxes)
def _boxes(operator: DecodeBoxes, file: MilWriter) -> Any:
    """Takes predictions as centred codes, in steps of their grids, or float32; rows follow each other by position."""
    mil, label = file.mil, file.label
    rows = []
    for index, prediction in enumerate(operator.predictions):
        value = file.read(prediction)
        if prediction.quantization is not None:
            value = file.mul(value, np.float32(prediction.quantization.scale), f"_{index}_values")
        value = mil.transpose(x=value, perm=CHANNELS_LAST, name=f"{label}_{index}_last")
        rows.append(mil.reshape(x=value, shape=[1, *operator.rows(index)], name=f"{label}_{index}_rows"))
    offsets = mil.concat(values=rows[::2], axis=1, name=f"{label}_offsets")
    scores = mil.concat(values=rows[1::2], axis=1, name=f"{label}_scores")
    boxes = file.add(file.mul(offsets, operator.steps[np.newaxis], "_moved"), operator.origins[np.newaxis], "_boxes")
    return file.values(mil.concat(values=[boxes, scores], axis=2, name=label))
