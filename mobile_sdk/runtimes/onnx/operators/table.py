"""Holds the writers of operators for ONNX; requested.py imports the families that fill the tables.

Where ONNX Runtime's int8 kernel rounds as the reference does for all codes, an operator is written as QDQ and becomes
that kernel. Any other one is spelled in float32, or float64, with whole numbers that it holds, so that no order of
summation and no fused operation changes a code.
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
from mobile_sdk.runtimes.onnx.writer import OnnxWriter

Write = Callable[[Any, OnnxWriter], None]
"""It appends an operator's nodes, the last of which gives its output."""

int8: OperatorTable[Write] = OperatorTable(
    "ONNX, in int8,",
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
    "ONNX, in float32,",
    gaps={
        JoinRows: "strips are made of int8 tensors",
        Quantize: "its output is int8",
        Rows: "strips are made of int8 tensors",
    },
)
"""These write operators whose output is float32: of the twin, of layers kept in float32, of boxes."""
