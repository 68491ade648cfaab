"""Checks that a manifest says what exporting the program writes: every field of it, one named check a kind of claim.

Opening a bundle has checked what a manifest says of the bundle's own files. Here it is compared with the program.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.description import describe, describe_golden
from mobile_sdk.bundle.golden.files import saved_sample
from mobile_sdk.bundle.golden.samples import COUNT, as_saved, generated_goldens
from mobile_sdk.bundle.manifest import Manifest, StructureEntry
from mobile_sdk.program.program import Program
from mobile_sdk.verification.verdict import Check

_NAMED = 3  # fields that differ, at most
Leaf = tuple[str, Any]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Names the check of some fields of a manifest. A field stands for all fields in it that no other claim names."""

    check: str
    fields: tuple[str, ...]
    required: str


STRUCTURE = Claim(check="structure", fields=("structure",), required="what the model file holds")
CLAIMS = (
    Claim(
        check="program",
        fields=("program_sha256", "graph_sha256"),
        required="made from the program",
    ),
    Claim(
        check="contract",
        fields=("name", "task", "inputs", "detection", "licence"),
        required="the program's name, task, picture recipe and licence",
    ),
    Claim(check="labels", fields=("labels",), required="the program's labels in their order"),
    Claim(check="interface", fields=("inputs.tensor", "outputs"), required="the tensors of the exported model"),
    Claim(
        check="output scale",
        fields=("precision", "outputs.scale", "outputs.zero_point"),
        required="the program's precision, scale and zero point",
    ),
    Claim(check="processors", fields=("processors",), required="the processors that the runtime's files run on"),
    Claim(check="quantization", fields=("quantization",), required="the program's method, and the bits of its layers"),
    Claim(check="quality", fields=("quality",), required="the quality in the program's record"),
    Claim(
        check="golden pictures",
        fields=("golden",),
        required="winners of the golden outputs, and who gave pictures and outputs",
    ),
    Claim(
        check="golden tolerance",
        fields=("golden.tolerance", "golden.tolerances"),
        required="what the golden outputs justify",
    ),
    STRUCTURE,
)
"""It lists the claims on the program and the model file, in the order of their checks."""
CHECKED_ELSEWHERE = {
    "schema_number": "fields",
    "runtime": "runtime",
    "model": "runtime",
    "files": "files",
    "manifest_sha256": "seal",
    "activation_limit_kib": "model file",
    "form": "model file",
}
"""It maps the other fields to their check: of `open_bundle`, or of the model file, which shows what was executed."""
_NOT_IN_SCHEMA_1 = ("processors", "quantization.weight_bits", "quantization.activation_bits")


def manifest_checks(bundle: Bundle, program: Program, structure: StructureEntry | None) -> list[Check]:
    """Compares the manifest with the one that exporting the program writes; `structure` was read of the model file.

    The claim on the structure is left out if it could not be read.
    """
    not_told = _NOT_IN_SCHEMA_1 if bundle.manifest.schema_number == 1 else ()
    found = _by_claim(bundle.manifest, not_told)
    expected = _by_claim(_expected(bundle, program, structure), not_told)
    claims = [claim for claim in CLAIMS if claim is not STRUCTURE or structure]
    return [_judged(claim, found[claim], expected[claim]) for claim in claims]


def claim_of(field: str) -> Claim | None:
    """Returns the claim on a field, such as "outputs.scale"; None if that is checked elsewhere."""
    named = [(len(name), claim) for claim in CLAIMS for name in claim.fields if _is_in(field, name)]
    return max(named, key=lambda each: each[0])[1] if named else None


def _expected(bundle: Bundle, program: Program, structure: StructureEntry | None) -> Manifest:
    found, runtime = bundle.manifest, bundle.runtime
    scores = bundle.golden_outputs()
    pictures = found.golden.pictures  # opening has held them to inputs and outputs
    source: Literal["given", "generated"] = "generated" if _has_generated_pictures(bundle) else "given"
    expected = describe(
        program,
        runtime,
        structure=structure or found.structure,
        golden=describe_golden(
            program, runtime, source=source, scores=scores, pixels=bundle.golden_pictures(), pictures=pictures
        ),
        files=found.files,
        activation_limit_kib=found.activation_limit_kib,
    )
    if not program.graph.heads and [spec.name for spec in found.outputs] == [program.graph.output.name]:
        earlier = expected.outputs[0].model_copy(update={"name": program.graph.output.name})
        return expected.model_copy(update={"outputs": (earlier,)})  # before December 2026, by the net's last module
    return expected


def _has_generated_pictures(bundle: Bundle) -> bool:
    count = len(bundle.manifest.golden.pictures)
    if count != COUNT:
        return False
    spec = bundle.manifest.input
    saved = (saved_sample(bundle.path, spec, index) for index in range(count))
    made_up = (as_saved(each, spec) for each in generated_goldens(spec))  # as far as the first that differs
    return all(np.array_equal(each, np.asarray(wanted)) for each, wanted in zip(saved, made_up, strict=True))


def _by_claim(manifest: Manifest, not_told: tuple[str, ...]) -> dict[Claim, list[Leaf]]:
    """Returns all values, in the order of their fields: that of the keys of an object says nothing."""
    leaves = sorted(_leaves(manifest.model_dump(mode="json")), key=lambda leaf: leaf[0])
    told = [leaf for leaf in leaves if not any(_is_in(leaf[0], name) for name in not_told)]
    claims = {field: claim_of(field) for field in {field for field, _ in told}}
    return {claim: [leaf for leaf in told if claims[leaf[0]] is claim] for claim in CLAIMS}


def _leaves(value: Any, field: str = "") -> Iterator[Leaf]:
    """Yields every value with its field; entries of a list have the list's."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{field}.{name}" if field else name)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, field)
    else:
        yield field, value


def _judged(claim: Claim, found: list[Leaf], expected: list[Leaf]) -> Check:
    others = sorted({field for field, _ in {*found} ^ {*expected}}) or ["order"]
    measured = "equal" if found == expected else f"other {', '.join(others[:_NAMED])}"
    return Check.judged(claim.check, found == expected, measured=measured, required=claim.required)


def _is_in(field: str, name: str) -> bool:
    return field == name or field.startswith(f"{name}.")
