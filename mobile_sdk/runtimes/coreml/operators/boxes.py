"""Writes a detector's last operator: boxes and scores, row by row."""

from typing import Any

import numpy as np

from mobile_sdk.graph.operators import DecodeBoxes
from mobile_sdk.runtimes.coreml.mil_writer import CHANNELS_LAST, MilWriter
from mobile_sdk.runtimes.coreml.operators.table import of_real_values


@of_real_values(DecodeBoxes)
def _boxes(operator: DecodeBoxes, file: MilWriter) -> Any:
    """Decodes in float32, of which pixels need more digits than float16 has; rows follow each other by position."""
    mil, label = file.mil, file.label
    rows = []
    for index, prediction in enumerate(operator.predictions):
        value = mil.transpose(
            x=file.real(prediction, f"_{index}_values"), perm=CHANNELS_LAST, name=f"{label}_{index}_last"
        )
        rows.append(mil.reshape(x=value, shape=[1, *operator.rows(index)], name=f"{label}_{index}_rows"))
    offsets = file.widened(mil.concat(values=rows[::2], axis=1, name=f"{label}_offsets"), "_offsets_wide")
    scores = file.widened(mil.concat(values=rows[1::2], axis=1, name=f"{label}_scores"), "_scores_wide")
    boxes = file.add(file.mul(offsets, operator.steps[np.newaxis], "_moved"), operator.origins[np.newaxis], "_boxes")
    return file.values(mil.concat(values=[boxes, scores], axis=2, name=label))
