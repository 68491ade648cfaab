"""Interpolates maps."""

import torch
from torch.nn import functional as F

from mobile_sdk.graph.operators import ResizeBilinear
from mobile_sdk.graph.rules.tables import Step, float_rules, int8_rules


@int8_rules.of(ResizeBilinear)
def _resize_bilinear(operator: ResizeBilinear) -> Step:
    """Interpolates as XNNPACK does: its 11-bit weights are exact.

    It adds half a step and shifts (`src/s8-ibilinear`).
    """
    return lambda x: (_resized(operator, x) + 0.5).floor_()


@float_rules.of(ResizeBilinear)
def _resized(operator: ResizeBilinear, x: torch.Tensor) -> torch.Tensor:
    """Returns the map at the output's size: exact if `x` holds centred codes; a map of one pixel is repeated."""
    if operator.input.shape[1:] == (1, 1):
        return x.expand(-1, -1, *operator.output.shape[1:])
    return F.interpolate(x, size=operator.output.shape[1:], mode="bilinear", align_corners=False)
