"""This table holds LiteRT's writers by class of operator; requested.py imports the families that fill it."""

from collections.abc import Callable
from typing import Any

from mobile_sdk.graph.operator_table import OperatorTable
from mobile_sdk.runtimes.tflite.model_writer import ModelWriter

write: OperatorTable[Callable[[Any, ModelWriter], None]] = OperatorTable("LiteRT")
"""Each appends an operator, whose output is declared already, to the file."""
