"""Implements detection: pictures with boxes, SSDLite, average precision."""

from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from mobile_sdk.contract import Contract, DetectionSpec
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.program.program import Program
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.tasks.registry import task_of
from mobile_sdk.workflow.choices import DIGITS
from mobile_sdk.workflow.tasks.annotated import AnnotatedTask
from mobile_sdk.workflow.tasks.task import Composer, Head
from qat.data.augmentation.detection import DetectionAugmentation
from qat.data.boxes.composed_digits import composed_digits, fresh_digits
from qat.data.boxes.folder import load_box_folder
from qat.data.boxes.pictures import DetectionPictures, DetectionSet
from qat.nets.ssd import build_detector
from qat.progress import Shown
from qat.tasks.detection.training import evaluate_detector, fit_detector
from qat.training.history import History
from qat.training.plan import TrainPlan


class Detection(AnnotatedTask[DetectionPictures]):
    """Trains for 40 epochs of 2,000 composed pictures: 94 % average precision, some seven minutes of one core."""

    name, measure = "detection", "average precision at an overlap of 0.5"
    heads: ClassVar = {"ssdlite": Head(title="SSDLite"), "ssd": Head(title="SSD", settings={"is_lite": False})}
    title_of_pictures, json_measure, others_px = "pictures for detection", "float_average_precision_share", 320
    augmentation = DetectionAugmentation

    def load_pictures(self, data: str) -> DetectionPictures:
        """Returns pictures composed of digits, or a folder's in COCO's, PASCAL VOC's or YOLO's format."""
        return composed_digits() if data == DIGITS else load_box_folder(data)

    def composer(self, count: int, data: str, seed: int) -> Composer | None:
        """Composes fresh digits."""
        return fresh_digits(count, seed=seed) if data == DIGITS else None

    def default_plan(self, epochs: int, seed: int) -> TrainPlan:
        """Returns `TrainPlan.detector`."""
        return TrainPlan.detector(epochs, seed=seed)

    def contract_settings(self) -> dict[str, Any]:
        """Returns the rule by which boxes are chosen."""
        return {"detection": DetectionSpec()}

    def build(self, net: str, contract: Contract, width: float) -> nn.Module:
        """Returns the detector."""
        return build_detector(net, contract, width=width, **self.net_settings)

    def train(
        self,
        net: nn.Module,
        contract: Contract,
        pictures: DetectionPictures,
        plan: TrainPlan,
        *,
        teacher: nn.Module | None = None,
        compose: Composer | None = None,
        out: Path,
        overwrite: bool = False,
    ) -> History:
        """Trains by `fit_detector`."""
        return fit_detector(net, pictures, plan, compose=compose, out=out, overwrite=overwrite, progress=Shown.get())

    def measured(self, net: nn.Module, program: Program, held_out: DetectionSet) -> tuple[Quality, Quality]:
        """Returns the average precision at an overlap of 0.5."""
        contract = program.contract
        outputs = expected_scores(program, held_out.bytes(contract.image))
        of_int8 = task_of(contract).quality(outputs, held_out.truths_in(contract.image), contract)
        return evaluate_detector(net, held_out), of_int8
