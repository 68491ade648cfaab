"""No field of a manifest is believed: each has a named check, and each, changed and sealed again, is found by it."""

import json
import shutil
import typing
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.bundle.manifest import Manifest, StructureEntry
from mobile_sdk.bundle.manifest_file import MANIFEST_FILE, BundleRefusalError
from mobile_sdk.errors import BundleError
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from mobile_sdk.runtimes.base import FLOAT_SHARE
from mobile_sdk.verification.manifest_checks import CHECKED_ELSEWHERE, CLAIMS, claim_of, manifest_checks
from mobile_sdk.verification.verdict import Verdict
from mobile_sdk.verification.verification import verify
from tests.support import bundles
from tests.support.fixtures import damage
from tests.support.fixtures.damage import Content, content_of, resealed
from tests.support.nets.other_inputs import program_for
from tests.support.operators import several_outputs
from tests.support.written_here import WRITTEN_HERE

SCHEMAS = Path(damage.__file__).parent / "schemas"
KINDS = ("tflite", "float tflite", "executorch", "coreml", "detector", "grey", "spectrogram", "three outputs")


def leaf_fields(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every field of a document that holds no document itself, with its path; entries of lists have the list's."""
    for name, field in model.model_fields.items():
        inside = [each for each in types_in(field.annotation) if issubclass(each, BaseModel)]
        for each in inside:
            yield from leaf_fields(each, f"{prefix}{name}.")
        if not inside:
            yield f"{prefix}{name}"


def types_in(annotation: Any) -> list[type]:
    parts = typing.get_args(annotation)
    if typing.get_origin(annotation) is None:
        return [annotation] if isinstance(annotation, type) else []
    return [each for part in parts for each in types_in(part)]


LEAVES = tuple(dict.fromkeys(leaf_fields(Manifest)))
OTHERS: dict[str, Any] = {
    "schema_number": 2,
    "task": "segmentation",
    "labels": lambda labels: [*labels[1:], "another"],
    "inputs.kind": lambda kind: "tensor" if kind == "image" else "image",
    "inputs.channels": 3,
    "inputs.scale": lambda scale: float(np.nextafter(np.float32(scale), np.float32(1))),
    "inputs.fit": lambda fit: "stretch" if fit == "crop" else "crop",
    "inputs.crop_share": lambda share: float(np.nextafter(share, 0)),
    "inputs.mean_byte": lambda mean: [*mean[:-1], float(np.nextafter(mean[-1], 0))],
    "inputs.resize": "nearest",
    "inputs.tensor.dtype": lambda dtype: "float32" if dtype != "float32" else "int8",
    "inputs.tensor.layout": lambda layout: "NCHW" if layout == "NHWC" else "NHWC",
    "outputs.dtype": lambda dtype: "float32" if dtype == "int8" else "int8",
    "outputs.scale": lambda scale: float(np.nextafter(np.float32(scale), np.float32(1))) if scale else 0.5,
    "outputs.activation": "softmax",
    "runtime": lambda runtime: "executorch" if runtime == "tflite" else "tflite",
    "processors": lambda processors: [*processors, "abacus"],
    "precision": lambda precision: "mixed",
    "model": "model.other",
    "quantization.method": lambda method: "calibrated" if method != "calibrated" else "qat",
    "quality.measure": "success",
    "quality.float32.value": lambda value: value / 2,
    "quality.int8_reference.value": lambda value: value / 2,
    "structure.not_delegated": [["CONV_2D", "nobody knows"]],
    "structure.int8_weight_share": lambda share: 0.5,
    "golden.source": lambda source: "generated" if source == "given" else "given",
    "golden.tolerance": lambda tolerance: tolerance / 2 if tolerance else 1e-9,
    "golden.tolerances": lambda tolerances: [1e-9, *tolerances[1:]],
    "detection.score_threshold": lambda share: share / 2,
    "detection.iou_threshold": lambda share: share / 2,
    "files.sha256": lambda digest: digest[::-1],
}
"""Another value of a field that is valid by itself, where none follows from its type."""


REFUSED_FIRST: dict[str, tuple[str, ...]] = {
    "task": ("fields", "files"),
    "labels": ("fields",),
    "detection.score_threshold": ("golden",),
    "detection.iou_threshold": ("golden",),
    "inputs.kind": ("fields",),
    "inputs.size_px": ("interface",),
    "inputs.channels": ("fields",),
    "inputs.shape": ("interface",),
    "inputs.scale": ("golden", "golden pictures"),
    "inputs.zero_point": ("golden",),
    "inputs.fit": ("golden",),
    "inputs.resize": ("fields",),
    "inputs.tensor.dtype": ("golden",),
    "outputs.activation": ("fields",),
    "outputs.scale": ("interface",),
    "outputs.zero_point": ("interface",),
    "golden.tolerance": ("interface",),
    "golden.tolerances": ("interface",),
    "golden.pictures.top1_index": ("golden",),
    "golden.pictures.input_sha256": ("golden",),
    "files.bytes": ("size",),
    "files.sha256": ("hash",),
}
"""Fields that the bundle itself contradicts, so that opening it refuses another value, with the check that does."""


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Bundle, Program, StructureEntry]]:
    folder = tmp_path_factory.mktemp("kinds")
    found = {kind: bundles.lowered(folder, kind) for kind in WRITTEN_HERE}
    found["float tflite"] = bundles.lowered(folder, "tflite", int8=False)
    programs = {kind: bundles.program(int8=bundle.manifest.precision != "float32") for kind, bundle in found.items()}
    with zipfile.ZipFile(SCHEMAS / "schema_1.zip") as file:
        file.extractall(folder, [name for name in file.namelist() if name.startswith("detection.")])
    shutil.copyfile(SCHEMAS / "detection-3.json", folder / "detection.tflite" / MANIFEST_FILE)
    found["detector"], programs["detector"] = (
        open_bundle(folder / "detection.tflite"),
        Program.load(folder / "detection.pt2"),
    )
    programs |= {kind: program_for(kind) for kind in ("grey", "spectrogram")}
    programs["three outputs"] = Program(
        graph=several_outputs.several_outputs(),
        contract=several_outputs.CONTRACT,
        record=Record(net="three", quantized="calibrated"),
    )
    for kind in ("grey", "spectrogram", "three outputs"):
        (found[kind],) = lower(programs[kind], folder / kind, runtimes="tflite", progress=False)
    return {kind: (bundle, programs[kind], structure_of(bundle)) for kind, bundle in found.items()}


