"""Holds the writers of operators for ExecuTorch; delegate.py imports the families that fill the table."""

from collections.abc import Callable
from typing import Any

from mobile_sdk.graph.operator_table import OperatorTable
from mobile_sdk.runtimes.executorch.node_writer import NodeWriter

write: OperatorTable[Callable[[Any, NodeWriter, list[int], int], None]] = OperatorTable("XNNPACK")
"""Each appends an operator's nodes; it takes the ids of the operands and of the output, which are declared already."""
