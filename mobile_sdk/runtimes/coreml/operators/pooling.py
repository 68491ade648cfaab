"""Writes pooling windows, and the mean over a whole map."""

from typing import Any

import numpy as np

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import AvgPool2d, MaxPool2d, Mean
from mobile_sdk.runtimes.coreml.mil_writer import MilWriter
from mobile_sdk.runtimes.coreml.operators.table import int8, of_real_values


@int8.of(Mean)
def _mean(operator: Mean, file: MilWriter) -> Any:
    """Adds `count * zero_point` to the sum of centred codes, as the rule's sum is uncentred."""
    _, height, width = operator.input.shape
    x = arithmetic.quantization_of(operator.input)
    factor, offset = arithmetic.mean_terms(x, arithmetic.quantization_of(operator.output), height * width)
    sums = file.mil.reduce_sum(x=file.read(operator.input), **_over_the_map(operator), name=file.label)
    uncentred = file.add(sums, np.float32(height * width * x.zero_point), "_uncentred")
    codes = file.add(file.mul(uncentred, factor, "_steps"), offset, "_shifted")
    return file.codes(codes, operator.output, is_centred=False)


@of_real_values(Mean)
def _float_mean(operator: Mean, file: MilWriter) -> Any:
    return file.values(file.mil.reduce_mean(x=file.read(operator.input), **_over_the_map(operator), name=file.label))


def _over_the_map(operator: Mean) -> dict[str, Any]:
    return {"axes": [2, 3], "keep_dims": len(operator.output.shape) == 3}


@int8.of(MaxPool2d)
def _max_pool2d(operator: MaxPool2d, file: MilWriter) -> Any:
    return file.codes(_greatest(operator, file), operator.output)


@of_real_values(MaxPool2d)
def _float_max_pool2d(operator: MaxPool2d, file: MilWriter) -> Any:
    return file.values(_greatest(operator, file))


def _greatest(operator: MaxPool2d, file: MilWriter) -> Any:
    return file.mil.max_pool(x=file.read(operator.input), **_window(operator), name=file.label)


@of_real_values(AvgPool2d)
def _avg_pool2d(operator: AvgPool2d, file: MilWriter) -> Any:
    return file.values(file.mil.avg_pool(x=file.read(operator.input), **_window(operator), name=file.label))


def _window(operator: MaxPool2d | AvgPool2d) -> dict[str, Any]:
    return {
        "kernel_sizes": list(operator.kernel),
        "strides": list(operator.stride),
        "pad_type": "custom",
        "pad": list(operator.padding),
    }
