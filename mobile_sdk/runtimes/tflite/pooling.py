"""Writes windows that pool."""

from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.graph.operators import AvgPool2d, MaxPool2d
from mobile_sdk.runtimes.tflite.padding import pad, repeat_edges, same_padding
from mobile_sdk.runtimes.tflite.tensors import refusal
from mobile_sdk.runtimes.tflite.writer import Writer


def write_pool(writer: Writer, operator: MaxPool2d | AvgPool2d, nonnegative: set[str]) -> None:
    """MAX_POOL_2D or AVERAGE_POOL_2D. What pads must never win a maximum.

    That is SAME, zeros where nothing lies below them, and else the edges once more.
    """
    options = schema.Pool2DOptionsT()
    options.filterHeight, options.filterWidth = operator.kernel
    options.strideH, options.strideW = operator.stride
    if operator.stride[0] > operator.kernel[0] or operator.stride[1] > operator.kernel[1]:
        raise refusal(operator, f"strides by {operator.stride}, and XNNPACK takes no more than the window's size")
    if any(operator.padding) and isinstance(operator, AvgPool2d):
        raise refusal(operator, "pads, and TFLite's average counts no padding")
    source, padding = operator.input, _padding_that_is_read(operator)
    if padding != same_padding(source.shape[1:], operator.kernel, operator.stride) and source.name not in nonnegative:
        source, padding = repeat_edges(writer, source, operator.output.name, padding), (0, 0, 0, 0)
    name, options.padding = pad(writer, operator, source, operator.kernel, operator.stride, padding)
    kind = "MAX_POOL_2D" if isinstance(operator, MaxPool2d) else "AVERAGE_POOL_2D"
    writer.operator(kind, [name], operator.output.name, 2, options)


def _padding_that_is_read(operator: MaxPool2d | AvgPool2d) -> tuple[int, int, int, int]:
    """The padding but for rows and columns at its end that no window reaches."""
    top, bottom, left, right = operator.padding
    rows, columns = (
        (count - 1) * step + window - length
        for count, step, window, length in zip(
            operator.output.shape[1:], operator.stride, operator.kernel, operator.input.shape[1:], strict=True
        )
    )
    return top, min(bottom, max(rows - top, 0)), left, min(right, max(columns - left, 0))
