"""Defines the operators that the phone executes, as frozen data, with one scale and one zero point a tensor.

Everything that leaves this SDK is read off a `Graph`: the exporters copy its numbers and compute none. A graph is int8
throughout, or float32 throughout but for its input (the twin that is exported for comparison), or mixed: int8 with some
layers kept in float32 between a Dequantize and a Quantize. An operator is float32 if its output is.

Layouts are PyTorch's: activations `(C, H, W)` or `(C,)` without the batch, weights `(O, I/groups, KH, KW)` or `(O, I)`.
"""

from mobile_sdk.graph.operators.base import Operator
from mobile_sdk.graph.operators.boxes import DecodeBoxes
from mobile_sdk.graph.operators.channels import (
    ChannelShuffle,
    ChannelSlice,
    Concat,
    JoinRows,
    Pad,
    Rearrange,
    Reshape,
    Rows,
)
from mobile_sdk.graph.operators.conv import (
    Conv2d,
    ConvTranspose2d,
    Linear,
    Weighted,
    can_have_four_bits,
    four_bits_fit,
    sum_limit,
    weight_limit,
)
from mobile_sdk.graph.operators.conversions import ConstantTensor, Dequantize, Quantize
from mobile_sdk.graph.operators.elementwise import Activation, Add, Mul, Sub, UnaryFunction
from mobile_sdk.graph.operators.graph import Graph, Head, Precision
from mobile_sdk.graph.operators.pooling import AvgPool2d, MaxPool2d, Mean, Pool2d
from mobile_sdk.graph.operators.resize import ResizeBilinear
from mobile_sdk.graph.operators.tensors import (
    INT8_MAX,
    INT8_MIN,
    INT32_MAX,
    TENSOR_INPUT,
    ActivationKind,
    Clamp,
    Constant,
    Function,
    Quantization,
    Tensor,
)
from mobile_sdk.graph.operators.tokens import MatMul, Normalize, Softmax

OPERATORS: tuple[type[Operator], ...] = (
    Conv2d,
    ConvTranspose2d,
    Linear,
    Add,
    Sub,
    Mul,
    Activation,
    UnaryFunction,
    Mean,
    MaxPool2d,
    AvgPool2d,
    Concat,
    ChannelSlice,
    ChannelShuffle,
    Reshape,
    Rearrange,
    Pad,
    Rows,
    JoinRows,
    ResizeBilinear,
    Dequantize,
    Quantize,
    DecodeBoxes,
    MatMul,
    Softmax,
    Normalize,
    ConstantTensor,
)
"""A graph holds these operators and no others."""

__all__ = [
    "INT8_MAX",
    "INT8_MIN",
    "INT32_MAX",
    "OPERATORS",
    "TENSOR_INPUT",
    "Activation",
    "ActivationKind",
    "Add",
    "AvgPool2d",
    "ChannelShuffle",
    "ChannelSlice",
    "Clamp",
    "Concat",
    "Constant",
    "ConstantTensor",
    "Conv2d",
    "ConvTranspose2d",
    "DecodeBoxes",
    "Dequantize",
    "Function",
    "Graph",
    "Head",
    "JoinRows",
    "Linear",
    "MatMul",
    "MaxPool2d",
    "Mean",
    "Mul",
    "Normalize",
    "Operator",
    "Pad",
    "Pool2d",
    "Precision",
    "Quantization",
    "Quantize",
    "Rearrange",
    "Reshape",
    "ResizeBilinear",
    "Rows",
    "Softmax",
    "Sub",
    "Tensor",
    "UnaryFunction",
    "Weighted",
    "can_have_four_bits",
    "four_bits_fit",
    "sum_limit",
    "weight_limit",
]
