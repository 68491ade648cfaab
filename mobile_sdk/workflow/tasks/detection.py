"""Implements detection: pictures with boxes, SSDLite, average precision."""

from typing import Any, ClassVar

from mobile_sdk.contract import DetectionSpec
from mobile_sdk.workflow.tasks.annotated import AnnotatedTask, Functions
from mobile_sdk.workflow.tasks.task import Head
from qat.data.augmentation.detection import DetectionAugmentation
from qat.data.boxes.composed_digits import composed_digits, fresh_digits
from qat.data.boxes.folder import load_box_folder
from qat.data.boxes.pictures import DetectionPictures, DetectionSet
from qat.nets.ssd import build_detector
from qat.tasks.detection.training import evaluate_detector, fit_detector
from qat.training.plan import TrainPlan


class Detection(AnnotatedTask[DetectionPictures]):
    """Trains for 40 epochs of 2,000 composed pictures: 94 % average precision, some seven minutes of one core."""

    name, measure = "detection", "average precision at an overlap of 0.5"
    heads: ClassVar = {"ssdlite": Head(title="SSDLite"), "ssd": Head(title="SSD", settings={"is_lite": False})}
    title_of_pictures, json_measure, others_px = "pictures for detection", "float_average_precision_share", 320
    augmentation = DetectionAugmentation
    functions = Functions(
        load_digits=composed_digits,
        fresh_digits=fresh_digits,
        load_folder=load_box_folder,
        truths_in=DetectionSet.truths_in,
        plan=TrainPlan.detector,
        build=build_detector,
        fit=fit_detector,
        evaluate=evaluate_detector,
    )

    def contract_settings(self) -> dict[str, Any]:
        """Returns the rule by which boxes are chosen."""
        return {"detection": DetectionSpec()}
