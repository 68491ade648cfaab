"""The tasks of the verbs beside classification, by name, and the pictures that any task is judged by."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mobile_sdk.cli.detection import Detection
from mobile_sdk.cli.pictures import load_pictures_of
from mobile_sdk.cli.segmentation import Segmentation
from mobile_sdk.cli.task import Task, in_order_of

if TYPE_CHECKING:
    from mobile_sdk.contract import Contract
    from qat.detection.pictures import DetectionSet
    from qat.picture_set import PictureSet
    from qat.segmentation.pictures import SegmentationSet

    HeldOut = PictureSet | DetectionSet | SegmentationSet

DETECTION, SEGMENTATION = Detection(), Segmentation()
TASKS: Mapping[str, Task[Any]] = {task.name: task for task in (DETECTION, SEGMENTATION)}


def held_out_of(contract: "Contract", data: str) -> "HeldOut":
    """The pictures to judge by: with boxes or masks, where the contract's task asks for them."""
    if contract.task == "classification":
        return load_pictures_of(contract, data).validation
    held_out: HeldOut = in_order_of(contract, TASKS[contract.task].load_pictures(data)).validation
    return held_out
