"""Holds the writers of operators for Core ML; program_writer.py imports the families that fill the tables.

Between two `quantize` a value of an int8 operator is a centred code (`q - zero_point`), a sum of products of such, or
one of these in steps of the output. Before the factor from a sum to steps, every number is an integer that float32
holds, so no order of summation can change it; the factor rounds once, and `quantize` rounds that. The output's scale is
the only one in the file. Padding with 0.0 is padding with the zero point, and saturation to int8 happens in `quantize`.
The rules are those of mobile_sdk/graph/arithmetic.py. A float32 operator is MIL's own.
"""

from collections.abc import Callable
from typing import Any

from mobile_sdk.graph.operator_table import OperatorTable
from mobile_sdk.graph.operators import (
    Activation,
    AvgPool2d,
    DecodeBoxes,
    Dequantize,
    JoinRows,
    Normalize,
    Quantize,
    Rows,
    Softmax,
)
from mobile_sdk.runtimes.coreml.mil_writer import MilWriter

Write = Callable[[Any, MilWriter], Any]
"""It appends an operator's operations and returns the result for its output."""

int8: OperatorTable[Write] = OperatorTable(
    "Core ML, in int8,",
    gaps={
        Activation: "an int8 graph expresses it as Add, Mul and clamps",
        AvgPool2d: "in int8 a depthwise Conv2d has its place",
        DecodeBoxes: "its boxes are float32",
        Dequantize: "its output is float32",
        Softmax: "it is float32 in every graph",
        Normalize: "it is float32 in every graph",
    },
)
"""These write operators whose output is int8 codes."""
float32: OperatorTable[Write] = OperatorTable(
    "Core ML, in float32,",
    gaps={
        JoinRows: "strips are made of int8 tensors",
        Quantize: "its output is int8",
        Rows: "strips are made of int8 tensors",
    },
)
"""These write operators whose output is float32: of the twin, of layers kept in float32, of boxes."""
