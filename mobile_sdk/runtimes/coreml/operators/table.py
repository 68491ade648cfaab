"""Holds the writers of operators for Core ML; program_writer.py imports the families that fill the tables.

Between two `quantize` a value of an int8 operator is a centred code (`q - zero_point`), a sum of products of such, or
one of these in steps of the output. Every sum is an integer that float32 holds, so no order of summation can change it.
`quantize` divides a sum and rounds, by a number that is proved to give the reference's codes, or a factor comes before
it. Of the graph's scales the file holds the output's alone. Padding with 0.0 is padding with the zero point, and
saturation to int8 happens in `quantize`. The rules are those of mobile_sdk/graph/arithmetic.py. A float32 operator is
MIL's own.

In the form for the Neural Engine every operator is MIL's own on real values, float16, and a `quantize` and `dequantize`
follow where the graph has codes: the writers of float32 operators write it, through another `MilWriter`.
"""

from collections.abc import Callable
from typing import Any

from mobile_sdk.graph.operator_table import GIVES_CODES, GIVES_NO_CODES, NOT_IN_FLOAT32, NOT_IN_INT8, OperatorTable
from mobile_sdk.graph.operators import Operator
from mobile_sdk.runtimes.coreml.mil_writer import MilWriter

Write = Callable[[Any, MilWriter], Any]
"""It appends an operator's operations and returns the result for its output."""

int8: OperatorTable[Write] = OperatorTable("Core ML, in int8,", gaps={**NOT_IN_INT8, **GIVES_NO_CODES})
"""These write operators whose output is int8 codes."""
float32: OperatorTable[Write] = OperatorTable("Core ML, in float32,", gaps={**NOT_IN_FLOAT32, **GIVES_CODES})
"""These write operators whose output is float32: of the twin, of layers kept in float32, of boxes."""
float16: OperatorTable[Write] = OperatorTable("Core ML, in float16,")
"""These write every operator for the Neural Engine, by a `HalfWriter`."""


def of_real_values(*kinds: type[Operator]) -> Callable[[Write], Write]:
    """Decorates the writer of these classes on real values: float32, and float16."""

    def register(write: Write) -> Write:
        return float32.of(*kinds)(float16.of(*kinds)(write))

    return register
