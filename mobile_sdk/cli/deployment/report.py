"""`mobile-sdk report` writes one page from verdicts and numbers."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.tables import show_table, show_text
from mobile_sdk.cli.terminal import quiet, show_json
from mobile_sdk.errors import SettingError
from mobile_sdk.workflow.output_paths import file_to_write

if TYPE_CHECKING:
    from mobile_sdk.benchmarking.measurements import Numbers
    from mobile_sdk.program.program import Program
    from mobile_sdk.report.data import PredictedLatency, Report


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """Names what a report shows."""

    bundles: Annotated[list[Path] | None, typer.Argument(metavar="BUNDLE…", help="Bundles to show.")] = None
    program: Annotated[
        Path | None, typer.Option("--program", metavar="FILE", help="program.pt2: curves, settings.")
    ] = None
    verdicts: Annotated[Path | None, typer.Option("--verify", metavar="FILE", help="verify.json of `verify`.")] = None
    numbers: Annotated[Path | None, typer.Option("--bench", metavar="FILE", help="bench.json of `bench`.")] = None
    predict: Annotated[
        str | None,
        typer.Option(
            "--predict", metavar="NAME|FILE", help="A device of `predict`: set its model beside what was measured."
        ),
    ] = None
    search: Annotated[
        Path | None, typer.Option("--search", metavar="FILE", help="search.json of `search`: how the net was found.")
    ] = None


def report(
    shown: InputOptions,
    redraw: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A report.json: draw its page again, from it alone.")
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline", metavar="FILE|DIR", help="Another run's report.json, or its folder: set both side by side."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The page; report.json goes beside it.")] = Path(
        "report.html"
    ),
    json: options.Json = False,
) -> None:
    """Write one self-contained HTML page and, beside it, report.json, the truth under it."""
    quiet()
    from mobile_sdk.benchmarking.measurements import read_numbers
    from mobile_sdk.bundle.bundle import open_bundle
    from mobile_sdk.program.program import Program
    from mobile_sdk.report.write import redraw_report, write_report
    from mobile_sdk.verification.verdict import read_verdicts
    from mobile_sdk.workflow.search.summary import read_summary

    if out.suffix == ".json":
        raise SettingError(f"expected a page such as report.html, found --out {out}", hint="name an .html file")
    file_to_write(out)
    if redraw is not None:
        if any(vars(shown).values()):
            raise SettingError("expected --from alone, found other inputs beside it", hint="leave the others out")
        written = redraw_report(redraw, out, baseline=baseline)
    else:
        loaded = Program.load(shown.program) if shown.program else None
        measured = read_numbers(shown.numbers) if shown.numbers else None
        written = write_report(
            out,
            read_verdicts(shown.verdicts) if shown.verdicts else (),
            measured,
            program=loaded,
            bundles=[open_bundle(path) for path in shown.bundles or ()],
            predicted=_predicted(loaded, measured, shown.predict) if shown.predict else (),
            search=read_summary(shown.search) if shown.search else None,
            baseline=baseline,
        )
    if json:
        show_json(written.model_dump(mode="json"))
    else:
        show_report(written)
        print(f"open in a browser: {out}")


def show_report(written: "Report") -> None:
    """Shows a row a bundle, and what failed, did not run, or makes a time doubtful."""
    from mobile_sdk.report.terminal import summary

    shown = summary(written)
    if shown.rows:
        print(f"{written.name}\n")
        show_table(shown.columns, shown.rows, numbers=shown.numbers)
    for remark in shown.remarks:
        show_text(remark)


def _predicted(program: "Program | None", numbers: "Numbers | None", device: str) -> "tuple[PredictedLatency, ...]":
    from mobile_sdk.report.sections.predicted import predicted_latencies

    if program is None or numbers is None:
        raise SettingError(
            "expected --program and --bench beside --predict, found them left out",
            hint="name the program whose bundles were measured, and the file of bench",
        )
    return predicted_latencies(program, numbers, device)
