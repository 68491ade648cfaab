"""Defines a captured net's layers: convolutions and linear layers with their batch norm, and the phone's h-swish."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from mobile_sdk.graph.operators import weight_limit
from qat.layers.convolution import convolution
from qat.layers.quantizers.fake_quant import (
    SMALLEST_STEP,
    fake_quantize_weight,
    weight_codes,
    weight_scales,
)
from qat.layers.quantizers.rounding import gated_swish
from qat.steps import channel_axis

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d


class Weighted(nn.Module):
    """Represents a layer with weights and its batch norm. Subclasses define the operation on input and weights.

    The batch norm needs no folding while it trains: per output channel it only rescales, and a scale per channel rounds
    to the same codes before and after. Once its statistics are frozen it is folded, which costs nothing. Codes have
    `weight_bits`, 8 or 4. `scales` are the weights' steps per output channel, (O,); None makes the largest magnitude of
    each the largest code, `limit`.
    """

    scales: Tensor | None
    groups = 1

    def __init__(self, *, weight: nn.Parameter, bias: nn.Parameter | None, norm: BatchNorm | None) -> None:
        super().__init__()
        self.weight = weight
        self.bias = bias
        self.norm = norm
        self.register_buffer("scales", None)
        self.weight_bits = 8
        self.quantizing = True
        self.learning = False
        self.statistics_frozen = False

    def extra_repr(self) -> str:
        """Returns the bits of the weights if they are not 8: a checkpoint is resumed for equal ones alone."""
        return "" if self.weight_bits == 8 else f"weight_bits={self.weight_bits}"

    @property
    def limit(self) -> int:
        """Returns the largest code of the weights, 127 or 7; the least is its negative."""
        return weight_limit(self.weight_bits)

    def steps(self) -> Tensor:
        """Returns the weights' present steps per output channel, (O,): `scales`, or those of the largest magnitudes."""
        return weight_scales(self.weight, self.limit) if self.scales is None else self.scales

    def train(self, mode: bool = True) -> "Weighted":
        """Works as `train()`, except that frozen batch-norm statistics stay frozen."""
        super().train(mode)
        if self.norm is not None:
            self.norm.train(mode and not self.statistics_frozen)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Applies the layer to `x`, batch norm included, weights on their grid while `quantizing`."""
        weight = self.rounded_weight() if self.quantizing else self.weight
        if self.norm is None:
            return self.apply_weights(x, weight, self.bias)
        if self.norm.training:
            values = self.apply_weights(x, weight, self.bias)
            normalised: Tensor = self.norm(values.flatten(0, 1) if values.ndim == 3 else values)  # rows are samples
            return normalised.reshape(values.shape)
        gain, shift = self.folding()
        return self.apply_weights(x, weight * gain.reshape(-1, *[1] * (weight.ndim - 1)), shift)

    def rounded_weight(self) -> Tensor:
        """Returns the weights on their integer grid."""
        if not self.learning or self.scales is None:
            return fake_quantize_weight(self.weight, None if self.scales is None else self.scales.detach(), self.limit)
        with torch.no_grad():
            self.scales.clamp_(min=SMALLEST_STEP)  # an optimizer may have moved them below
        return fake_quantize_weight(self.weight, self.scales, self.limit)

    def learn(self) -> None:
        """Makes parameters of the present steps; they get gradients while `learning`."""
        if not isinstance(self.scales, nn.Parameter):
            start = self.steps()
            del self.scales
            self.scales = nn.Parameter(start)

    def apply_weights(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Applies the layer's own operation with the given weights."""
        raise NotImplementedError

    def folding(self) -> tuple[Tensor, Tensor]:
        """Returns `(gain, shift)` per output channel: layer and norm together are `gain * weight` with bias `shift`."""
        bias = self.bias if self.bias is not None else self.weight.new_zeros(len(self.weight))
        if self.norm is None:
            return torch.ones_like(bias), bias
        assert self.norm.running_var is not None and self.norm.running_mean is not None
        gain = self.norm.weight * torch.rsqrt(self.norm.running_var + self.norm.eps)
        return gain, self.norm.bias + (bias - self.norm.running_mean) * gain

    @torch.no_grad()
    def codes(self) -> tuple[Tensor, Tensor, Tensor]:
        """Returns `(codes, scales, bias)`: int8 (O, …), float64 (O,), and the float64 bias, batch norm folded.

        A scale is 0 if a channel's codes or its gain are: then only the bias decides such a channel's grid.
        """
        scales = self.steps()
        codes = weight_codes(self.weight, scales, self.limit)
        gain, shift = (term.double() for term in self.folding())
        sign = torch.where(gain < 0, -1, 1).reshape(-1, *[1] * (codes.ndim - 1))
        scales = scales.double() * gain.abs() * codes.flatten(1).any(dim=1)
        return (codes * sign).to(torch.int8), scales, shift

    @torch.no_grad()
    def folded(self) -> tuple[Tensor, Tensor]:
        """Returns `(weight, bias)` in float32 with the batch norm folded, as in the float twin."""
        gain, shift = self.folding()
        return self.weight * gain.reshape(-1, *[1] * (self.weight.ndim - 1)), shift