def structure_of(bundle: Bundle) -> StructureEntry:
    return StructureEntry.of(runtimes.get(bundle.manifest.runtime).structure(bundle.model_path))


def copied(bundle: Bundle, folder: Path) -> Path:
    return Path(shutil.copytree(bundle.path, folder / bundle.path.name))


def place_of(content: Content, field: str) -> tuple[Any, Any] | None:
    """Where the first value of a field is: an object or a list, and the key in it."""
    place: tuple[Any, Any] = ({"": content}, "")
    for name in field.split("."):
        inside = place[0][place[1]]
        inside = inside[0] if isinstance(inside, list) else inside
        if inside is None or name not in inside:
            return None
        place = (inside, name)
    return place


def other(value: Any) -> Any:
    """Another value of the same type."""
    match value:
        case None:
            return 1
        case str():
            return ("0" if value[0] != "0" else "1") + value[1:]
        case int() | float():
            return value + 1
        case dict():
            return {**value, "another": 1}
        case list():
            return [other(value[0]), *value[1:]]
    raise AssertionError(value)


def found_in(bundle: Bundle, program: Program, structure: StructureEntry) -> set[str]:
    return {check.name for check in manifest_checks(bundle, program, structure) if check.outcome == "fail"}


def refused_or_found(folder: Path, program: Program, structure: StructureEntry) -> set[str]:
    """The check that refuses a bundle on opening, or those that fail."""
    try:
        return found_in(open_bundle(folder), program, structure)
    except BundleRefusalError as refusal:
        return {refusal.check}


# Every field


def test_every_field_of_the_schema_has_a_check() -> None:
    assert len(LEAVES) > 40 and {"labels", "golden.pictures.top1_index", "structure.operators"} <= set(LEAVES)
    unchecked = [field for field in LEAVES if claim_of(field) is None and field.split(".")[0] not in CHECKED_ELSEWHERE]
    assert unchecked == []


