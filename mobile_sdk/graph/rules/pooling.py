"""Computes means and maxima over a map and over windows of it."""

import torch
from torch.nn import functional as F

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import AvgPool2d, MaxPool2d, Mean
from mobile_sdk.graph.rules.tables import Step, float_rules, int8_rules


@int8_rules.of(Mean)
def _mean(operator: Mean) -> Step:
    _, height, width = operator.input.shape
    count = height * width
    x, y = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    factor, offset = (float(term) for term in arithmetic.mean_terms(x, y, count))
    wide = torch.float32 if count * 255 < arithmetic.EXACT_IN_FLOAT32 else torch.float64

    def mean(centred: torch.Tensor) -> torch.Tensor:
        total = centred.sum(dim=(2, 3), dtype=wide).add_(count * x.zero_point).to(torch.float32)
        codes = total.mul_(factor).add_(offset).round_().clamp_(-128, 127)
        return codes.sub_(y.zero_point).reshape(-1, *operator.output.shape)

    return mean


@int8_rules.of(MaxPool2d)
def _max_pool2d(operator: MaxPool2d) -> Step:
    return lambda x: _greatest(operator, x)


@float_rules.of(MaxPool2d)
def _greatest(operator: MaxPool2d, x: torch.Tensor) -> torch.Tensor:
    return F.max_pool2d(_padded(operator, x, float("-inf")), operator.kernel, operator.stride)


@float_rules.of(AvgPool2d)
def _avg_pool2d(operator: AvgPool2d, x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(_padded(operator, x, 0.0), operator.kernel, operator.stride)


@float_rules.of(Mean)
def _float_mean(operator: Mean, x: torch.Tensor) -> torch.Tensor:
    return x.mean(dim=(2, 3)).reshape(-1, *operator.output.shape)


def _padded(operator: MaxPool2d | AvgPool2d, x: torch.Tensor, value: float) -> torch.Tensor:
    top, bottom, left, right = operator.padding
    return F.pad(x, (left, right, top, bottom), value=value) if any(operator.padding) else x
