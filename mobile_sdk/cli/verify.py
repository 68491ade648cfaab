"""`mobile-sdk verify`: does a bundle compute what was evaluated?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.terminal import progress, quiet, say, show_json, show_table

if TYPE_CHECKING:
    from mobile_sdk.bundle import Bundle
    from mobile_sdk.program import Program
    from mobile_sdk.verdict import Verdict
    from qat.picture_set import PictureSet

WORDS = {"pass": "pass", "fail": "FAIL", "not_run": "not run"}


def verify(
    bundles: options.Bundles,
    program: options.Program,
    data: options.Data,
    min_accuracy: Annotated[
        float | None, typer.Option("--min-accuracy", metavar="SHARE", help="Least accuracy, 0..1, that passes.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="host, or emulated:cortex-a76.")] = "host",
    runtime: Annotated[
        str | None, typer.Option("--runtime", help="Another runtime that reads the model, such as tflite-runtime.")
    ] = None,
    bisect: Annotated[
        bool, typer.Option("--bisect", help="Where scores differ, find the first operator that does.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the verdicts go.")] = Path("verify.json"),
    json: options.Json = False,
) -> None:
    """Check files, structure, numbers, golden pictures and accuracy; exit 1 when a check fails."""
    quiet()
    from mobile_sdk.bundle import open_bundle
    from mobile_sdk.program import Program
    from mobile_sdk.verdict import write_verdicts
    from mobile_sdk.verification import verify as verify_bundle

    loaded = Program.load(program)
    opened = [open_bundle(path) for path in bundles]
    pictures = options.load_pictures(data).validation
    verdicts = []
    for bundle in opened:
        with progress(f"verify {bundle.path.name}") as report:
            verdict = verify_bundle(
                bundle,
                loaded,
                pictures,
                min_accuracy=min_accuracy,
                device=device,
                runtime=runtime,
                progress=report,
            )
        verdicts.append(verdict)
    write_verdicts(verdicts, out)
    if json:
        show_json([verdict.model_dump(mode="json") for verdict in verdicts])
    else:
        show_verdicts(verdicts)
    if bisect:
        for bundle, verdict in zip(opened, verdicts, strict=True):
            _bisect(bundle, loaded, pictures, verdict)
    if any(verdict.status == "fail" for verdict in verdicts):
        raise typer.Exit(1)


def show_verdicts(verdicts: "list[Verdict]") -> None:
    """Every check of every bundle, one a line."""
    rows = [
        (verdict.bundle, WORDS[check.outcome], check.name, check.found)
        for verdict in verdicts
        for check in verdict.checks
    ]
    show_table(("bundle", "outcome", "check", "found"), rows)
    for verdict in verdicts:
        print(f"{verdict.bundle}: {WORDS[verdict.status]} on {verdict.pictures} pictures")


def _bisect(bundle: "Bundle", program: "Program", pictures: "PictureSet", verdict: "Verdict") -> None:
    """Looks for the first operator that differs, on the first picture whose scores do."""
    from mobile_sdk.bisection import bisect

    if verdict.comparison is None or verdict.comparison.is_exact or verdict.runtime == "coreml":
        say(f"{bundle.path.name}: nothing to bisect")
        return
    for picture, _ in pictures:
        found = bisect(bundle, program, picture, progress=say)
        if found is not None:
            print(f"{bundle.path.name}: the first operator that differs is {found.operator} at {found.path} "
                  f"(tensor {found.tensor}): {found.differing} of {found.elements} elements, up to {found.max_steps} steps")  # fmt: skip
            return
