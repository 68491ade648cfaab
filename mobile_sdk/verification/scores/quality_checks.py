"""Checks how well the runtime does the task, on pictures whose truth is known."""

import math

from mobile_sdk.errors import DataError
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.requirement import Requirement
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.tasks.registry import task_of
from mobile_sdk.tasks.task import Task
from mobile_sdk.verification.scores.float_distance import most_by_chance
from mobile_sdk.verification.verdict import Check

MAX_ACCURACY_LOSS_SHARE = 0.005
"""A runtime that need not be exact may lose so much of counted images: half a point, or one image."""
MAX_LOSS = 0.01
"""It may lose so much of a mean over all images, and the record of a mean may be off by so much."""
RECORD_STANDARD_ERRORS = 4
"""Pictures other than the recorded ones give another accuracy; beyond four standard errors it is another program."""


def quality_checks(
    found: Quality | None,
    expected: Quality | None,
    *,
    program: Program,
    requirement: Requirement,
    min_accuracy: float | None,
    other_winners: int = 0,
) -> list[Check]:
    """Compares the runtime's quality with the reference's, the required minimum, and the record's.

    `other_winners` counts the pictures whose winner is not the reference's.
    """
    task = task_of(program.contract)
    if not task.is_judged and min_accuracy is None:
        return []
    if found is None or expected is None:
        return _skipped(task, min_accuracy)
    by_chance = most_by_chance(other_winners) if requirement.is_by_float else 0
    checks = [_beside_the_reference(task, found, expected, requirement, by_chance)]
    if min_accuracy is not None:
        required = f"at least {min_accuracy:g}"
        checks.append(
            Check.judged(task.check_name, found.value >= min_accuracy, measured=found.value, required=required)
        )
    record = program.record
    recorded = record.float_quality if program.graph.precision == "float32" else record.reference_quality
    return [*checks, _beside_the_record(task, expected, recorded)]


def _skipped(task: Task, min_accuracy: float | None) -> list[Check]:
    name = task.check_name
    if min_accuracy is not None:
        raise DataError(
            f"expected {task.known_pictures} to measure {task.measure} by, found none",
            hint=f"{task.truth_hint}, or leave the least accuracy out",
        )
    reason = f"the pictures have no {task.truth}"
    return [
        Check.skipped(f"{name} beside the reference", required="the reference's", reason=reason),
        Check.skipped(f"recorded {name}", required=f"the record's {name}", reason=reason),
    ]


def _beside_the_reference(
    task: Task, found: Quality, expected: Quality, requirement: Requirement, by_chance: int
) -> Check:
    if task.counts_images:
        images = 0 if requirement.exact else max(1, int(expected.images * MAX_ACCURACY_LOSS_SHARE), by_chance)
        is_near = expected.correct - found.correct <= images
        less = f"{images} of {expected.images} pictures"
    else:
        allowed = 0.0 if requirement.exact else MAX_LOSS
        is_near, less = expected.value - found.value <= allowed, f"{allowed:g}"
    required = f"the reference's {expected.value:.6g}, less {less}"
    return Check.judged(f"{task.check_name} beside the reference", is_near, measured=found.value, required=required)


def _beside_the_record(task: Task, found: Quality, recorded: Quality | None) -> Check:
    """Checks that the reference does as well on these pictures as the record says of its own."""
    name = f"recorded {task.check_name}"
    if recorded is None:
        reason = f"the program's record holds no {task.check_name}"
        return Check.skipped(name, required=f"the record's {task.check_name}", reason=reason)
    allowed = _sampling_error(found, recorded) if task.counts_images else MAX_LOSS
    said = f"{allowed:.3g}" if task.counts_images else f"{allowed:g}"
    return Check.judged(
        name,
        abs(found.value - recorded.value) <= allowed,
        measured=found.value,
        required=f"{recorded.value:.6g} ± {said}, from {recorded.images} pictures",
    )


def _sampling_error(found: Quality, recorded: Quality) -> float:
    """Returns by how much two samples of one net's accuracy may differ."""
    pooled = (recorded.value * recorded.images + found.correct) / (recorded.images + found.images)
    variance = pooled * (1 - pooled) * (1 / recorded.images + 1 / found.images)
    return RECORD_STANDARD_ERRORS * math.sqrt(variance) + 1 / min(recorded.images, found.images)
