"""Collects the results of the other rooms into a `Report`."""

import base64
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from mobile_sdk.benchmarking.measurements import Numbers
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.golden.files import sample_file, saved_sample
from mobile_sdk.contract import ImageSpec, NetInput, Task, TensorSpec
from mobile_sdk.preprocess import LabelledPictures
from mobile_sdk.program.program import Program
from mobile_sdk.report.data import BundleLine, Check, GoldenPicture, Layer, Report
from mobile_sdk.report.plots.heat_map import heat_map
from mobile_sdk.report.quality_lines import quality_lines
from mobile_sdk.report.sections.decisions import changed_pictures
from mobile_sdk.report.sections.golden import Golden
from mobile_sdk.report.sections.tasks import SECTIONS
from mobile_sdk.system.environment import describe_environment
from mobile_sdk.tasks.registry import TASKS
from mobile_sdk.verification.verdict import Verdict


def collect(
    verdicts: Sequence[Verdict],
    numbers: Numbers | None,
    *,
    program: Program | None,
    bundles: Sequence[Bundle],
    layers: Sequence[tuple[str, str, float | None]],
    commands: Sequence[str],
    pictures: LabelledPictures | None = None,
) -> Report:
    """Returns everything that is known, as one report."""
    contract = program.contract if program else bundles[0].manifest.contract if bundles else None
    verified = {verdict.bundle for verdict in verdicts}
    lines = [_verified_line(verdict, bundles) for verdict in verdicts]
    lines += [_line(bundle) for bundle in bundles if bundle.path.name not in verified]
    titles = [_title(each, bundles) for each in verdicts]
    return Report(
        name=contract.name if contract else _name(verdicts, numbers),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        program_sha256=program.digest() if program else next((each.program_sha256 for each in verdicts), None),
        labels=len(contract.labels) if contract else None,
        label_names=program.contract.labels if program and _tells_labels(program) else (),
        **(_read_by(contract.input) if contract else {}),
        record=program.record if program else None,
        task=contract.task if contract else _task(verdicts),
        qualities=tuple(quality_lines(program.record if program else None, verdicts, titles)),
        bundles=tuple(lines),
        layers=tuple(Layer(tensor=tensor, module=module, sqnr_db=sqnr_db) for tensor, module, sqnr_db in layers),
        golden=tuple(_golden_pictures(verdicts, titles, bundles, pictures)),
        changed=tuple(changed_pictures(program.record, program.contract.input, pictures)) if program else (),
        numbers=numbers,
        environment=numbers.environment if numbers else describe_environment(_versions(verdicts)),
        commands=tuple(commands),
    )


def _read_by(spec: NetInput) -> dict[str, Any]:
    """Returns the report's fields that say what a net reads: the side of square RGB pictures, or words."""
    if isinstance(spec, TensorSpec):
        return {"input": f"{spec}, {spec.scale:.6g} × (code - {spec.zero_point})"}
    return {"size_px": spec.size_px} if spec.is_square_rgb else {"input": str(spec)}


def _tells_labels(program: Program) -> bool:
    both = (program.record.float_quality, program.record.reference_quality)
    return program.record.decisions is not None or any(each and each.by_class for each in both)


def _task(verdicts: Sequence[Verdict]) -> Task:
    """Returns the task whose measure the verdicts report; any task, if they report none."""
    measures = {verdict.quality.measure for verdict in verdicts if verdict.quality}
    return next((name for name, task in TASKS.items() if task.measure in measures), "classification")


def _name(verdicts: Sequence[Verdict], numbers: Numbers | None) -> str:
    names = [verdict.name for verdict in verdicts]
    names += [measurement.name for measurement in numbers.measurements] if numbers else []
    return ", ".join(dict.fromkeys(names)) or "report"


def _verified_line(verdict: Verdict, bundles: Sequence[Bundle]) -> BundleLine:
    limits_kib = {bundle.path.name: bundle.manifest.activation_limit_kib for bundle in bundles}
    return BundleLine(
        title=_title(verdict, bundles),
        bundle=verdict.bundle,
        runtime=verdict.runtime,
        precision=verdict.precision,
        model_bytes=verdict.model_bytes,
        activation_limit_kib=limits_kib.get(verdict.bundle),
        outcome=verdict.status,
        checks=tuple(Check(name=each.name, outcome=each.outcome, found=each.found) for each in verdict.checks),
        distance=verdict.comparison,
        anatomy=verdict.structure,
    )


def _title(verdict: Verdict, bundles: Sequence[Bundle]) -> str:
    """Returns the bundle's folder, with the runtime and the device if they are not the bundle's own and the host."""
    own = {bundle.path.name: bundle.manifest.runtime for bundle in bundles}
    title = verdict.bundle
    if verdict.runtime != own.get(verdict.bundle, verdict.runtime):
        title += f" in {verdict.runtime}"
    return title if verdict.device == "host" else f"{title} on {verdict.device}"


def _line(bundle: Bundle) -> BundleLine:
    return BundleLine(
        title=bundle.path.name,
        bundle=bundle.path.name,
        runtime=bundle.manifest.runtime,
        precision=bundle.manifest.precision,
        model_bytes=bundle.model_bytes,
        activation_limit_kib=bundle.manifest.activation_limit_kib,
        anatomy=bundle.manifest.structure,
    )


def _golden_pictures(
    verdicts: Sequence[Verdict], titles: Sequence[str], bundles: Sequence[Bundle], pictures: LabelledPictures | None
) -> Iterator[GoldenPicture]:
    """Yields the first bundle's pictures, the reference's expectation, and every runtime's result."""
    if not bundles:
        return
    first = bundles[0]
    for index in range(len(first.manifest.golden.pictures)):
        file = first.path / "golden" / f"{index}.{sample_file(first.manifest.input)}"
        is_picture = isinstance(first.manifest.input, ImageSpec)
        png = file.read_bytes() if is_picture else heat_map(saved_sample(first.path, first.manifest.input, index))
        yield GoldenPicture(
            png_base64=base64.b64encode(png).decode(),
            title=f"golden/{file.name}",
            label=_label(first, index, verdicts),
            answers=tuple(
                SECTIONS[first.manifest.task].answers(
                    Golden(index=index, bundles=bundles, verdicts=verdicts, titles=titles, pictures=pictures)
                )
            ),
        )


def _label(bundle: Bundle, index: int, verdicts: Sequence[Verdict]) -> str | None:
    """Returns the true label of a golden picture, if a verdict was given that picture with its label."""
    own = [each.golden[index].label_index for each in verdicts if each.bundle == bundle.path.name and each.golden]
    return next((bundle.manifest.labels[label] for label in own if label is not None), None)


def _versions(verdicts: Sequence[Verdict]) -> dict[str, str]:
    return {package: version for verdict in verdicts for package, version in verdict.versions.items()}
