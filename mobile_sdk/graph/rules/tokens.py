"""Computes products of two matrices, softmax, and normalisation by a tensor's own values."""

import torch

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Clamp, MatMul, Normalize, Softmax
from mobile_sdk.graph.rules.tables import Step, float_rules, int8_rules


@int8_rules.of(MatMul)
def _matmul(operator: MatMul) -> Step:
    """Sums exactly, in float64 only if float32 could not, and rounds as a convolution does."""
    a, b, y = (arithmetic.quantization_of(each) for each in (operator.a, operator.b, operator.output))
    is_small = arithmetic.largest_matrix_sum(operator) < arithmetic.EXACT_IN_FLOAT32
    dtype = torch.float32 if is_small else torch.float64
    factor = float(arithmetic.product_factor(a, b, y))
    low, high = arithmetic.clamp_range(y, Clamp.NONE)

    def multiply(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        sums = (a.to(dtype) @ b.to(dtype)).to(torch.float32)
        return sums.mul_(factor).round_().clamp_(low, high)

    return multiply


@float_rules.of(MatMul)
def _product(operator: MatMul, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a @ b


@float_rules.of(Softmax)
def _softmax(operator: Softmax, x: torch.Tensor) -> torch.Tensor:
    return torch.softmax(x, _channel_axis(x))


@float_rules.of(Normalize)
def _normalize(operator: Normalize, x: torch.Tensor) -> torch.Tensor:
    """Normalises in the order of the runtimes' operators: the mean, the difference, its mean square."""
    grouped, axes = x, [1 + axis for axis in operator.axes]
    if operator.groups > 1:
        grouped, axes = x.reshape(len(x), operator.groups, -1, *x.shape[2:]), [2, 3, 4]
    if operator.is_centred:
        grouped = grouped - grouped.mean(axes, keepdim=True)
    scale = torch.rsqrt(grouped.square().mean(axes, keepdim=True) + operator.epsilon)
    shape = [-1 if axis == _channel_axis(x) else 1 for axis in range(x.ndim)]
    gain, offset = (torch.from_numpy(each).reshape(shape) for each in (operator.gain, operator.offset))
    return (grouped * scale).reshape(x.shape) * gain + offset


def _channel_axis(x: torch.Tensor) -> int:
    return 1 if x.ndim == 4 else x.ndim - 1
