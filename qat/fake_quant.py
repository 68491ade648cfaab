"""Fake quantization: float tensors rounded to the int8 grid that the phone will use, gradients passed straight through.

Straight-through estimation and moving-average ranges: Krishnamoorthi, arXiv 1806.08342, sections 2.4 and 3.2.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchao.quantization.pt2e.fake_quantize import FakeQuantizeBase  # type: ignore[import-untyped]

from mobile_sdk.integer_graph import INT8_MAX, INT8_MIN, Quantization

LEVELS = INT8_MAX - INT8_MIN
SMALLEST_SPAN = 2.0**-10  # of a range: a dead tensor still gets a scale that every runtime accepts
RANGE_MOMENTUM = 0.05  # of the moving average, a batch: settles in about 60 steps, a short fine-tuning has them
WEIGHT_LIMIT = 127  # weights never take -128: symmetric, as Jacob et al., arXiv 1712.05877, section 3


@dataclass(frozen=True, kw_only=True)
class Range:
    """What mathematics says of a tensor's values: ends that are fixed, and how far down the low end matters."""

    low: float | None = None
    high: float | None = None
    floor: float | None = None


class TensorQuantizer(FakeQuantizeBase):  # type: ignore[misc]
    """Observes a tensor's range and rounds the tensor to int8.

    While `observing`, a forward in training moves the range by a moving average; while `calibrating`, every forward
    widens it to the extremes. With `quantizing` off, or before any range was seen, values pass unchanged.
    """

    low: Tensor
    high: Tensor
    seen: Tensor

    def __init__(self, *, bounds: Range, **_spec: Any) -> None:
        super().__init__()
        self.bounds = bounds
        self.observing = True
        self.calibrating = False
        self.quantizing = True
        self.register_buffer("low", torch.tensor(bounds.low if bounds.low is not None else 0.0))
        self.register_buffer("high", torch.tensor(bounds.high if bounds.high is not None else 0.0))
        self.register_buffer("seen", torch.tensor(False))

    @property
    def is_fixed(self) -> bool:
        """Whether mathematics fixes both ends: nothing is observed."""
        return self.bounds.low is not None and self.bounds.high is not None

    def forward(self, x: Tensor) -> Tensor:
        """`x` on the int8 grid, same shape and dtype."""
        if not self.is_fixed and (self.calibrating or (self.observing and self.training)):
            self._observe(x.detach())
        if not self.quantizing or not (self.is_fixed or self.seen):
            return x
        scale, zero_point = self._grid()
        return torch.fake_quantize_per_tensor_affine(x, scale, zero_point, INT8_MIN, INT8_MAX)

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """`(scale, zero_point)` as float32 and int32 tensors: torchao's name for it."""
        return self._grid()

    def quantization(self) -> Quantization:
        """The grid, as it will be written into every file."""
        scale, zero_point = self._grid()
        return Quantization(scale=float(scale), zero_point=int(zero_point))

    def _observe(self, x: Tensor) -> None:
        low, high = torch.aminmax(x)
        if self.seen and not self.calibrating:
            low = torch.lerp(self.low, low, RANGE_MOMENTUM)
            high = torch.lerp(self.high, high, RANGE_MOMENTUM)
        elif self.seen:
            low, high = torch.minimum(self.low, low), torch.maximum(self.high, high)
        if self.bounds.low is None:
            self.low.copy_(low)
        if self.bounds.high is None:
            self.high.copy_(high)
        self.seen.fill_(True)

    def _grid(self) -> tuple[Tensor, Tensor]:
        low = self.low.clamp(max=0.0)  # zero must be a code: padding needs it
        if self.bounds.floor is not None:
            low = low.clamp(min=self.bounds.floor)
        span = (self.high.clamp(min=0.0) - low).clamp(min=SMALLEST_SPAN)
        scale = span / LEVELS
        zero_point = (INT8_MIN - low / scale).round().clamp(INT8_MIN, INT8_MAX)
        return scale, zero_point.to(torch.int32)


def weight_scales(weight: Tensor) -> Tensor:
    """The scale per output channel, (O,): the largest magnitude becomes code 127."""
    largest = weight.detach().abs().amax(dim=tuple(range(1, weight.ndim)))
    return torch.where(largest > 0, largest / WEIGHT_LIMIT, torch.ones_like(largest))


def fake_quantize_weight(weight: Tensor, scales: Tensor | None = None) -> Tensor:
    """`weight` (O, …) on its int8 grid, one scale per output channel: `weight_scales` if None."""
    scales = weight_scales(weight) if scales is None else scales
    zeros = torch.zeros_like(scales, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scales, zeros, 0, -WEIGHT_LIMIT, WEIGHT_LIMIT)
