"""Reads published latencies of papers and projects as samples; `data/published_rows.csv` names the source of each."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import cast

from mobile_sdk.latency.cross_validation import validated_models
from mobile_sdk.latency.fit import Sample
from mobile_sdk.latency.model import LatencyModel, Precision, Setup
from mobile_sdk.latency.work import AMOUNTS, Work

_FAMILY = re.compile(r"mobilenet_[a-z0-9]+|[a-z]+")


@dataclass(frozen=True, kw_only=True)
class PublishedNet:
    """Names the net of a row, as `qat.nets.build_net` builds it; `hidden` is None for its default.

    A net that cannot be built has a row only to be left out.
    """

    name: str
    width: float
    hidden: int | None
    size_px: int

    @property
    def family(self) -> str:
        """Returns mobilenet_v3 for the small, the large and the minimalistic ones, and mobileone for all of those."""
        found = _FAMILY.match(self.name)
        return found.group() if found else self.name

    @property
    def title(self) -> str:
        """Returns one word for the net with its settings."""
        return f"{self.name}-{self.width:g}-{self.size_px}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """Holds one published latency. `left_out` says why the fit does not use it, and is empty if it does."""

    setup: Setup
    net: PublishedNet
    latency_ms: float
    source: str
    left_out: str


@cache
def published_rows() -> tuple[Row, ...]:
    """Returns every row, including those that are left out."""
    return tuple(_row(line) for line in _lines("published_rows.csv"))


@cache
def published_samples() -> tuple[Sample, ...]:
    """Returns the rows that models are fitted to, each with the work of its net."""
    work = {(line["net"], line["precision"]): _work(line) for line in _lines("published_work.csv")}
    return tuple(
        Sample(
            setup=row.setup,
            net=row.net.title,
            family=row.net.family,
            work=work[row.net.title, row.setup.precision],
            latency_ms=row.latency_ms,
        )
        for row in published_rows()
        if not row.left_out
    )


@cache
def published_models() -> tuple[LatencyModel, ...]:
    """Returns a cross-validated model for every setup that has rows; the fit runs here, in about a second."""
    return tuple(validated_models(published_samples()).values())


def _lines(name: str) -> Iterator[dict[str, str]]:
    with resources.files("mobile_sdk.latency").joinpath("data", name).open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _row(line: dict[str, str]) -> Row:
    return Row(
        setup=Setup(
            device=line["device"],
            runtime=line["runtime"],
            precision=cast(Precision, line["precision"]),
            threads=int(line["threads"]),
        ),
        net=PublishedNet(
            name=line["net"],
            width=float(line["width"]),
            hidden=int(line["hidden"]) if line["hidden"] else None,
            size_px=int(line["size_px"]),
        ),
        latency_ms=float(line["latency_ms"]),
        source=line["source"],
        left_out=line["left_out"],
    )


def _work(line: dict[str, str]) -> Work:
    return Work(**{name: float(line[name]) for name in AMOUNTS})
