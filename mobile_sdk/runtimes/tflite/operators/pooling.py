"""Writes pooling windows, and the mean over a whole map."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.graph.operators import AvgPool2d, MaxPool2d, Mean
from mobile_sdk.runtimes.tflite.model_writer import ModelWriter, refusal
from mobile_sdk.runtimes.tflite.operators.padding import pad, repeat_edges, same_padding
from mobile_sdk.runtimes.tflite.operators.table import write


@write.of(MaxPool2d, AvgPool2d)
def _pool(operator: MaxPool2d | AvgPool2d, file: ModelWriter) -> None:
    """Writes MAX_POOL_2D or AVERAGE_POOL_2D; padding must never win a maximum.

    Padding is SAME, or zeros if no value is below them, or else the edges repeated.
    """
    options = schema.Pool2DOptionsT()
    options.filterHeight, options.filterWidth = operator.kernel
    options.strideH, options.strideW = operator.stride
    if operator.stride[0] > operator.kernel[0] or operator.stride[1] > operator.kernel[1]:
        raise refusal(operator, f"strides by {operator.stride}, and XNNPACK takes no more than the window's size")
    if any(operator.padding) and isinstance(operator, AvgPool2d):
        raise refusal(operator, "pads, and TFLite's average counts no padding")
    source, padding = operator.input, _padding_that_is_read(operator)
    is_same = padding == same_padding(source.shape[1:], operator.kernel, operator.stride)
    if not is_same and source.name not in file.nonnegative:
        source, padding = repeat_edges(file, source, operator.output.name, padding), (0, 0, 0, 0)
    name, options.padding = pad(file, operator, source, operator.kernel, operator.stride, padding)
    kind = "MAX_POOL_2D" if isinstance(operator, MaxPool2d) else "AVERAGE_POOL_2D"
    file.operator(kind, [name], operator.output.name, options)


def _padding_that_is_read(operator: MaxPool2d | AvgPool2d) -> tuple[int, int, int, int]:
    """Returns the padding without rows and columns at its end that no window reaches."""
    top, bottom, left, right = operator.padding
    rows, columns = (
        (count - 1) * step + window - length
        for count, step, window, length in zip(
            operator.output.shape[1:], operator.stride, operator.kernel, operator.input.shape[1:], strict=True
        )
    )
    return top, min(bottom, max(rows - top, 0)), left, min(right, max(columns - left, 0))


@write.of(Mean)
def _mean(operator: Mean, file: ModelWriter) -> None:
    axes = f"{operator.output.name}.axes"
    file.constant(axes, np.array([1, 2], np.int32))
    options = schema.ReducerOptionsT()
    options.keepDims = len(operator.output.shape) == 3
    file.operator("MEAN", [operator.input.name, axes], operator.output.name, options)