def test_a_field_that_nobody_checks_would_be_found() -> None:
    class Boastful(Manifest):
        claim: str

    fields = set(leaf_fields(Boastful)) - set(LEAVES)
    assert fields == {"claim"} and claim_of("claim") is None and "claim" not in CHECKED_ELSEWHERE


def test_every_check_is_of_fields_that_there_are() -> None:
    fields = [field for claim in CLAIMS for field in claim.fields]
    assert len(fields) == len(set(fields))
    for field in [*fields, *CHECKED_ELSEWHERE]:
        assert any(leaf == field or leaf.startswith(f"{field}.") for leaf in LEAVES), field


@pytest.mark.parametrize("kind", KINDS)
def test_what_exporting_wrote_is_what_the_checks_expect(
    kind: str, kinds: dict[str, tuple[Bundle, Program, StructureEntry]]
) -> None:
    bundle, program, structure = kinds[kind]
    checks = manifest_checks(bundle, program, structure)
    assert [check.name for check in checks] == [claim.check for claim in CLAIMS]
    assert {(check.outcome, check.measured) for check in checks} == {("pass", "equal")}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", [leaf for leaf in LEAVES if leaf not in ("activation_limit_kib", "form", "licence")])
def test_any_field_that_is_changed_and_sealed_again_is_refused_or_found_by_its_check(
    kind: str, field: str, kinds: dict[str, tuple[Bundle, Program, StructureEntry]], tmp_path: Path
) -> None:
    bundle, program, structure = kinds[kind]
    content = content_of(bundle.path)
    place = place_of(content, field)
    if place is None:
        assert any(place_of(content_of(other.path), field) for other, _, _ in kinds.values())
        return
    holder, name = place
    change = OTHERS.get(field, other)
    holder[name] = change(holder[name]) if callable(change) else change
    folder = copied(bundle, tmp_path)
    if field == "manifest_sha256":
        (folder / MANIFEST_FILE).write_text(json.dumps(content), encoding="utf-8")
    else:
        bundles.reseal(folder, content)
    found = refused_or_found(folder, program, structure)
    claim = claim_of(field)
    expected = claim.check if claim else CHECKED_ELSEWHERE[field.split(".")[0]]
    assert found and found <= {expected, *REFUSED_FIRST.get(field, ())}


# The review's forgeries, by hand


def verdict_of(folder: Path, program: Program | None = None) -> Verdict:
    return verify(open_bundle(folder), program or bundles.program(), bundles.pictures()[:8], progress=False)


def failed(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if check.outcome == "fail"}


