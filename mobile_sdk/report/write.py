"""Writes a report: `report.html` for people, and beside it `report.json`, from which it can be drawn again."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mobile_sdk.arguments import NOTHING, Parted, expect, expect_each, expect_path, held_out
from mobile_sdk.benchmarking.measurements import Numbers
from mobile_sdk.bundle.bundle import OPEN_IT, Bundle
from mobile_sdk.document import schema_number_of
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.preprocess import LabelledPictures
from mobile_sdk.program.program import LOAD_IT, Program
from mobile_sdk.report.baseline import baseline_of
from mobile_sdk.report.collect import collect
from mobile_sdk.report.data import SCHEMA, PredictedLatency, Report, Search
from mobile_sdk.report.earlier_report import upgraded
from mobile_sdk.report.page import render
from mobile_sdk.report.same_program import check_same_program
from mobile_sdk.system.atomic_files import write_text
from mobile_sdk.system.seal import read_sealed, write_sealed
from mobile_sdk.verification.verdict import Verdict

Layers = Sequence[tuple[str, str, float | None]]
"""For every tensor in the order of execution it has its name, its module's path, and its SQNR in dB (None: equal)."""


def write_report(
    path: str | os.PathLike[str],
    verdicts: Sequence[Verdict] = (),
    numbers: Numbers | None = None,
    *,
    program: Program | None = None,
    bundles: Sequence[Bundle] = (),
    layers: Layers = (),
    predicted: Sequence[PredictedLatency] = (),
    search: Search | None = None,
    commands: Sequence[str] = (),
    pictures: LabelledPictures | Parted | None = None,
    baseline: str | os.PathLike[str] | None = None,
) -> Report:
    """Writes the HTML file `path` and the JSON file of the same stem beside it, and returns the report.

    The page leaves out whatever is not given: golden pictures are those of `bundles`, curves and settings those of
    `program`; `predicted` is compared with what was measured, and `search` describes how the net was found. `commands`
    are shown as the way to reproduce everything. With the `pictures` that golden ones were chosen from, a segmenter's
    true masks are drawn too, and the images that int8 decides otherwise. `baseline` is another run's `report.json`, or
    its folder, whose figures are set beside these. Raises SettingError if there is nothing to report, DataError if
    something belongs to another program, or the baseline is no report.
    """
    expect_path("path", path)
    expect_each("verdicts", verdicts, Verdict)
    expect("numbers", numbers, Numbers, NOTHING)
    expect("program", program, Program, NOTHING, hint=LOAD_IT)
    expect_each("bundles", bundles, Bundle, hint=OPEN_IT)
    expect_each("commands", commands, str)
    if not (verdicts or numbers or program or bundles or search):
        raise SettingError("expected something to report, found nothing", hint="verify or measure a bundle first")
    if baseline is not None:
        expect_path("baseline", baseline)
    check_same_program(program, verdicts, numbers, bundles)
    earlier = None if baseline is None else baseline_of(read_report(baseline))
    given: dict[str, Any] = {"bundles": bundles, "layers": layers, "commands": commands}
    given["pictures"] = None if pictures is None else held_out(pictures)
    report = collect(verdicts, numbers, program=program, **given)
    report = report.model_copy(update={"predicted": tuple(predicted), "search": search, "baseline": earlier})
    page = Path(path)
    write_sealed(page.with_suffix(".json"), report.model_dump_json(indent=1))
    write_text(page, render(report))
    return report


def redraw_report(
    report_json: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    baseline: str | os.PathLike[str] | None = None,
) -> Report:
    """Draws the HTML file `path` from a `report.json` alone; raises DataError if that file is not one.

    With a `baseline`, another `report.json` or the folder of its run, the figures of both stand side by side.
    """
    report = read_report(report_json)
    if baseline is not None:
        report = report.model_copy(update={"baseline": baseline_of(read_report(baseline))})
    write_text(Path(path), render(report))
    return report


def read_report(report_json: str | os.PathLike[str]) -> Report:
    """Reads a `report.json`, or that in the folder of a run; raises DataError if it is something else."""
    source = Path(report_json)
    source = source / "report.json" if source.is_dir() else source
    try:
        data = read_sealed(source)
        schema = schema_number_of(data)
        if schema > SCHEMA:
            raise DataError(
                f"expected a report.json of schema_number {SCHEMA} or lower, found {schema}: a newer SDK wrote it",
                hint="update this SDK",
            )
        return Report.model_validate_json(upgraded(data) if schema == 1 else data)
    except OSError as error:
        raise DataError(
            f"expected a report at {source.name!r}, found {error.strerror}", hint="name a report.json"
        ) from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        raise DataError(
            f"expected a report.json, found in {where[:80]}: {problem['msg'][:200]}",
            hint="write the report again with this SDK",
        ) from error
