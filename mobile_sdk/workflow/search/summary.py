"""Summarizes a finished search, as a report shows it, and plots its candidates."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mobile_sdk.errors import DataError
from mobile_sdk.report.data import Search, SearchedNet
from mobile_sdk.report.plots.pareto_plot import save_pareto_plot
from mobile_sdk.workflow.run_files import PARETO_PLOTS
from mobile_sdk.workflow.search.settings import target_from
from qat.search.pareto import pareto_front
from qat.search.record import Milliseconds, SearchRecord, load_record
from qat.search.target import target_line


class _Asked(BaseModel):
    """Holds those settings of a search that a summary says."""

    model_config = ConfigDict(allow_inf_nan=False)

    method: str
    device: str
    target_ms: Milliseconds | None
    target_share: Annotated[float, Field(ge=1e-9, le=1e9)] | None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.target_ms is None) == (self.target_share is None):
            raise ValueError("one target is expected")
        return self


def summary_of(record: SearchRecord) -> Search:
    """Returns the report's summary of a finished search."""
    if record.result is None:
        raise DataError("expected a search that came to its end, found one on its way", hint="let it go on: search")
    asked, result = _asked(record), record.result
    nets = [
        SearchedNet(
            number=each.number,
            latency_ms=each.latency_ms,
            accuracy_share=each.accuracy_share or 0.0,
            change=each.change,
        )
        for each in record.candidates
    ]
    target_ms = target_from(asked.target_ms, asked.target_share, nets[0].latency_ms)
    again_ms = result.measured_again_ms
    return Search(
        method=asked.method,
        latencies=asked.device,
        target_ms=target_ms,
        candidates=tuple(nets),
        front=tuple(pareto_front([(each.latency_ms, each.accuracy_share) for each in nets])),
        taken=record.taken,
        accuracy_share=result.float_accuracy_share,
        pictures=result.pictures,
        measured_again_ms=again_ms,
        target_said=target_line(target_ms, nets[record.taken[-1]].latency_ms, nets=len(nets), again_ms=again_ms),
    )


def _asked(record: SearchRecord) -> _Asked:
    try:
        return _Asked.model_validate(record.settings)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        where = ".".join(map(str, found["loc"])) or "all"
        raise DataError(
            f"expected the settings of a search, found in {where}: {found['msg']}",
            hint="search anew: name another --out",
        ) from error


def read_summary(path: Path) -> Search:
    """Returns the summary of the finished search that `search.json` records."""
    return summary_of(load_record(path))


def save_plots(search: Search, out: Path) -> None:
    """Writes the Pareto plot of all candidates, as SVG and as PNG."""
    for name in PARETO_PLOTS:
        save_pareto_plot(search, out / name)
