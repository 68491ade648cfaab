"""The checks of a detector that need pictures whose boxes are known: its average precision."""

from dataclasses import dataclass

from mobile_sdk.agreement import Requirement
from mobile_sdk.average_precision import AveragePrecision, average_precision
from mobile_sdk.computed import Computed
from mobile_sdk.contract import Contract
from mobile_sdk.program import Program
from mobile_sdk.verdict import Check

MAX_LOSS_SHARE = 0.01
"""What a runtime that need not be exact may lose against the reference, and what the record may be off by."""


@dataclass(frozen=True, kw_only=True)
class Boxes:
    """The average precision of the runtime, and of what the program says."""

    found: AveragePrecision
    expected: AveragePrecision


def measure_boxes(contract: Contract, computed: Computed) -> Boxes | None:
    """None where no boxes are known."""
    if not computed.truths:
        return None
    outputs = [each.reshape(len(each), -1, contract.output_columns) for each in (computed.found, computed.expected)]
    found, expected = (average_precision(each, computed.truths, contract) for each in outputs)
    return Boxes(found=found, expected=expected)


def box_checks(boxes: Boxes, program: Program, requirement: Requirement, min_accuracy: float | None) -> list[Check]:
    """The runtime's precision beside the reference's, the least that was asked for, and the record's."""
    found, expected = boxes.found.at_half_share, boxes.expected.at_half_share
    allowed = 0.0 if requirement.exact else MAX_LOSS_SHARE
    required = f"the reference's {expected:.6g}, less {allowed:g}"
    near = expected - found <= allowed
    checks = [Check.judged("precision beside the reference", near, measured=found, required=required)]
    if min_accuracy is not None:
        required = f"at least {min_accuracy:g}"
        checks.append(Check.judged("precision", found >= min_accuracy, measured=found, required=required))
    record = program.record
    recorded = record.float_accuracy if program.graph.precision == "float32" else record.reference_accuracy
    name = "recorded precision"
    if recorded is None:
        reason = "the program's record holds no precision"
        return [*checks, Check.skipped(name, required="the record's precision", reason=reason)]
    is_near = abs(expected - recorded.share) <= MAX_LOSS_SHARE
    required = f"{recorded.share:.6g} ± {MAX_LOSS_SHARE:g}, from {recorded.pictures} pictures"
    return [*checks, Check.judged(name, is_near, measured=expected, required=required)]
