"""Makes and orders the lines on the quality of every way to compute a net."""

from collections.abc import Iterable, Iterator, Sequence

from mobile_sdk.program.record import Record
from mobile_sdk.report.data import QualityLine
from mobile_sdk.verification.verdict import Verdict

FLOAT_NET = "float32 net"
_FIRST = (FLOAT_NET, "int8 reference")


def quality_lines(record: Record | None, verdicts: Sequence[Verdict], titles: Sequence[str]) -> Iterator[QualityLine]:
    """Yields the float net and the reference, by the record or else by the verdicts, then every runtime.

    `titles` are the verdicts'.
    """
    recorded = zip(_FIRST, (record.float_quality, record.reference_quality), strict=True) if record else ()
    found = [
        pair
        for verdict, title in zip(verdicts, titles, strict=True)
        for pair in ((_reference_of(verdict), verdict.reference_quality), (title, verdict.quality))
    ]
    return _in_order(QualityLine(computed_by=name, quality=quality) for name, quality in (*recorded, *found) if quality)


def _reference_of(verdict: Verdict) -> str:
    """Returns the name of the line that a verdict's bundle is compared with."""
    return _FIRST[0] if verdict.precision == "float32" else _FIRST[1]


def _in_order(lines: Iterable[QualityLine]) -> Iterator[QualityLine]:
    """Yields the first line of each way: the float net, the reference, then every runtime."""
    found: dict[str, QualityLine] = {}
    for line in lines:
        found.setdefault(line.computed_by, line)
    yield from (found[name] for name in _FIRST if name in found)
    yield from (line for name, line in found.items() if name not in _FIRST)
