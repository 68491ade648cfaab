"""The checks of a task whose quality is a mean over all pictures: a detector's precision, a segmenter's overlap."""

from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.requirement import Requirement
from mobile_sdk.verification.verdict import Check

MAX_LOSS_SHARE = 0.01
"""What a runtime that need not be exact may lose against the reference, and what the record may be off by."""


def share_checks(
    name: str,
    found: float,
    expected: float,
    *,
    program: Program,
    requirement: Requirement,
    min_accuracy: float | None,
) -> list[Check]:
    """The runtime's share (0..1) beside the reference's, the least that was asked for, and the record's."""
    allowed = 0.0 if requirement.exact else MAX_LOSS_SHARE
    required = f"the reference's {expected:.6g}, less {allowed:g}"
    near = expected - found <= allowed
    checks = [Check.judged(f"{name} beside the reference", near, measured=found, required=required)]
    if min_accuracy is not None:
        required = f"at least {min_accuracy:g}"
        checks.append(Check.judged(name, found >= min_accuracy, measured=found, required=required))
    record = program.record
    recorded = record.float_accuracy if program.graph.precision == "float32" else record.reference_accuracy
    if recorded is None:
        reason = f"the program's record holds no {name}"
        return [*checks, Check.skipped(f"recorded {name}", required=f"the record's {name}", reason=reason)]
    is_near = abs(expected - recorded.share) <= MAX_LOSS_SHARE
    required = f"{recorded.share:.6g} ± {MAX_LOSS_SHARE:g}, from {recorded.pictures} pictures"
    return [*checks, Check.judged(f"recorded {name}", is_near, measured=expected, required=required)]
