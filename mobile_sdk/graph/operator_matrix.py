"""The matrix of operators: a row a class of operators, a column a table of rules, and a reason in every gap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mobile_sdk.graph.operator_table import OperatorTable
from mobile_sdk.graph.operators import OPERATORS, Operator
from mobile_sdk.graph.operators.traits import Strips


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


def operator_matrix(tables: Sequence[OperatorTable[Any]]) -> OperatorMatrix:
    """Returns the matrix of these tables, and of what strips of rows execute; every operator states its work."""
    columns = {
        table.name: {kind: None if kind in table.entries else table.gaps.get(kind, "") for kind in OPERATORS}
        for table in tables
    }
    strips = {kind: kind.traits.strips.value if kind.traits.strips is Strips.NEVER else None for kind in OPERATORS}
    return OperatorMatrix(gaps={**columns, "strips": strips})
