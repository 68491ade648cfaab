"""`mobile-sdk verify` checks that a bundle computes what was evaluated."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_sdk import runtimes
from mobile_sdk.cli import options
from mobile_sdk.cli.blocks import fields_of
from mobile_sdk.cli.deployment.compute_units import choose_compute_units
from mobile_sdk.cli.tables import show_text
from mobile_sdk.cli.terminal import WORDS, is_verbose, progress, quiet, show_json
from mobile_sdk.errors import MachineError, SdkError
from mobile_sdk.workflow.output_paths import file_to_write
from mobile_sdk.workflow.run_files import TWIN
from qat.progress import say

if TYPE_CHECKING:
    from mobile_sdk.bundle.bundle import Bundle
    from mobile_sdk.preprocess import LabelledPictures
    from mobile_sdk.program.program import Program
    from mobile_sdk.verification.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class DemandOptions:
    """Says what a bundle must reach, and who must have signed it."""

    min_accuracy: Annotated[
        float | None,
        typer.Option("--min-accuracy", metavar="SHARE", min=0, max=1, help="Least accuracy, 0..1, that passes."),
    ] = None
    key: options.Key = None


@dataclass(frozen=True, kw_only=True)
class VerdictOptions:
    """Says where the verdicts go, and how they are shown."""

    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the verdicts go.")] = Path("verify.json")
    json: options.Json = False


@dataclass(frozen=True, kw_only=True)
class PlaceOptions:
    """Says where, and in which runtime, the bundles run."""

    device: options.Device = "host"
    compute: options.Compute = None
    runtime: Annotated[
        str | None,
        typer.Option(
            "--runtime", metavar="NAME", help=f"Another runtime that reads the model: {', '.join(runtimes.readers())}."
        ),
    ] = None


def verify(
    context: typer.Context,
    bundles: options.Bundles,
    program: options.Program,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Labelled pictures, or 'digits', as `train` reads them. Without them the files are checked, the model "
            "among them, and no score.",
        ),
    ] = None,
    *,
    demand: DemandOptions,
    place: PlaceOptions,
    bisect: Annotated[
        bool, typer.Option("--bisect", help="Where scores differ, find the first operator that does.")
    ] = False,
    result: VerdictOptions,
) -> None:
    """Check signature, files, structure, numbers, golden pictures and accuracy; exit 1 when a check fails."""
    quiet()
    if data is None:
        options.check_unread(context, "without --data", "min_accuracy", "bisect", "device")
    from mobile_sdk.bundle.bundle import open_bundle
    from mobile_sdk.devices import open_device
    from mobile_sdk.devices.model_process import MODELS
    from mobile_sdk.signing.keys import read_public_key

    choose_compute_units(place.compute, place.device)
    open_device(place.device)
    if demand.key is not None:
        read_public_key(demand.key)  # before anything long begins
    opened = [open_bundle(path) for path in bundles]
    runtime = None if place.runtime is None else runtimes.called(place.runtime)
    if place.device == "host":
        MODELS.prepare(*(bundle.read_by(runtime or bundle.manifest.runtime) for bundle in opened))
    from mobile_sdk.program.viewed_program import load_with_view
    from mobile_sdk.verification.verdict import write_verdicts
    from mobile_sdk.verification.verification import verify as verify_bundle
    from mobile_sdk.workflow.tasks import held_out_of

    loaded = load_with_view(program)
    twin_file = program.parent / TWIN
    sources = [source_of(bundle, loaded, twin_file) for bundle in opened]
    twins = [_twin_of(bundle, source, runtime, twin_file) for bundle, source in zip(opened, sources, strict=True)]
    pictures = None if data is None else held_out_of(sources[0].contract, data)
    file_to_write(result.out)
    verdicts = []
    for bundle, source, twin in zip(opened, sources, twins, strict=True):
        with progress("verify") as report:
            settings = {**fields_of(demand, place), "runtime": runtime}
            settings.pop("compute")
            verdicts.append(verify_bundle(bundle, source, pictures, **settings, twin=twin, progress=report))
    write_verdicts(verdicts, result.out)
    triples = zip(opened, sources, verdicts, strict=True)
    culprits = [_bisect(bundle, source, pictures, verdict) for bundle, source, verdict in triples] if bisect else []
    if result.json:
        dumps = [verdict.model_dump(mode="json") for verdict in verdicts]
        show_json(
            [dump | {"bisection": culprit} for dump, culprit in zip(dumps, culprits, strict=True)] if bisect else dumps
        )
    else:
        show_verdicts(verdicts)
        for verdict, culprit in zip(verdicts, culprits, strict=False):
            show_text(f"{verdict.bundle}: {culprit['said']}")
    if any(verdict.status == "fail" for verdict in verdicts):
        raise typer.Exit(1)
    if data is not None:
        _check_scores_came(verdicts)


def source_of(bundle: "Bundle", program: "Program", twin: Path) -> "Program":
    """Returns what a bundle is held against: the program, or for a float32 bundle the float32 twin, if it is there."""
    from mobile_sdk.program.viewed_program import load_with_view

    is_other = bundle.manifest.precision == "float32" and program.graph.precision != "float32"
    return load_with_view(twin) if is_other and twin.is_file() else program


def _twin_of(bundle: "Bundle", program: "Program", runtime: str | None, twin: Path) -> "Program | None":
    """Returns the float32 twin, if the bundle is judged by its distance from that and the file is there."""
    from mobile_sdk.program.viewed_program import load_with_view

    requirement = bundle.read_by(runtime or bundle.manifest.runtime).requirement(program.graph)
    return load_with_view(twin) if requirement.is_by_float and twin.is_file() else None


def show_verdicts(verdicts: "list[Verdict]") -> None:
    """Shows what failed or did not run, with --verbose every check, and a line a bundle."""
    for verdict in verdicts:
        for check in verdict.checks:
            if is_verbose() or check.outcome != "pass":
                show_text(f"{verdict.bundle}: {WORDS[check.outcome]}: {check.name}: {check.found}")
    for verdict in verdicts:
        show_text(f"{verdict.bundle}: {WORDS[verdict.status]} on {verdict.pictures} pictures{_measured(verdict)}")


def _measured(verdict: "Verdict") -> str:
    """Returns the distance from the program, the quality, and how many checks passed."""
    found, quality = verdict.comparison, verdict.quality
    passed = sum(check.outcome == "pass" for check in verdict.checks)
    said = [f"{passed} of {len(verdict.checks)} checks passed"]
    if quality is not None:
        said.insert(0, f"{quality.measure} {quality.value:.2%}")
    if found is not None and verdict.precision == "int8":
        said.insert(0, f"{found.max_steps:g} steps from the program")
    return "".join(f", {each}" for each in said)


def _check_scores_came(verdicts: "list[Verdict]") -> None:
    """Raises MachineError for a verdict that is open though there were pictures; the verdicts are written by then."""
    for verdict in verdicts:
        if verdict.status == "not_run":
            reason = next(check.found for check in verdict.checks if check.outcome == "not_run")
            raise MachineError(
                f"expected a verdict on {verdict.bundle} from {verdict.device}, found that it did not run: {reason}",
                hint="verify where the runtime is installed and the device answers",
            )


def _bisect(
    bundle: "Bundle", program: "Program", pictures: "LabelledPictures | None", verdict: "Verdict"
) -> dict[str, Any]:
    """Returns the first operator that differs, on the first picture whose scores do, or why there is none."""
    from mobile_sdk.verification.bisection import bisect

    if pictures is None or verdict.comparison is None or verdict.comparison.is_exact:
        return {"said": "nothing to bisect"}
    try:
        for picture, _ in pictures:
            if found := bisect(bundle, program, picture, progress=say):
                said = (
                    f"the first operator that differs is {found.operator} at {found.path} (tensor {found.tensor}): "
                    f"{found.differing} of {found.elements} elements, up to {found.max_steps} steps"
                )
                return {"said": said, **found.model_dump(mode="json")}
    except SdkError as error:
        return {"said": f"no operator is to blame: {error.message}"}
    return {"said": "no picture's scores differ on this machine"}
