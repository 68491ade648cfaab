"""Converts between codes and float32 values."""

import numpy as np
import torch

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Clamp, Dequantize, Quantize
from mobile_sdk.graph.rules.tables import Step, float_rules, int8_rules


@int8_rules.of(Dequantize)
def _dequantize(operator: Dequantize) -> Step:
    scale = arithmetic.quantization_of(operator.input).scale
    return lambda x: x * scale


@int8_rules.of(Quantize)
def _quantize(operator: Quantize) -> Step:
    """Converts as XNNPACK does: times the float32 inverse of the scale, ties to even."""
    grid = arithmetic.quantization_of(operator.output)
    inverse = float(np.float32(1) / np.float32(grid.scale))
    low, high = arithmetic.clamp_range(grid, Clamp.NONE)
    return lambda x: (x * inverse).round_().clamp_(low, high)


@float_rules.of(Dequantize)
def _values_of_codes(operator: Dequantize, codes: torch.Tensor) -> torch.Tensor:
    grid = arithmetic.quantization_of(operator.input)
    return (codes - grid.zero_point).to(torch.float32) * grid.scale
