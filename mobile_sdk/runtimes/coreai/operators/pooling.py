"""Writes pooling windows, and the mean over a whole map."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import INT8_MIN, AvgPool2d, MaxPool2d, Mean
from mobile_sdk.runtimes.coreai.operators.table import float32, int8
from mobile_sdk.runtimes.coreai.program import Operand
from mobile_sdk.runtimes.coreai.writer import FLOAT32, INT32, CoreAIWriter

_LOWEST = np.finfo(np.float32).min


@int8.of(Mean)
def _mean(operator: Mean, file: CoreAIWriter) -> None:
    """Sums codes in int32, over which no factor folds, then follows the rule: a product, a sum, one rounding."""
    _, height, width = operator.input.shape
    x, y = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    factor, offset = arithmetic.mean_terms(x, y, height * width)
    sums = file.cast(_over_the_map("reduce_sum", operator, file, file.integers(operator.input), INT32), FLOAT32)
    steps = file.binary("add", file.binary("mul", sums, float(factor)), float(offset))
    file.give(operator.output, file.reshape(file.quantize(steps, 1.0, 0), (1, *operator.output.shape)))


@float32.of(Mean)
def _float_mean(operator: Mean, file: CoreAIWriter) -> None:
    means = _over_the_map("reduce_mean", operator, file, file.real(operator.input), FLOAT32)
    file.give(operator.output, file.reshape(means, (1, *operator.output.shape)))


def _over_the_map(kind: str, operator: Mean, file: CoreAIWriter, x: Operand, dtype: str) -> Operand:
    channels = operator.input.shape[0]
    return file.operation(kind, [x, np.array([2, 3], np.int32)], (1, channels, 1, 1), dtype)


@int8.of(MaxPool2d)
def _max_pool2d(operator: MaxPool2d, file: CoreAIWriter) -> None:
    file.give(operator.output, _greatest(operator, file, np.array(INT8_MIN, np.int8)))


@float32.of(MaxPool2d)
def _float_max_pool2d(operator: MaxPool2d, file: CoreAIWriter) -> None:
    file.give(operator.output, _greatest(operator, file, np.array(_LOWEST, np.float32)))


def _greatest(operator: MaxPool2d, file: CoreAIWriter, lowest: NDArray[Any]) -> Operand:
    """Writes maxima of codes or of values; padding never wins."""
    x = _padded(operator, file, lowest)
    window = (np.array(each, np.uint32) for each in (operator.kernel, operator.stride, (1, 1)))
    rounds_up = np.array(False)
    return file.operation("max_pool_2d", [x, *window, rounds_up], (1, *operator.output.shape), file.dtype(x))


@float32.of(AvgPool2d)
def _avg_pool2d(operator: AvgPool2d, file: CoreAIWriter) -> None:
    """Counts padding as zeros."""
    x = _padded(operator, file, np.array(0, np.float32))
    window = (np.array(each, np.uint32) for each in (operator.kernel, operator.stride, (1, 1)))
    sums = file.operation("sum_pool_2d", [x, *window], (1, *operator.output.shape), FLOAT32)
    file.give(operator.output, file.binary("divide", sums, float(np.prod(operator.kernel))))


def _padded(operator: MaxPool2d | AvgPool2d, file: CoreAIWriter, filler: NDArray[Any]) -> Operand:
    top, bottom, left, right = operator.padding
    return file.pad(file.code(operator.input), [(0, 0), (0, 0), (top, bottom), (left, right)], filler)
