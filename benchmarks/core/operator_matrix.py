"""Prints the matrix of operators that docs/adding.md shows: `python -m benchmarks.core.operator_matrix`."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from mobile_sdk import runtimes
from mobile_sdk.graph.operator_matrix import OperatorMatrix, operator_matrix
from mobile_sdk.graph.operator_table import OperatorTable
from mobile_sdk.graph.operators.traits import Family
from mobile_sdk.graph.rules import float_rules, int8_rules
from mobile_sdk.program.aten_writer import view


def matrix() -> OperatorMatrix:
    """Returns the matrix of both references, of the program file and of every runtime's tables."""
    tables = [table for name in runtimes.names() for table in runtime_tables(name)]
    return operator_matrix([int8_rules, float_rules, view, *tables])


def runtime_tables(name: str) -> list[OperatorTable[Any]]:
    """Returns the tables of `mobile_sdk.runtimes.<name>.operators.table`, filled by the modules of all families."""
    folder = f"mobile_sdk.runtimes.{name}.operators"
    for family in Family:
        if find_spec(f"{folder}.{family}"):
            import_module(f"{folder}.{family}")
    tables = vars(import_module(f"{folder}.table")).values()
    return [table for table in tables if isinstance(table, OperatorTable)]


if __name__ == "__main__":
    print(matrix().markdown(), end="")
