"""Measures the noise that quantization adds: differences from the float net, relative to its values, in power."""

import torch
from torch import Tensor

SMALL = 2.0**-20  # values below it are told apart in units of their own: their squares would leave float32


def noise_share(found: Tensor, wanted: Tensor) -> Tensor:
    """Returns the power of `found - wanted` over that of `wanted`, a scalar with gradients."""
    found, wanted = _squarable(found, wanted)
    return (found - wanted).square().sum() / wanted.square().sum().clamp(min=1e-30)


def sqnr_db(found: Tensor, wanted: Tensor) -> float:
    """Returns the inverse of `noise_share` in decibels, summed in float64 and finite for equal tensors as well."""
    found, wanted = _squarable(found.double(), wanted.double())
    noise, signal = (found - wanted).square().sum(), wanted.square().sum()
    return float(10 * torch.log10(signal.clamp(min=1e-30) / noise.clamp(min=1e-30)))


def _squarable(found: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    largest = wanted.abs().max()
    return (found / largest, wanted / largest) if 0 < largest < SMALL else (found, wanted)
