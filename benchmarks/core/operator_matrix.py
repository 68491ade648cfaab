"""Prints the matrix of operators that docs/project/adding.md shows: `python -m benchmarks.core.operator_matrix`.

It has a row for each class of operators, a column for each table of rules, and a reason in every gap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from mobile_sdk import runtimes
from mobile_sdk.graph.operator_table import OperatorTable
from mobile_sdk.graph.operators import OPERATORS, Operator
from mobile_sdk.graph.operators.traits import Family, Strips
from mobile_sdk.graph.rules import float_rules, int8_rules
from mobile_sdk.program.aten.view import view


@dataclass(frozen=True, kw_only=True)
class OperatorMatrix:
    """Holds the reason of every gap, by column and class; None where the column has the operator.

    An empty reason is a gap that nobody has explained.
    """

    gaps: Mapping[str, Mapping[type[Operator], str | None]]

    def unexplained(self) -> list[tuple[str, str]]:
        """Returns column and operator of every gap without a reason."""
        return [(column, kind.__name__) for column, gaps in self.gaps.items() for kind in OPERATORS if gaps[kind] == ""]

    def markdown(self) -> str:
        """Returns the table in Markdown, its gaps numbered and explained below."""
        reasons = list(dict.fromkeys(gap for gaps in self.gaps.values() for gap in gaps.values() if gap is not None))
        head = ["operator", "family", "work", *(column.rstrip(",") for column in self.gaps)]
        rows = [head, ["---"] * len(head), *(self._row(kind, reasons) for kind in OPERATORS)]
        notes = [f"{number}. {reason}" for number, reason in enumerate(reasons, start=1)]
        return "\n".join(["| " + " | ".join(row) + " |" for row in rows] + ["", *notes]) + "\n"

    def _row(self, kind: type[Operator], reasons: Sequence[str]) -> list[str]:
        gaps = [each[kind] for each in self.gaps.values()]
        cells = ["✓" if gap is None else f"– {reasons.index(gap) + 1}" for gap in gaps]
        return [kind.__name__, kind.traits.family, kind.traits.work, *cells]


def _matrix_of(tables: Sequence[OperatorTable[Any]]) -> OperatorMatrix:
    """Returns the matrix of these tables, with a last column for strips of rows."""
    columns = {
        table.name: {kind: None if kind in table.entries else table.gaps.get(kind, "") for kind in OPERATORS}
        for table in tables
    }
    strips = {kind: kind.traits.strips.value if kind.traits.strips is Strips.NEVER else None for kind in OPERATORS}
    return OperatorMatrix(gaps={**columns, "strips": strips})


def matrix() -> OperatorMatrix:
    """Returns the matrix of both references, of the program file and of every runtime's tables."""
    tables = [table for name in runtimes.names() for table in runtime_tables(name)]
    return _matrix_of([int8_rules, float_rules, view, *tables])


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
