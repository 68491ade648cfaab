"""Holds the writers of operators for LiteRT; requested.py imports the families that fill the table."""

from collections.abc import Callable
from typing import Any

from mobile_sdk.graph.operator_table import OperatorTable
from mobile_sdk.runtimes.tflite.model_writer import ModelWriter

write: OperatorTable[Callable[[Any, ModelWriter], None]] = OperatorTable("LiteRT")
"""Each appends an operator, whose output is declared already, to the file."""
