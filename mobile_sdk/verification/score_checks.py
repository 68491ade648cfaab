"""Checks a bundle with a run of the model: numbers, golden pictures, quality."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.golden_tolerance import golden_tolerance
from mobile_sdk.comparison import Comparison, compare, share
from mobile_sdk.graph.operators import Graph
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.requirement import Requirement
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.tasks.registry import task_of
from mobile_sdk.verification.numeric_checks import numeric_checks
from mobile_sdk.verification.quality_checks import quality_checks
from mobile_sdk.verification.scores import Computed, Scores
from mobile_sdk.verification.verdict import Check, GoldenPrediction

_PICTURES = 16


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Holds the results of running the model."""

    checks: tuple[Check, ...]
    comparison: Comparison | None = None
    quality: Quality | None = None
    reference_quality: Quality | None = None
    golden: tuple[GoldenPrediction, ...] = ()


def measure(
    bundle: Bundle, program: Program, computed: Computed, requirement: Requirement, min_accuracy: float | None
) -> Measured:
    """Compares the computed scores with the program's, the golden outputs and the labels."""
    graph = program.graph
    found, expected = computed.found, computed.expected
    ours, theirs = (_winners(scores, program) for scores in (found, expected))
    comparison = replace(
        compare(found, expected, in_unit=partial(in_steps, graph=graph)),
        top1_agreement=share((ours == theirs) & (ours >= 0)),
    )
    golden_check, golden = _replay(bundle, program, computed, requirement)
    quality, reference_quality = _quality(found, computed, program), _quality(expected, computed, program)
    judged = quality_checks(
        quality, reference_quality, program=program, requirement=requirement, min_accuracy=min_accuracy
    )
    return Measured(
        checks=(*numeric_checks(comparison, requirement, len(found)), golden_check, *judged),
        comparison=comparison,
        quality=quality,
        reference_quality=reference_quality,
        golden=golden,
    )


def _winners(outputs: Scores, program: Program) -> NDArray[np.int64]:
    """Returns the most certain labels, some pictures at a time: masks in steps take eight times their codes' memory."""
    groups = range(0, len(outputs), _PICTURES)
    parts = (in_steps(outputs[start : start + _PICTURES], program.graph) for start in groups)
    return np.concatenate([task_of(program.contract).top_classes(part, program.contract) for part in parts])


def _quality(outputs: Scores, computed: Computed, program: Program) -> Quality | None:
    """Returns the outputs' quality; None if the pictures' truth is unknown."""
    if computed.truths is None:
        return None
    task = task_of(program.contract)
    scores = in_steps(outputs, program.graph) if task.has_scores else outputs
    return task.quality(scores, computed.truths, program.contract)


def _replay(
    bundle: Bundle, program: Program, computed: Computed, requirement: Requirement
) -> tuple[Check, tuple[GoldenPrediction, ...]]:
    """Checks that the bundle's expectations of its golden pictures are the program's results, and the runtime's."""
    graph, count = program.graph, len(bundle.manifest.golden.pictures)
    written = in_steps(bundle.golden_outputs(), graph)
    found = in_steps(computed.golden_found, graph)
    expected = in_steps(expected_scores(program, bundle.golden_pictures()).reshape(count, -1), graph)
    is_codes = graph.output.quantization is not None
    runtime = runtimes.get(bundle.manifest.runtime)
    allowed = requirement.golden_steps if is_codes else golden_tolerance(program, runtime, expected)
    by_runtime, by_program = compare(found, written), compare(expected, written)
    near = [each.not_finite == 0 and each.max_steps <= allowed for each in (by_runtime, by_program)]
    blame = ("the runtime gives other scores", "the program says other scores")
    check = Check.judged(
        "golden",
        all(near),
        measured=max(by_runtime.max_steps, by_program.max_steps),
        required=f"at most {allowed:.6g} {'steps' if is_codes else 'of a score'} apart in {count} pictures",
        reason="; ".join(reason for reason, is_near in zip(blame, near, strict=True) if not is_near),
    )
    return check, _predictions(bundle, graph, expected, found, computed.golden_labels)


def _predictions(
    bundle: Bundle, graph: Graph, expected: Scores, found: Scores, labels: Sequence[int | None]
) -> tuple[GoldenPrediction, ...]:
    contract = bundle.manifest.contract
    task = task_of(contract)
    unit = graph.output.quantization.scale if graph.output.quantization else 1.0
    expected_winners, found_winners = (task.top_classes(scores, contract) for scores in (expected, found))
    return tuple(
        GoldenPrediction(
            label_index=label,
            expected_top1_index=int(expected_winners[index]),
            found_top1_index=int(found_winners[index]),
            expected_scores=_real(expected[index], unit) if task.has_scores else (),
            found_scores=_real(found[index], unit) if task.has_scores else (),
        )
        for index, label in enumerate(labels)
    )


def _real(steps: Scores, unit: float) -> tuple[float | None, ...]:
    return tuple(score * unit if math.isfinite(score) else None for score in steps.tolist())
