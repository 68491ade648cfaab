"""Measures the noise that quantization adds: differences from the float net, relative to its values, in power.

Of several outputs every one counts alike, whatever its size and unit: the mean of their shares of noise.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Outputs = Tensor | Sequence[Tensor]
BATCH = 8  # pictures that are computed at a time
SMALL = 2.0**-20  # values below it are told apart in units of their own: their squares would leave float32


def noise_share(found: Outputs, wanted: Outputs) -> Tensor:
    """Returns the power of `found - wanted` over that of `wanted`, a scalar with gradients."""
    shares = [_share(*pair) for pair in zip(outputs_of(found), outputs_of(wanted), strict=True)]
    return torch.stack(shares).mean() if len(shares) > 1 else shares[0]


def sqnr_db(found: Outputs, wanted: Outputs) -> float:
    """Returns the inverse of `noise_share` in decibels, summed in float64 and finite for equal tensors as well."""
    powers = [_powers(*pair) for pair in zip(outputs_of(found), outputs_of(wanted), strict=True)]
    ratios = torch.stack([noise.clamp(min=1e-30) / signal.clamp(min=1e-30) for noise, signal in powers])
    return float(-10 * torch.log10(ratios.mean()))


def outputs_of(result: Outputs) -> tuple[Tensor, ...]:
    """Returns the outputs that a captured net returned: a tensor, or a tuple of several."""
    return (result,) if isinstance(result, Tensor) else tuple(result)


@torch.no_grad()
def computed(net: Callable[[Tensor], Outputs], inputs: Tensor) -> tuple[Tensor, ...]:
    """Returns the outputs of `net` for all float `inputs` (N, …), a few at a time."""
    parts = [outputs_of(net(inputs[start : start + BATCH])) for start in range(0, len(inputs), BATCH)]
    return tuple(torch.cat(each) for each in zip(*parts, strict=True))


def _share(found: Tensor, wanted: Tensor) -> Tensor:
    found, wanted = _squarable(found, wanted)
    return (found - wanted).square().sum() / wanted.square().sum().clamp(min=1e-30)


def _powers(found: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    found, wanted = _squarable(found.double(), wanted.double())
    return (found - wanted).square().sum(), wanted.square().sum()


def _squarable(found: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    largest = wanted.abs().max()
    return (found / largest, wanted / largest) if 0 < largest < SMALL else (found, wanted)
