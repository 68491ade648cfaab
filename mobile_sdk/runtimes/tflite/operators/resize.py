"""Writes the interpolation of maps."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.graph.operators import ResizeBilinear
from mobile_sdk.runtimes.tflite.model_writer import ModelWriter
from mobile_sdk.runtimes.tflite.operators.table import write


@write.of(ResizeBilinear)
def _resize(operator: ResizeBilinear, file: ModelWriter) -> None:
    """Writes a RESIZE_BILINEAR between the centres of pixels, or between corner pixels."""
    size = f"{operator.output.name}.size"
    file.constant(size, np.array(operator.output.shape[1:], np.int32))
    options = schema.ResizeBilinearOptionsT()
    options.alignCorners, options.halfPixelCenters = operator.align_corners, not operator.align_corners
    file.operator("RESIZE_BILINEAR", [operator.input.name, size], operator.output.name, options)
