"""Checks a bundle with a run of the model: numbers, golden pictures, quality."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.golden.tolerance import golden_tolerances, is_by_reference
from mobile_sdk.comparison import Comparison, compare, share
from mobile_sdk.graph.operators import Graph
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.program.expected_scores import expected_outputs
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.requirement import Requirement
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.tasks.registry import task_of
from mobile_sdk.verification.scores.computed import Computed, Scores
from mobile_sdk.verification.scores.float_checks import float_checks, not_judged
from mobile_sdk.verification.scores.float_distance import float_distance, top_classes
from mobile_sdk.verification.scores.numeric_checks import numeric_checks
from mobile_sdk.verification.scores.quality_checks import quality_checks
from mobile_sdk.verification.scores.taken_checks import taken_checks
from mobile_sdk.verification.verdict import Check, GoldenPrediction


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
    graph = bundle.runtime.computed(program.graph)
    found, expected = computed.found, computed.expected
    ours, theirs = (top_classes(scores, program, graph) for scores in (found, expected))
    comparison = replace(
        compare(found, expected, in_unit=partial(in_steps, graph=graph)),
        top1_agreement=share((ours == theirs) & (ours >= 0)),
    )
    golden_check, golden = _replay(bundle, program, computed, requirement)
    quality, reference_quality = (_quality(each, computed, program, graph) for each in (found, expected))
    judged = quality_checks(
        quality,
        reference_quality,
        program=program,
        requirement=requirement,
        min_accuracy=min_accuracy,
        other_winners=int(np.count_nonzero(ours != theirs)),
    )
    if requirement.is_by_float:
        numeric = _beside_float(computed, program, requirement)
    else:
        numeric = numeric_checks(comparison, requirement, len(found))
    return Measured(
        checks=(*numeric, *taken_checks(computed.taken), golden_check, *judged),
        comparison=comparison,
        quality=quality,
        reference_quality=reference_quality,
        golden=golden,
    )


def _beside_float(computed: Computed, program: Program, requirement: Requirement) -> list[Check]:
    """Returns the checks of the distance from the float net, of every arithmetic."""
    if computed.float_scores is None:
        return not_judged(requirement)
    found = (computed.found, *computed.others)
    distances = [float_distance(each, computed.expected, computed.float_scores, program) for each in found]
    return float_checks(distances, requirement)


def _quality(outputs: Scores, computed: Computed, program: Program, graph: Graph) -> Quality | None:
    """Returns the outputs' quality; None if the pictures' truth is unknown."""
    if computed.truths is None:
        return None
    task = task_of(program.contract)
    scores = in_steps(outputs, graph) if task.has_scores else task.as_one(outputs, program.contract)
    return task.quality(scores, computed.truths, program.contract)


def _replay(
    bundle: Bundle, program: Program, computed: Computed, requirement: Requirement
) -> tuple[Check, tuple[GoldenPrediction, ...]]:
    """Checks that the bundle's expectations of its golden pictures are the program's results, and the runtime's."""
    graph, count = bundle.runtime.computed(program.graph), len(bundle.manifest.golden.pictures)
    wanted = expected_outputs(graph, bundle.golden_pictures())
    sources = (bundle.golden_outputs(), computed.golden_found, wanted.reshape(count, -1))
    written, found, expected = (in_steps(each, graph) for each in sources)
    allowed = _allowed(graph, bundle, program, requirement)
    ends = np.cumsum([math.prod(output.shape) for output in graph.outputs])[:-1]
    compared = [
        [compare(*pair) for pair in zip(*(np.split(each, ends, axis=1) for each in pair), strict=True)]
        for pair in ((found, written), (expected, written))
    ]
    near = [all(map(_is_near, each, allowed)) for each in compared]
    if requirement.is_by_float and is_by_reference(program, bundle.runtime):
        near[0] = True  # an accelerator's codes are no other runtime's, and are judged by their distance from float
        compared = compared[1:]
    blame = ("the runtime gives other scores", "the program says other scores")
    unit = "steps" if graph.outputs[0].quantization else "of a score"
    most = ", ".join(f"{each:.6g}" for each in dict.fromkeys(allowed))
    check = Check.judged(
        "golden",
        all(near),
        measured=max(each.max_steps for part in compared for each in part),
        required=f"at most {most} {unit} apart in {count} pictures",
        reason="; ".join(reason for reason, is_near in zip(blame, near, strict=True) if not is_near),
    )
    winners = [top_classes(each.reshape(count, -1), program, graph) for each in (wanted, computed.golden_found)]
    return check, _predictions(bundle, graph, (expected, found), winners, computed.golden_labels)


def _allowed(graph: Graph, bundle: Bundle, program: Program, requirement: Requirement) -> list[float]:
    """Returns how far every output of `graph` may be from the golden one: in steps, or in its own unit if float32."""
    in_own_units = golden_tolerances(program, bundle.runtime, bundle.golden_outputs(), bundle.golden_pictures())
    outputs = zip(graph.outputs, in_own_units, strict=True)
    if requirement.is_by_float:
        return [own / output.quantization.scale if output.quantization else own for output, own in outputs]
    return [requirement.golden_steps if output.quantization else own for output, own in outputs]


def _is_near(comparison: Comparison, allowed: float) -> bool:
    return comparison.not_finite == 0 and comparison.max_steps <= allowed


def _predictions(
    bundle: Bundle,
    graph: Graph,
    scores: tuple[Scores, Scores],
    winners: Sequence[NDArray[np.int64]],
    labels: Sequence[int | None],
) -> tuple[GoldenPrediction, ...]:
    """Returns what was expected of every golden picture, and what was found; `scores` and `winners` are in that order.

    Scores are in steps.
    """
    task = task_of(bundle.manifest.contract)
    grid = graph.outputs[0].quantization
    unit = grid.scale if grid else 1.0
    (expected, found), (expected_winners, found_winners) = scores, winners
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
