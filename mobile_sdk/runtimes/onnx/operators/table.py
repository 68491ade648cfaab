"""Holds the writers of operators for ONNX; requested.py imports the families that fill the tables.

Where ONNX Runtime's int8 kernel rounds as the reference does for all codes, an operator is written as QDQ and becomes
that kernel. Any other one is spelled in float32, or float64, with whole numbers that it holds, so that no order of
summation and no fused operation changes a code.
"""

from collections.abc import Callable
from typing import Any

from mobile_sdk.graph.operator_table import GIVES_CODES, GIVES_NO_CODES, NOT_IN_FLOAT32, NOT_IN_INT8, OperatorTable
from mobile_sdk.runtimes.onnx.writer import OnnxWriter

Write = Callable[[Any, OnnxWriter], None]
"""It appends an operator's nodes, the last of which gives its output."""

int8: OperatorTable[Write] = OperatorTable("ONNX, in int8,", gaps={**NOT_IN_INT8, **GIVES_NO_CODES})
"""These write operators whose output is int8 codes."""
float32: OperatorTable[Write] = OperatorTable("ONNX, in float32,", gaps={**NOT_IN_FLOAT32, **GIVES_CODES})
"""These write operators whose output is float32: of the twin, of layers kept in float32, of boxes."""
