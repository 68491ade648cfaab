"""Checks a bundle with a run of the model: numbers, golden pictures, quality."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.golden_tolerance import golden_tolerances
from mobile_sdk.comparison import Comparison, compare, share
from mobile_sdk.graph.operators import Graph
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.base import Runtime
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
    wanted = expected_scores(program, bundle.golden_pictures())
    sources = (bundle.golden_outputs(), computed.golden_found, wanted.reshape(count, -1))
    written, found, expected = (in_steps(each, graph) for each in sources)
    allowed = _allowed(program, runtimes.get(bundle.manifest.runtime), requirement, wanted)
    ends = np.cumsum([math.prod(output.shape) for output in graph.outputs])[:-1]
    compared = [
        [compare(*pair) for pair in zip(*(np.split(each, ends, axis=1) for each in pair), strict=True)]
        for pair in ((found, written), (expected, written))
    ]
    near = [all(map(_is_near, each, allowed)) for each in compared]
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
    return check, _predictions(bundle, graph, expected, found, computed.golden_labels)


def _allowed(program: Program, runtime: Runtime, requirement: Requirement, expected: Scores) -> list[float]:
    """Returns how far every output may be from the golden one: in steps, or in a float32 one's own unit."""
    in_own_units = golden_tolerances(program, runtime, expected)
    outputs = zip(program.graph.outputs, in_own_units, strict=True)
    return [requirement.golden_steps if output.quantization else own for output, own in outputs]


def _is_near(comparison: Comparison, allowed: float) -> bool:
    return comparison.not_finite == 0 and comparison.max_steps <= allowed


def _predictions(
    bundle: Bundle, graph: Graph, expected: Scores, found: Scores, labels: Sequence[int | None]
) -> tuple[GoldenPrediction, ...]:
    contract = bundle.manifest.contract
    task = task_of(contract)
    grid = graph.outputs[0].quantization
    unit = grid.scale if grid else 1.0
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
