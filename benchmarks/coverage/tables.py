"""Counts what became of the nets: by family, and by what is refused."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.judging.verdict import EXACT, FAILED, ISLAND, TAKEN

Rows = Sequence[dict[str, Any]]


def by_family(rows: Rows) -> list[dict[str, Any]]:
    """Returns a row a family, and one for all: how many nets it has, how many are taken, and how."""
    families = dict.fromkeys(row["family"] for row in rows)
    return [*(_counted(family, [row for row in rows if row["family"] == family]) for family in families), _total(rows)]


def refusals(rows: Rows) -> str:
    """Returns what is refused, one line a kind: in how many nets, and how many it alone blocks; then the failures."""
    named = Counter(reason for row in rows for reason in set(row["reasons"]))
    alone = Counter(row["reasons"][0] for row in rows if len(set(row["reasons"])) == 1)
    order = sorted(named, key=lambda reason: (-alone[reason], -named[reason]))
    lines = [f"{alone[reason]:4} alone {named[reason]:4} in all  {reason}" for reason in order]
    failed = [f"failed: {row['net']}: {row['reasons'][0]}" for row in rows if row["result"] == FAILED]
    return "\n".join([*lines, *failed])


def _total(rows: Rows) -> dict[str, Any]:
    return _counted("all", rows)


def _counted(family: str, rows: Rows) -> dict[str, Any]:
    results = Counter(row["result"] for row in rows)
    reasons = Counter(reason for row in rows for reason in set(row["reasons"]))
    return {
        "family": family,
        "nets": len(rows),
        "taken": results[EXACT] + results[ISLAND] + results[TAKEN],
        "exact": results[EXACT],
        "with float32 inside": results[ISLAND],
        "failed": results[FAILED],
        "reasons": "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(3)),
    }
