"""The checks of a segmenter that need pictures whose masks are known: its mean intersection over union."""

from dataclasses import dataclass

from mobile_sdk.contract import Contract
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.requirement import Requirement
from mobile_sdk.tasks.mean_iou import MeanIou, mean_iou
from mobile_sdk.tasks.segmentation import masks_of
from mobile_sdk.verification.scores import Computed
from mobile_sdk.verification.share_checks import share_checks
from mobile_sdk.verification.verdict import Check


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """The mean intersection over union of the runtime's masks, and of those that the program says."""

    found: MeanIou
    expected: MeanIou


def measure_masks(contract: Contract, computed: Computed) -> Overlap | None:
    """None where no masks are known."""
    if computed.masks is None:
        return None
    side, labels = contract.image.size_px, len(contract.labels)
    outputs = [each.reshape(len(each), side, side, labels) for each in (computed.found, computed.expected)]
    found, expected = (mean_iou(masks_of(each), computed.masks, labels) for each in outputs)
    return Overlap(found=found, expected=expected)


def mask_checks(
    overlap: Overlap, program: Program, requirement: Requirement, min_accuracy: float | None
) -> list[Check]:
    """The mean intersection over union, judged."""
    found, expected = overlap.found.share, overlap.expected.share
    return share_checks("mIoU", found, expected, program=program, requirement=requirement, min_accuracy=min_accuracy)
