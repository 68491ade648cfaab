"""Computes convolutions and linear layers: exact sums of products, requantized once."""

import numpy as np
import torch
from torch.nn import functional as F

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Conv2d, ConvTranspose2d, Linear, Weighted
from mobile_sdk.graph.rules.tables import Step, float_rules, int8_rules


@int8_rules.of(Conv2d)
def _conv2d(operator: Conv2d) -> Step:
    top, bottom, left, right = operator.padding
    symmetric = top == bottom and left == right

    def convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        if not symmetric:
            x = F.pad(x, (left, right, top, bottom))
        padding = (top, left) if symmetric else 0
        return F.conv2d(x, weight, bias, operator.stride, padding, operator.dilation, operator.groups)

    return _requantize(operator, _accumulate(operator, convolve))


@int8_rules.of(ConvTranspose2d)
def _conv_transpose2d(operator: ConvTranspose2d) -> Step:
    def convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return _spread(operator, x, weight, bias)

    return _requantize(operator, _accumulate(operator, convolve))


@int8_rules.of(Linear)
def _linear(operator: Linear) -> Step:
    return _requantize(operator, _accumulate(operator, F.linear))


@float_rules.of(Conv2d)
def _float_conv2d(operator: Conv2d, x: torch.Tensor) -> torch.Tensor:
    top, bottom, left, right = operator.padding
    x = F.pad(x, (left, right, top, bottom)) if any(operator.padding) else x
    weight, bias = torch.from_numpy(operator.weight), torch.from_numpy(operator.bias)
    return F.conv2d(x, weight, bias, operator.stride, 0, operator.dilation, operator.groups)


@float_rules.of(ConvTranspose2d)
def _float_conv_transpose2d(operator: ConvTranspose2d, x: torch.Tensor) -> torch.Tensor:
    return _spread(operator, x, torch.from_numpy(operator.weight), torch.from_numpy(operator.bias))


def _spread(operator: ConvTranspose2d, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    whole = F.conv_transpose2d(x, weight.transpose(0, 1), bias, operator.stride)
    top, bottom, left, right = operator.padding
    return whole[:, :, top : whole.shape[2] - bottom, left : whole.shape[3] - right]


@float_rules.of(Linear)
def _float_linear(operator: Linear, x: torch.Tensor) -> torch.Tensor:
    return F.linear(x, torch.from_numpy(operator.weight), torch.from_numpy(operator.bias))


def _accumulate(operator: Weighted, multiply: Step) -> Step:
    """Returns the operator's exact sums of products plus bias, in float64 only if float32 could not hold them."""
    x = arithmetic.quantization_of(operator.input)
    furthest = max(127 - x.zero_point, x.zero_point + 128)
    filters = np.abs(operator.weight.astype(np.int64)).reshape(len(operator.weight), -1).sum(axis=1)
    bound = int((filters * furthest + np.abs(operator.bias.astype(np.int64))).max())
    dtype = torch.float32 if bound < arithmetic.EXACT_IN_FLOAT32 else torch.float64
    weight = torch.from_numpy(operator.weight).to(dtype)
    if weight.ndim == 4:
        weight = weight.contiguous(memory_format=torch.channels_last)
    bias = torch.from_numpy(operator.bias).to(dtype)
    return lambda x: multiply(x.to(dtype), weight, bias).to(torch.float32)


def _requantize(operator: Weighted, accumulate: Step) -> Step:
    assert operator.weight_scales is not None
    x, y = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    shape = (-1, *[1] * (operator.weight.ndim - 2))  # a linear layer's channels are the last axis
    factor = torch.from_numpy(arithmetic.requantization(x, operator.weight_scales, y)).reshape(shape)
    low, high = arithmetic.clamp_range(y, operator.clamp)
    return lambda x: accumulate(x).mul_(factor).round_().clamp_(low, high)
