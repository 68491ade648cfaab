"""Orders the checks of all bundles: those that failed, then those that did not run, then the others."""

from collections.abc import Iterator
from dataclasses import dataclass

from mobile_sdk.report.data import BundleLine, Check, Report

_ORDER = ("fail", "not_run", "pass")


@dataclass(frozen=True, kw_only=True)
class CheckRow:
    """Holds the checks of one name, one for each bundle; None for a bundle that it does not apply to."""

    name: str
    checks: tuple[Check | None, ...]

    @property
    def worst(self) -> int:
        """Returns the place of the row's worst outcome among fail, not run and pass."""
        return min(_ORDER.index(check.outcome) for check in self.checks if check)


@dataclass(frozen=True, kw_only=True)
class Open:
    """Holds a check that failed or did not run, with the title of its bundle."""

    bundle: str
    check: Check


def checked_bundles(report: Report) -> list[BundleLine]:
    """Returns the bundles that were checked."""
    return [line for line in report.bundles if line.checks]


def check_rows(report: Report) -> list[CheckRow]:
    """Returns one row a check name, the worst first, equal ones in the order of first appearance."""
    bundles = checked_bundles(report)
    names = dict.fromkeys(check.name for bundle in bundles for check in bundle.checks)
    rows = [CheckRow(name=name, checks=tuple(_find(bundle, name) for bundle in bundles)) for name in names]
    return sorted(rows, key=lambda row: row.worst)


def open_checks(report: Report) -> list[Open]:
    """Returns every check that did not pass, the failed ones first."""
    return sorted(_open(report), key=lambda each: _ORDER.index(each.check.outcome))


def tally(report: Report) -> str:
    """Returns a sentence that counts the checks and the budgets."""
    outcomes = report.outcomes
    if not outcomes:
        return "No check belongs to this report."
    failed = outcomes.count("fail")
    text = f"{outcomes.count('pass')} of {len(outcomes)} checks passed"
    return text + (f", {failed} failed." if failed else ".")


def _find(bundle: BundleLine, name: str) -> Check | None:
    return next((check for check in bundle.checks if check.name == name), None)


def _open(report: Report) -> Iterator[Open]:
    for line in report.bundles:
        yield from (Open(bundle=line.title, check=check) for check in line.checks if check.outcome != "pass")
