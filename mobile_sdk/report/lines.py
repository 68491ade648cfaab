"""The order of lines that say what everybody computed."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from mobile_sdk.report.data import AccuracyLine, OverlapLine, PrecisionLine
from mobile_sdk.verification.verdict import Verdict

Line = TypeVar("Line", AccuracyLine, OverlapLine, PrecisionLine)

_FIRST = ("float32 net", "int8 reference")


def reference_of(verdict: Verdict) -> str:
    """What the line is called that a verdict's bundle is held against."""
    return _FIRST[0] if verdict.precision == "float32" else _FIRST[1]


def in_order(lines: Iterable[Line]) -> Iterator[Line]:
    """The first line of each who computes: the float net, the reference, then every runtime."""
    found: dict[str, Line] = {}
    for line in lines:
        found.setdefault(line.computed_by, line)
    yield from (found[name] for name in _FIRST if name in found)
    yield from (line for name, line in found.items() if name not in _FIRST)
