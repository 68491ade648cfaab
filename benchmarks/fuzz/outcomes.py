"""Counts what became of inputs, in one table: a row for each kind of input and change, a column for each outcome."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

REFUSED, EQUAL, ANOTHER = "refused, or a check fails", "accepted, equal", "accepted, another valid statement"
EXCEPTION, DEATH, HANG, WRONG = "other exception", "death", "hang", "wrong"
GOOD, BAD = (REFUSED, EQUAL, ANOTHER), (EXCEPTION, DEATH, HANG, WRONG)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Holds what became of the input `index`; `found` is the error in a line, or empty."""

    index: int
    kind: str
    change: str
    outcome: str
    found: str = ""


@dataclass
class Table:
    """Holds the counts so far."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Counts one input."""
        self.counts[outcome.kind, outcome.change, outcome.outcome] += 1

    def total(self, outcomes: Iterable[str] = (*GOOD, *BAD)) -> int:
        """Returns the number of inputs with one of these outcomes."""
        wanted = frozenset(outcomes)
        return sum(count for (_, _, outcome), count in self.counts.items() if outcome in wanted)

    def rows(self) -> list[dict[str, Any]]:
        """Returns the table, in the order of kinds' names, and a last row with the sums."""
        pairs = sorted({(kind, change) for kind, change, _ in self.counts})
        rows = [self._row(kind, change) for kind, change in pairs]
        return [
            *rows,
            {
                "input": "all",
                "change": "",
                "inputs": self.total(),
                **{each: self.total((each,)) for each in (*GOOD, *BAD)},
            },
        ]

    def _row(self, kind: str, change: str) -> dict[str, Any]:
        found = {outcome: self.counts[kind, change, outcome] for outcome in (*GOOD, *BAD)}
        return {"input": kind, "change": change, "inputs": sum(found.values()), **found}
