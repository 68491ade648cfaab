"""Gives the values of tensors that no picture changes, once for the whole batch."""

import torch

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import ConstantTensor
from mobile_sdk.graph.rules.tables import Step, float_rules, int8_rules


@int8_rules.of(ConstantTensor)
def _codes(operator: ConstantTensor) -> Step:
    zero_point = arithmetic.quantization_of(operator.output).zero_point
    centred = torch.from_numpy(operator.values).to(torch.float32).sub_(zero_point)[None]
    return lambda: centred


@float_rules.of(ConstantTensor)
def _values(operator: ConstantTensor) -> torch.Tensor:
    return torch.from_numpy(operator.values)[None]
