"""Interpolates maps."""

import torch
from torch.nn import functional as F

from mobile_sdk.graph.interpolation import resized_codes
from mobile_sdk.graph.operators import ResizeBilinear
from mobile_sdk.graph.rules.tables import Step, float_rules, int8_rules


@int8_rules.of(ResizeBilinear)
def _resize_bilinear(operator: ResizeBilinear) -> Step:
    _, rows, columns = operator.output.shape
    return lambda x: resized_codes(x, (rows, columns), align_corners=operator.align_corners)


@float_rules.of(ResizeBilinear)
def _resized(operator: ResizeBilinear, x: torch.Tensor) -> torch.Tensor:
    """Returns the map at the output's size; a map of one pixel is repeated."""
    if operator.input.shape[1:] == (1, 1):
        return x.expand(-1, -1, *operator.output.shape[1:])
    return F.interpolate(x, size=operator.output.shape[1:], mode="bilinear", align_corners=operator.align_corners)
