"""Rounds float tensors to the int8 grid that the phone will use, and passes gradients straight through.

Straight-through estimation and moving-average ranges: Krishnamoorthi, arXiv 1806.08342, sections 2.4 and 3.2.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Quantization, weight_limit
from qat.layers.integer_rounding import float32
from qat.layers.quantizers.rounding import Rounding, extremes, round_to
from qat.layers.quantizers.step_gradients import LEVELS, weight_gradients
from qat.layers.quantizers.torchao_pt2e import FakeQuantizeBase

SMALLEST_SPAN = 2.0**-80  # a range's: a dead tensor still gets a scale whose products float32 holds in full
SMALLEST_STEP = 2.0**-24  # of learned weights: keeps them above zero
RANGE_MOMENTUM = 0.05  # of the moving average, a batch: settles in about 60 steps, as a short fine-tuning has
WEIGHT_LIMIT = weight_limit(8)  # never -128: symmetric, as Jacob et al., arXiv 1712.05877, section 3


@dataclass(frozen=True, kw_only=True)
class Range:
    """Holds the bounds that mathematics sets on a tensor's values: fixed ends, and how far down the low end matters.

    A grid that belongs to the operator, such as a gate's, is never learned; a symmetric one has the zero point 0.
    """

    low: float | None = None
    high: float | None = None
    floor: float | None = None
    is_operators_own: bool = False
    is_symmetric: bool = False


class TensorQuantizer(FakeQuantizeBase):  # type: ignore[misc]
    """Observes a tensor's range and rounds the tensor to int8.

    While `observing`, a forward in training moves the range by a moving average; while `calibrating`, every forward
    widens it to the extremes; while `learning`, the ends that `learn` made parameters get gradients. With `quantizing`
    off, or before any range was seen, values pass unchanged.
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
        self.learning = False
        self.register_buffer("low", torch.tensor(bounds.low if bounds.low is not None else 0.0))
        self.register_buffer("high", torch.tensor(bounds.high if bounds.high is not None else 0.0))
        self.register_buffer("seen", torch.tensor(False))

    @property
    def is_fixed(self) -> bool:
        """Returns whether mathematics fixes both ends, so that nothing is observed."""
        return self.bounds.low is not None and self.bounds.high is not None

    @property
    def is_rounding(self) -> bool:
        """Returns whether a forward rounds; before any range was seen it cannot."""
        return self.quantizing and (self.is_fixed or bool(self.seen))

    @property
    def is_following(self) -> bool:
        """Returns whether a forward moves the range."""
        return not self.is_fixed and (self.calibrating or (self.observing and self.training))

    def ends_at(self, low: float | None, high: float | None) -> bool:
        """Returns whether mathematics fixes exactly these ends."""
        return (self.bounds.low, self.bounds.high) == (low, high)

    def forward(self, x: Tensor) -> Tensor:
        """Returns `x` on the int8 grid, of its shape, float32; or `x` itself if it does not round."""
        if self.is_following:
            self.move(*extremes(x))
        return round_to(self.rounding(), x) if self.is_rounding else x

    def rounding(self) -> Rounding:
        """Returns the grid as a forward uses it, with the ends that it learns."""
        low, high = (end if self.learning and isinstance(end, nn.Parameter) else None for end in (self.low, self.high))
        if high is not None:
            self._keep_bounds()
        return Rounding(
            grid=self.quantization(),
            low=low,
            high=high,
            is_open_below=self.bounds.low is not None and self.bounds.low < 0,  # nothing is below h-swish's minimum
        )

    def learn(self) -> None:
        """Makes parameters of the ends that may move; the upper end of a ReLU6 may only fall.

        They get gradients while `learning`.
        """
        if self.bounds.is_operators_own:
            return
        for name in ("low", "high") if self.bounds.low is None else ("high",):
            if name in self._buffers:
                setattr(self, name, nn.Parameter(self._buffers.pop(name)))

    @torch.no_grad()
    def forget(self) -> None:
        """Gives the range back the ends that mathematics fixes, and no others."""
        self.low.fill_(self.bounds.low if self.bounds.low is not None else 0.0)
        self.high.fill_(self.bounds.high if self.bounds.high is not None else 0.0)
        self.seen.fill_(False)

    @torch.no_grad()
    def move(self, low: Tensor, high: Tensor) -> None:
        """Moves the range after values from `low` to `high`; it always contains zero."""
        if not self.is_following:
            return
        moving = []
        if self.bounds.low is None:
            moving.append((self.low, low.clamp(max=0.0), torch.minimum))
        if self.bounds.high is None:
            moving.append((self.high, high.clamp(min=0.0), torch.maximum))
        seen = bool(self.seen)
        for end, extreme, wider in moving:
            if seen and not self.calibrating:
                end.lerp_(extreme, RANGE_MOMENTUM)
            else:
                end.copy_(wider(end, extreme) if seen else extreme)
        if not seen:
            self.seen.fill_(True)

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Returns `(scale, zero_point)` as float32 and int32 tensors; the name is torchao's."""
        grid = self.quantization()
        return torch.tensor(grid.scale), torch.tensor(grid.zero_point, dtype=torch.int32)

    def quantization(self) -> Quantization:
        """Returns the grid, as it is computed with and as it will be written into every file."""
        low = min(self.low.item(), 0.0)  # zero must be a code: padding needs it
        if self.bounds.floor is not None:
            low = max(low, self.bounds.floor)
        high = max(self.high.item(), 0.0) if self.bounds.high is None else min(self.high.item(), self.bounds.high)
        if self.bounds.is_symmetric:
            return Quantization(scale=float32(max(high, -low, SMALLEST_SPAN) / INT8_MAX), zero_point=0)
        span = max(high - low, SMALLEST_SPAN)
        scale = float32(span / LEVELS)
        zero_point = min(max(round(INT8_MIN - low / scale), INT8_MIN), INT8_MAX)
        return Quantization(scale=scale, zero_point=zero_point)

    @torch.no_grad()
    def _keep_bounds(self) -> None:
        """Brings ends that an optimizer moved too far back into their bounds."""
        self.low.clamp_(max=0.0)
        self.high.clamp_(min=0.0, max=self.bounds.high)