FORGERIES: dict[str, tuple[str, Callable[[Content], Any]]] = {
    "an accuracy of all of a milliard": (
        "quality",
        lambda content: content["quality"].update(int8_reference={"value": 1.0, "images": 10**9}),
    ),
    "no accuracy": ("quality", lambda content: content["quality"].update(float32=None)),
    "quantization by nothing": ("quantization", lambda content: content["quantization"].update(method="float32")),
    "four bits": (
        "quantization",
        lambda content: content["quantization"]["weight_bits"].update(
            {next(iter(content["quantization"]["weight_bits"])): 4}
        ),
    ),
    "no layers": ("quantization", lambda content: content["quantization"].update(weight_bits={}, activation_bits={})),
    "twelve partitions": ("structure", lambda content: content["structure"].update(partitions=12)),
    "an operator outside": (
        "structure",
        lambda content: content["structure"].update(not_delegated=[["CONV_2D", "no reason"]]),
    ),
    "another name of the output": ("interface", lambda content: content["outputs"][0].update(name="answer")),
    "another name of the input": ("interface", lambda content: content["inputs"][0]["tensor"].update(name="image")),
    "processors that it has not": ("processors", lambda content: content.update(processors=["cpu", "npu"])),
    "golden outputs by somebody": ("golden pictures", lambda content: content["golden"].update(expected_by="apple")),
    "golden pictures called made up": (
        "golden pictures",
        lambda content: content["golden"].update(source="generated"),
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_claim_that_is_forged_by_hand_fails_by_the_name_of_its_check(folder: Path, name: str) -> None:
    check, forgery = FORGERIES[name]
    resealed(folder, forgery)
    verdict = verdict_of(folder)
    assert check in failed(verdict) <= {check, "steps apart"} and verdict.status == "fail"


@pytest.mark.parametrize("runtime", WRITTEN_HERE)
def test_every_runtimes_verdict_holds_the_checks_of_the_manifest(
    runtime: str, kinds: dict[str, tuple[Bundle, Program, StructureEntry]], tmp_path: Path
) -> None:
    folder = copied(kinds[runtime][0], tmp_path)
    resealed(folder, lambda content: content["quality"].update(measure="mean IoU"))
    verdict = verdict_of(folder)
    assert failed(verdict) == {"quality"}
    assert {claim.check for claim in CLAIMS} <= {check.name for check in verdict.checks}


def test_made_up_golden_pictures_called_given_are_found(tmp_path: Path) -> None:
    folder = lower(bundles.program(), tmp_path, runtimes="tflite", progress=False)[0].path
    assert "golden pictures" not in failed(verdict_of(folder))
    resealed(folder, lambda content: content["golden"].update(source="given"))
    assert failed(verdict_of(folder)) == {"golden pictures"}


@pytest.mark.parametrize("kind", ["float tflite", "coreml"])
def test_a_golden_tolerance_that_is_larger_is_refused_and_one_that_is_smaller_is_found(
    kind: str, kinds: dict[str, tuple[Bundle, Program, StructureEntry]], tmp_path: Path
) -> None:
    bundle, program, structure = kinds[kind]
    folder = copied(bundle, tmp_path)
    tolerance = bundle.manifest.golden.tolerance
    resealed(folder, lambda content: content["golden"].update(tolerance=1e9))
    with pytest.raises(BundleError, match="golden: expected a tolerance of at most"):
        open_bundle(folder)
    resealed(folder, lambda content: content["golden"].update(tolerance=tolerance / 2))
    assert found_in(open_bundle(folder), program, structure) == {"golden tolerance"}


@pytest.mark.parametrize("answer", [1e6, -1e6, 30.0])
def test_made_up_golden_answers_are_found_though_their_tolerance_fits_them(
    answer: float, kinds: dict[str, tuple[Bundle, Program, StructureEntry]], tmp_path: Path
) -> None:
    bundle, program, _ = kinds["float tflite"]
    folder = copied(bundle, tmp_path)
    scores = [bundle.golden_output(index).copy() for index in range(3)]
    for index, each in enumerate(scores):
        each[bundle.manifest.golden.pictures[index].top1_index if answer > 0 else int(each.argmin())] = answer
    files = {f"golden/{index}__output__bin": each.astype("<f4").tobytes() for index, each in enumerate(scores)}
    tolerance = FLOAT_SHARE * max(1.0, float(np.abs(scores).max()))
    bundles.forge(folder, lambda content: content["golden"].update(tolerance=tolerance), **files)
    assert "golden" in failed(verdict_of(folder, program))
    generous = {"tolerance": max(1e9, tolerance)}
    resealed(folder, lambda content: content["golden"].update(generous))
    with pytest.raises(BundleRefusalError, match="tolerance"):
        open_bundle(folder)


@pytest.mark.parametrize(
    ("field", "forgery"),
    [
        ("versions", lambda content: content.update(versions={"mobile-sdk": "9.9"})),
        ("golden.pictures.0.label_index", lambda content: content["golden"]["pictures"][0].update(label_index=3)),
    ],
)
def test_what_nobody_can_check_is_an_unknown_field(folder: Path, field: str, forgery: Callable[[Content], Any]) -> None:
    resealed(folder, forgery)
    with pytest.raises(BundleRefusalError, match=f"^fields: '{field}'"):
        open_bundle(folder)


def test_a_bundle_of_another_task_is_compared_and_found(
    kinds: dict[str, tuple[Bundle, Program, StructureEntry]],
) -> None:
    bundle, _, structure = kinds["tflite"]
    found = found_in(bundle, kinds["detector"][1], structure)
    assert {"program", "contract", "labels", "interface", "output scale", "quality"} <= found
