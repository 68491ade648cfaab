"""The checks that need a run of the model: numbers, golden pictures, accuracy."""

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.comparison import Comparison, compare, share
from mobile_sdk.errors import DataError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.requirement import Requirement
from mobile_sdk.tasks.top_classes import winners
from mobile_sdk.verification.box_checks import Boxes, box_checks, measure_boxes
from mobile_sdk.verification.mask_checks import Overlap, mask_checks, measure_masks
from mobile_sdk.verification.numeric_checks import numeric_checks
from mobile_sdk.verification.scores import Computed, Scores
from mobile_sdk.verification.verdict import Check, GoldenPrediction, Hits

MAX_ACCURACY_LOSS_SHARE = 0.005
"""What a runtime that need not be exact may lose against the reference: half a point, or one picture."""
_PICTURES = 16
RECORD_STANDARD_ERRORS = 4
"""Other pictures than the recorded ones give another accuracy; beyond four standard errors it is another program."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What running the model gave."""

    checks: tuple[Check, ...]
    comparison: Comparison | None = None
    accuracy: Hits | None = None
    reference_accuracy: Hits | None = None
    golden: tuple[GoldenPrediction, ...] = ()
    boxes: Boxes | None = None
    overlap: Overlap | None = None


def measure(
    bundle: Bundle, program: Program, computed: Computed, requirement: Requirement, min_accuracy: float | None
) -> Measured:
    """Holds the computed scores against the program's, the golden outputs and the labels."""
    graph = program.graph
    found, expected = computed.found, computed.expected
    ours, theirs = (_winners(scores, program) for scores in (found, expected))
    comparison = replace(
        compare(found, expected, in_unit=partial(in_steps, graph=graph)),
        top1_agreement=share((ours == theirs) & (ours >= 0)),
    )
    accuracy, reference_accuracy = _hits(ours, computed), _hits(theirs, computed)
    golden_check, golden = _replay(bundle, program, computed.golden_found, requirement)
    boxes, overlap = measure_boxes(program.contract, computed), measure_masks(program.contract, computed)
    if boxes:
        quality = box_checks(boxes, program, requirement, min_accuracy)
    elif overlap:
        quality = mask_checks(overlap, program, requirement, min_accuracy)
    else:
        quality = _accuracy_checks(accuracy, reference_accuracy, requirement, min_accuracy)
        quality.append(_record_check(program, reference_accuracy))
    return Measured(
        checks=(*numeric_checks(comparison, requirement, len(found)), golden_check, *quality),
        comparison=comparison,
        accuracy=accuracy,
        reference_accuracy=reference_accuracy,
        golden=golden,
        boxes=boxes,
        overlap=overlap,
    )


def _winners(outputs: Scores, program: Program) -> NDArray[np.int64]:
    """The surest labels, some pictures at a time: masks in steps are eight times as large as their codes."""
    groups = range(0, len(outputs), _PICTURES)
    parts = (in_steps(outputs[start : start + _PICTURES], program.graph) for start in groups)
    return np.concatenate([winners(part, program.contract) for part in parts])


def _hits(found: NDArray[np.int64], computed: Computed) -> Hits | None:
    """None where the pictures have no labels."""
    if computed.label_indices.max(initial=-1) < 0:
        return None
    return Hits(correct=int((found == computed.label_indices).sum()), pictures=len(computed.label_indices))