def weight_scales(weight: Tensor, limit: int = WEIGHT_LIMIT) -> Tensor:
    """Returns the scale per output channel, (O,): the largest magnitude becomes the code `limit`."""
    largest = weight.detach().abs().amax(dim=tuple(range(1, weight.ndim)))
    return largest.div_(limit).masked_fill_(largest == 0, 1.0)


def weight_codes(weight: Tensor, scales: Tensor, limit: int = WEIGHT_LIMIT) -> Tensor:
    """Returns `weight` (O, …) in steps of `scales` (O,), whole numbers up to `limit` in float32."""
    codes = weight.detach() / scales.reshape(-1, *[1] * (weight.ndim - 1))
    return codes.round_().clamp_(-limit, limit)


def fake_quantize_weight(weight: Tensor, scales: Tensor | None = None, limit: int = WEIGHT_LIMIT) -> Tensor:
    """Returns `weight` (O, …) on its integer grid, one scale per output channel: `weight_scales` if None.

    Scales that require gradients get LSQ's; otherwise every weight's gradient passes.
    """
    rounded: Tensor = _RoundedWeight.apply(weight, scales, limit)  # type: ignore[no-untyped-call]
    return rounded


class _RoundedWeight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, scales: Tensor | None, limit: int) -> Tensor:
        ctx.limit = limit
        if ctx.needs_input_grad[1]:
            ctx.save_for_backward(weight, scales)
        scales = weight_scales(weight, limit) if scales is None else scales
        return weight_codes(weight, scales, limit).mul_(scales.reshape(-1, *[1] * (weight.ndim - 1)))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None]:
        if ctx.needs_input_grad[1]:
            weight, scales = ctx.saved_tensors
            return *weight_gradients(weight, scales, gradient, ctx.limit), None
        return gradient, None, None