class Filters(Weighted):
    """This is the base of layers whose weights are filters on a map; `padding` is (top, bottom, left, right)."""

    def __init__(
        self,
        *,
        stride: tuple[int, int],
        padding: tuple[int, int, int, int],
        dilation: tuple[int, int],
        groups: int,
        **parameters: Any,
    ) -> None:
        super().__init__(**parameters)
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups


class Conv2d(Filters):
    """Computes a convolution: a pad before it is part of it."""

    @property
    def geometry(self) -> dict[str, Any]:
        """Returns how the window moves, under the names of `mobile_sdk.graph.operators.Conv2d`."""
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}

    def apply_weights(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Computes a convolution with the given weights."""
        top, bottom, left, right = self.padding
        symmetric = top == bottom and left == right
        if not symmetric:
            x = F.pad(x, (left, right, top, bottom))
        return convolution(
            x, weight, bias, self.stride, (top, left) if symmetric else (0, 0), self.dilation, self.groups
        )

    def columns(self, x: Tensor, every: int = 1) -> Tensor:
        """Returns the inputs of every filter's weights, (N, inputs * taps, pixels), for every so many-th output pixel.

        Rows and columns of the output are skipped alike.
        """
        top, bottom, left, right = self.padding
        kernel, stride = tuple(self.weight.shape[2:]), tuple(step * every for step in self.stride)
        return F.unfold(F.pad(x, (left, right, top, bottom)), kernel, self.dilation, 0, stride)


class Linear(Weighted):
    """Computes a fully connected layer; on a flattened (C, H, W) it is a convolution whose window is the whole map."""

    def apply_weights(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Computes a matrix product with the given weights."""
        return F.linear(x, weight, bias)


class Normalization(nn.Module):
    """Divides by the root of the mean square over `axes`, those of (C, H, W) or (T, C); `graph.operators.Normalize`.

    `weight` and `bias` are gain and offset of every channel, (C,); None leaves the values.
    """

    def __init__(
        self,
        *,
        axes: tuple[int, ...],
        groups: int,
        is_centred: bool,
        epsilon: float,
        weight: nn.Parameter | None,
        bias: nn.Parameter | None,
    ) -> None:
        super().__init__()
        self.axes, self.groups, self.is_centred, self.epsilon = axes, groups, is_centred, epsilon
        self.weight, self.bias = weight, bias

    def forward(self, x: Tensor) -> Tensor:
        """Returns a tensor of the shape of `x`, the batch included."""
        axes = [1 + axis for axis in self.axes]
        return normalized(x, axes, self.groups, self.is_centred, self.epsilon, self.weight, self.bias)

    def numbers(self, channels: int) -> dict[str, Any]:
        """Returns the fields of `Normalize` for so many channels."""
        gain = torch.ones(channels) if self.weight is None else self.weight.detach().clone()
        offset = torch.zeros(channels) if self.bias is None else self.bias.detach().clone()
        fields = {"axes": self.axes, "groups": self.groups, "is_centred": self.is_centred, "epsilon": self.epsilon}
        return {**fields, "gain": gain.numpy(), "offset": offset.numpy()}


def normalized(
    x: Tensor,
    axes: Sequence[int],
    groups: int,
    is_centred: bool,
    epsilon: float,
    gain: Tensor | None,
    offset: Tensor | None,
) -> Tensor:
    """Returns `x` over the root of its mean square over `axes`, the batch counted, with a gain and offset a channel."""
    value, over = x, list(axes)
    if groups > 1:
        value, over = x.reshape(len(x), groups, -1, *x.shape[2:]), [2, 3, 4]
    if is_centred:
        value = value - value.mean(over, keepdim=True)
    value = (value * torch.rsqrt(value.square().mean(over, keepdim=True) + epsilon)).reshape(x.shape)
    shape = [1] * x.ndim
    shape[over[0] if len(axes) == 1 else channel_axis(x.ndim)] = -1
    value = value if gain is None else value * gain.reshape(shape)
    return value if offset is None else value + offset.reshape(shape)


class TanhSoftplus(nn.Module):
    """Computes tanh(softplus(x)), the gate of Mish (arXiv 1908.08681)."""

    def forward(self, x: Tensor) -> Tensor:
        """Returns a tensor of the shape of `x`."""
        return torch.tanh(F.softplus(x))


class HardSwish(nn.Module):
    """Computes `x * relu6(x + 3) / 6` with the phone's int8 gate (MobileNetV3, arXiv 1905.02244, section 5.2)."""

    def __init__(self) -> None:
        super().__init__()
        self.quantizing = True

    def forward(self, x: Tensor) -> Tensor:
        """Returns h-swish of `x`; the gradient is that of the smooth gate."""
        if not self.quantizing:
            return F.hardswish(x)
        return gated_swish(x)


def in_float(captured: fx.GraphModule) -> fx.GraphModule:
    """Returns the net with its layers computing in float."""
    for module in captured.modules():
        if isinstance(module, Weighted | HardSwish):
            module.quantizing = False
    return captured
