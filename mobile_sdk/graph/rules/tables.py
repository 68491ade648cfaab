"""Holds the rules of both references by class of operator, and applies them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch.nn import functional as F

from mobile_sdk.graph.operator_table import NOT_IN_FLOAT32, NOT_IN_INT8, OperatorTable
from mobile_sdk.graph.operators import Clamp, Constant, Operator, Quantize

Step = Callable[..., torch.Tensor]
"""It computes an operator's output from its operands (N, *shape)."""

int8_rules: OperatorTable[Callable[[Any], Step]] = OperatorTable("the int8 reference", gaps=NOT_IN_INT8)
"""Each prepares an operator's constants and returns a function from centred codes to centred codes."""

float_rules: OperatorTable[Callable[..., torch.Tensor]] = OperatorTable(
    "the float32 reference",
    gaps={Quantize: "a float32 graph has no codes but the picture's", **NOT_IN_FLOAT32},
)
"""Each takes an operator and the values of its operands, including constants; the clamp comes after it."""

clamps: Mapping[Clamp, Callable[[torch.Tensor], torch.Tensor]] = {
    Clamp.NONE: lambda x: x,
    Clamp.RELU: F.relu,
    Clamp.RELU6: F.relu6,
}


def apply(operator: Operator, *operands: torch.Tensor) -> torch.Tensor:
    """Computes the operator on float32 values (N, *shape), int8 codes for Dequantize, with its clamp and constant.

    Raises CompileError for an operator without a rule.
    """
    constants = [torch.tensor(x.value, dtype=torch.float32) for x in operator.inputs if isinstance(x, Constant)]
    values = float_rules[operator](operator, *operands, *constants)
    return clamps[getattr(operator, "clamp", Clamp.NONE)](values)


def compile_operator(operator: Operator) -> Step:
    """Returns a function of the operator on its operands' centred codes, or on values if it has no codes.

    Raises CompileError for an operator without a rule.
    """
    is_float = all(tensor.quantization is None for tensor in (*operator.inputs, operator.output))
    return partial(apply, operator) if is_float else int8_rules[operator](operator)
