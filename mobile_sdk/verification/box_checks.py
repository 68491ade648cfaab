"""The checks of a detector that need pictures whose boxes are known: its average precision."""

from dataclasses import dataclass

from mobile_sdk.contract import Contract
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.requirement import Requirement
from mobile_sdk.tasks.average_precision import AveragePrecision, average_precision
from mobile_sdk.verification.scores import Computed
from mobile_sdk.verification.share_checks import share_checks
from mobile_sdk.verification.verdict import Check


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
    """The average precision at an overlap of a half, judged."""
    found, expected = boxes.found.at_half_share, boxes.expected.at_half_share
    return share_checks(
        "precision", found, expected, program=program, requirement=requirement, min_accuracy=min_accuracy
    )
