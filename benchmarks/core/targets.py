"""Compares stock and ours for a benchmark: the figure that counts, and the bound that it must keep."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

COUNTED = "off published by, share"
"""A count is compared with a paper's in these words."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Holds one row of the table that `python -m benchmarks` writes.

    `figure` is compared with `bound`, and `judged` names it in words: "ours / stock", "ours − stock", "ours", … `stock`
    is None if there is nothing to compare with; `limit` says, from a profile, why a bound is out of reach.
    """

    work: str
    unit: str  # of stock and ours: "ms", "dB", "% top-1", "MiB"
    stock: float | None
    ours: float
    judged: str
    figure: float
    bound: float
    sense: Literal["at most", "at least"]
    limit: str = ""

    @classmethod
    def ratio(cls, work: str, unit: str, *, stock: float, ours: float, at_most: float, limit: str = "") -> "Target":
        """Sets a bound: `ours / stock` is at most so much."""
        judged = {"judged": "ours / stock", "figure": ours / stock, "bound": at_most, "sense": "at most"}
        return cls(work=work, unit=unit, stock=stock, ours=ours, limit=limit, **judged)  # type: ignore[arg-type]

    @classmethod
    def gain(cls, work: str, unit: str, *, stock: float, ours: float, at_least: float, limit: str = "") -> "Target":
        """Sets a bound: `ours − stock` is at least so much."""
        judged = {"judged": "ours − stock", "figure": round(ours - stock, 9), "bound": at_least, "sense": "at least"}
        return cls(work=work, unit=unit, stock=stock, ours=ours, limit=limit, **judged)  # type: ignore[arg-type]

    @classmethod
    def count(cls, work: str, unit: str, *, published: float, ours: float, limit: str = "") -> "Target":
        """Sets a bound: a count is the published one within 2 %."""
        judged = {"judged": COUNTED, "figure": abs(ours / published - 1), "bound": 0.02, "sense": "at most"}
        return cls(work=work, unit=unit, stock=published, ours=ours, limit=limit, **judged)  # type: ignore[arg-type]

    @classmethod
    def most(cls, work: str, unit: str, *, ours: float, at_most: float) -> "Target":
        """Sets a bound: a figure is at most so much, without a stock."""
        judged = {"judged": "ours", "figure": ours, "bound": at_most, "sense": "at most"}
        return cls(work=work, unit=unit, stock=None, ours=ours, **judged)  # type: ignore[arg-type]

    @property
    def is_met(self) -> bool:
        """Tells whether the figure, unrounded, keeps its bound."""
        return self.figure <= self.bound if self.sense == "at most" else self.figure >= self.bound

    def row(self) -> dict[str, Any]:
        """Returns the row of the results file: numbers rounded to four significant digits, `met` of the exact ones."""
        numbers = {key: _rounded(value) for key, value in asdict(self).items()}
        return {**numbers, "met": self.is_met}


def table_row(target: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a results file's target as a row of the Markdown table."""
    unit = target["unit"]
    sign = "≤" if target["sense"] == "at most" else "≥"
    return {
        "work": target["work"],
        "stock": "–" if target["stock"] is None else f"{target['stock']:g} {unit}",
        "ours": f"{target['ours']:g} {unit}",
        "judged": target["judged"],
        "figure": f"{target['figure']:g}",
        "target": f"{sign} {target['bound']:g}",
        "met": "yes" if target["met"] else "**no**",
    }


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value