def _replay(
    bundle: Bundle, program: Program, golden_found: Scores, requirement: Requirement
) -> tuple[Check, tuple[GoldenPrediction, ...]]:
    """What the bundle expects of its golden pictures must be what the program says, and what the runtime gives."""
    graph, count = program.graph, len(bundle.manifest.golden.pictures)
    pixels = np.stack([bundle.golden_picture(index) for index in range(count)])
    written = in_steps(np.stack([bundle.golden_output(index) for index in range(count)]), graph)
    found, said = in_steps(golden_found, graph), in_steps(expected_scores(program, pixels).reshape(count, -1), graph)
    is_codes = graph.output.quantization is not None
    allowed = requirement.golden_steps if is_codes else bundle.manifest.golden.tolerance
    by_runtime, by_program = compare(found, written), compare(said, written)
    near = [each.not_finite == 0 and each.max_steps <= allowed for each in (by_runtime, by_program)]
    blame = ("the runtime gives other scores", "the program says other scores")
    check = Check.judged(
        "golden",
        all(near),
        measured=max(by_runtime.max_steps, by_program.max_steps),
        required=f"at most {allowed:.6g} {'steps' if is_codes else 'of a score'} apart in {count} pictures",
        reason="; ".join(reason for reason, is_near in zip(blame, near, strict=True) if not is_near),
    )
    return check, _predictions(bundle, graph, said, found)


def _predictions(bundle: Bundle, graph: Graph, said: Scores, found: Scores) -> tuple[GoldenPrediction, ...]:
    has_scores = bundle.manifest.task == "classification"
    unit = graph.output.quantization.scale if graph.output.quantization else 1.0
    expected_winners, found_winners = (winners(scores, bundle.manifest) for scores in (said, found))
    return tuple(
        GoldenPrediction(
            label_index=golden.label_index,
            expected_top1_index=int(expected_winners[index]),
            found_top1_index=int(found_winners[index]),
            expected_scores=_real(said[index], unit) if has_scores else (),
            found_scores=_real(found[index], unit) if has_scores else (),
        )
        for index, golden in enumerate(bundle.manifest.golden.pictures)
    )


def _real(steps: Scores, unit: float) -> tuple[float | None, ...]:
    return tuple(score * unit if math.isfinite(score) else None for score in steps.tolist())


def _accuracy_checks(
    found: Hits | None, expected: Hits | None, requirement: Requirement, min_accuracy: float | None
) -> list[Check]:
    name = "accuracy beside the reference"
    if found is None or expected is None:
        if min_accuracy is not None:
            hint = "lay them out as FOLDER/<label>/*.jpg, or leave the least accuracy out"
            raise DataError("expected labelled pictures to count accuracy by, found none", hint=hint)
        return [Check.skipped(name, required="the reference's", reason="the pictures have no labels")]
    lost = expected.correct - found.correct
    allowed = 0 if requirement.exact else max(1, int(expected.pictures * MAX_ACCURACY_LOSS_SHARE))
    checks = [
        Check.judged(
            name,
            lost <= allowed,
            measured=found.share,
            required=f"the reference's {expected.share:.6g}, less {allowed} of {expected.pictures} pictures",
        )
    ]
    if min_accuracy is not None:
        enough, required = found.share >= min_accuracy, f"at least {min_accuracy:g}"
        checks.append(Check.judged("accuracy", enough, measured=found.share, required=required))
    return checks


def _record_check(program: Program, found: Hits | None) -> Check:
    """Whether the reference is as accurate on these pictures as the program's record says of those it was made with."""
    record = program.record
    recorded = record.float_accuracy if program.graph.precision == "float32" else record.reference_accuracy
    name = "recorded accuracy"
    if recorded is None or found is None:
        reason = "the pictures have no labels" if found is None else "the program's record holds no accuracy"
        return Check.skipped(name, required="the record's accuracy", reason=reason)
    pooled = (recorded.share * recorded.pictures + found.correct) / (recorded.pictures + found.pictures)
    variance = pooled * (1 - pooled) * (1 / recorded.pictures + 1 / found.pictures)
    allowed = RECORD_STANDARD_ERRORS * math.sqrt(variance) + 1 / min(recorded.pictures, found.pictures)
    return Check.judged(
        name,
        abs(found.share - recorded.share) <= allowed,
        measured=found.share,
        required=f"{recorded.share:.6g} ± {allowed:.3g}, from {recorded.pictures} pictures",
    )
