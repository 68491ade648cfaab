"""Writes pooling windows, and the mean over a whole map."""

from typing import Any

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, AvgPool2d, Clamp, MaxPool2d, Mean, Quantization
from mobile_sdk.runtimes.onnx.operators.table import float32, int8
from mobile_sdk.runtimes.onnx.sums import mean_grid
from mobile_sdk.runtimes.onnx.writer import FLOAT32, FLOAT64, OnnxWriter, pads


@int8.of(MaxPool2d)
@float32.of(MaxPool2d)
def _greatest(operator: MaxPool2d, file: OnnxWriter) -> None:
    file.node("MaxPool", [file.name(operator.input)], file.name(operator.output), **_window(operator))


@float32.of(AvgPool2d)
def _average(operator: AvgPool2d, file: OnnxWriter) -> None:
    """Counts padding as zeros."""
    inputs, output = [file.name(operator.input)], file.name(operator.output)
    file.node("AveragePool", inputs, output, count_include_pad=1, **_window(operator))


def _window(operator: MaxPool2d | AvgPool2d) -> dict[str, Any]:
    return {
        "kernel_shape": list(operator.kernel),
        "strides": list(operator.stride),
        "pads": pads(operator.padding),
    }


@int8.of(Mean)
def _mean(operator: Mean, file: OnnxWriter) -> None:
    """Averages real values if every kernel gives the reference's codes, or else writes the reference's two roundings.

    These are the sum's product and its sum with the offset, in nodes of their own.
    """
    if grid := mean_grid(operator):
        _whole_average(operator, grid, file)
        return
    _, height, width = operator.input.shape
    count = height * width
    x, y = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    factor, offset = arithmetic.mean_terms(x, y, count)
    codes = file.uncentred(operator.input)
    if count * (INT8_MAX - INT8_MIN) < arithmetic.EXACT_IN_FLOAT32:
        total = _over_the_map("ReduceSum", operator, file, codes, ":sum")
    else:
        wide = file.node("Cast", [codes], ":wide", to=FLOAT64)
        total = file.node("Cast", [_over_the_map("ReduceSum", operator, file, wide, ":wide_sum")], ":sum", to=FLOAT32)
    steps = file.node("Mul", [total, file.scalar(":factor", float(factor))], ":steps")
    shifted = file.node("Add", [steps, file.scalar(":offset", float(offset))], ":shifted")
    file.round(shifted, operator.output, is_centred=False)


def _whole_average(operator: Mean, grid: Quantization, file: OnnxWriter) -> None:
    real = file.dequantized(file.name(operator.input), ":input", grid)
    average = file.node("GlobalAveragePool", [real], ":average")
    if len(operator.output.shape) == 3:
        file.quantize(average, operator.output)
    else:
        codes = file.quantized(average, ":map", arithmetic.quantization_of(operator.output), Clamp.NONE)
        file.reshape(codes, file.name(operator.output), (1, *operator.output.shape))


@float32.of(Mean)
def _float_mean(operator: Mean, file: OnnxWriter) -> None:
    keeps = len(operator.output.shape) == 3
    inputs = [file.name(operator.input)]
    file.node("ReduceMean", inputs, file.name(operator.output), axes=[2, 3], keepdims=int(keeps))


def _over_the_map(kind: str, operator: Mean, file: OnnxWriter, source: str, output: str) -> str:
    keeps = len(operator.output.shape) == 3
    return file.node(kind, [source, file.integers(f"{output}:axes", [2, 3])], output, keepdims=int(keeps))
