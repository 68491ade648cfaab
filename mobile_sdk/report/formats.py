"""Writes a report's numbers, outcomes and settings as words; the page's filters."""

import ast
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from markupsafe import Markup, escape

from mobile_sdk.comparison import Comparison as Distance
from mobile_sdk.report.data import Report

_SPOKEN = {"pass": "pass", "fail": "fail", "not_run": "not run"}
_LITERALS = ("{", "(", "[")


def filters(report: Report) -> dict[str, Any]:
    """Returns the filters by which the page's templates write numbers."""
    return {
        "by_count": _by_count,
        "code": _code,
        "date": date,
        "decibels": decibels,
        "mean_steps": _mean_steps,
        "mib": mib,
        "ms": partial(ms, decimals=ms_decimals(report)),
        "percent": percent,
        "plain_mib": _plain_mib,
        "setting": setting,
        "spoken": _SPOKEN.__getitem__,
        "sqnr": _sqnr,
        "steps": steps,
        "thousands": thousands,
    }


def percent(share: float, decimals: int = 2) -> str:
    """Returns a share, 0..1, in percent without the sign."""
    return f"{100 * share:.{decimals}f}"


def ms_decimals(report: Report) -> int:
    """Returns the decimals of every time in ms, one number a report to align columns: four for medians below 0.1 ms."""
    measurements = report.numbers.measurements if report.numbers else ()
    medians_ms = [each.summary.median_ms for each in measurements if each.summary]
    return 4 if medians_ms and min(medians_ms) < 0.1 else 3


def ms(value_ms: float, decimals: int) -> str:
    """Returns milliseconds without their unit."""
    return f"{value_ms:,.{decimals}f}"


def mib(size_bytes: int | None) -> str:
    """Returns a size in MiB without the unit; a dash if it is not known."""
    return "–" if size_bytes is None else f"{size_bytes / 2**20:,.3f}"


def steps(value: float) -> str:
    """Returns a distance in steps of a scale: whole, or of three digits."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3g}"


def decibels(value: float | None) -> str:
    """Returns a signal-to-noise ratio without its unit; words if there is no noise."""
    return "no noise" if value is None else f"{value:.1f}"


def thousands(value: int) -> str:
    """Returns a count with a comma after every thousand."""
    return f"{value:,}"


def date(text: str) -> str:
    """Returns a date of ISO 8601 as people write it."""
    return text.replace("T", " ").replace("+00:00", " UTC")


def setting(value: Any) -> str:
    """Returns a setting in words and numbers of three digits, however deep; earlier records held Python's repr."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, str):
        return setting(_parsed(value)) if value.startswith(_LITERALS) else value
    if isinstance(value, Mapping):
        rest = {name: inner for name, inner in value.items() if name not in ("kind", "name", "stage")}
        title = next((str(value[name]) for name in ("kind", "name", "stage") if name in value), "")
        inside = ", ".join(f"{name} {setting(inner)}" for name, inner in rest.items())
        return (f"{title}: {inside}" if title and inside else title or inside) or "its defaults"
    if isinstance(value, Sequence):
        is_nested = any(isinstance(inner, Mapping) for inner in value)
        return ("; " if is_nested else ", ").join(map(setting, value)) or "none"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _parsed(text: str) -> Any:
    """Returns the value that a Python literal stands for; other text in words of its own."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return f" {text}"
    return f" {text}" if isinstance(value, str) else value


def _by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _code(text: str) -> Markup:
    """Returns the text with what stands between backticks set as code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup().join(Markup("<code>{}</code>").format(each) if at % 2 else each for at, each in enumerate(parts))


def _plain_mib(size_mib: float | None) -> str:
    return "unknown" if size_mib is None else f"{size_mib:,.1f}"


def _mean_steps(value: float) -> str:
    return "0" if value == 0 else f"{value:.4f}" if value >= 1e-4 else f"{value:.1e}"


def _sqnr(distance: Distance) -> str:
    if distance.sqnr_db is not None:
        return f"{distance.sqnr_db:.1f}"
    return "equal" if distance.differing == 0 else "none"
