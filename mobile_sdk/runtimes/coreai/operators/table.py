"""Holds the writers of operators for Core AI; requested.py imports the families that fill the tables.

A sum of an int8 operator is a whole number that float32 holds, so no order of summation can change it. `quantize`
divides it by a number that is proved to give the reference's codes (`graph/settled_factors.py`): Apple's compiler folds
a factor behind a convolution into its weights, which are then no integers, but no divisor. Where no such number exists,
a factor stands behind a rounding that changes nothing, over which none folds. The rules are those of
graph/arithmetic.py.
"""

from collections.abc import Callable
from typing import Any

from mobile_sdk.graph.operator_table import GIVES_CODES, GIVES_NO_CODES, NOT_IN_FLOAT32, NOT_IN_INT8, OperatorTable
from mobile_sdk.runtimes.coreai.writer import CoreAIWriter

Write = Callable[[Any, CoreAIWriter], None]
"""It appends an operator's operations and says which result its output is."""

int8: OperatorTable[Write] = OperatorTable("Core AI, in int8,", gaps={**NOT_IN_INT8, **GIVES_NO_CODES})
"""These write operators whose output is int8 codes."""
float32: OperatorTable[Write] = OperatorTable("Core AI, in float32,", gaps={**NOT_IN_FLOAT32, **GIVES_CODES})
"""These write operators whose output is float32: of the twin, of layers kept in float32, of boxes."""
