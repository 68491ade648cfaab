"""Detection as a task of the verbs: pictures with boxes, SSDLite, average precision."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mobile_sdk.cli.options import DIGITS
from mobile_sdk.cli.task import Head, Task

if TYPE_CHECKING:
    from torch import nn

    from mobile_sdk.contract import Contract
    from mobile_sdk.program.program import Program
    from mobile_sdk.tasks.quality import Quality
    from qat.data.augmentation.detection import DetectionAugmentation
    from qat.data.boxes.pictures import DetectionPictures, DetectionSet
    from qat.training.history import History
    from qat.training.plan import TrainPlan


class Detection(Task["DetectionPictures"]):
    """40 epochs of 2,000 composed pictures: 94 % average precision, some seven minutes of one core."""

    name, measure = "detection", "average precision at an overlap of 0.5"
    heads: ClassVar = {"ssdlite": Head(title="SSDLite"), "ssd": Head(title="SSD", settings={"is_lite": False})}
    share_field, epochs, papers_size_px = "float_average_precision_share", 40, 320

    def load_pictures(self, data: str) -> "DetectionPictures":
        """Composed of digits, or a folder's in COCO's, PASCAL VOC's or YOLO's format."""
        from qat.data.boxes.composed_digits import composed_digits
        from qat.data.boxes.folder import load_box_folder

        return composed_digits() if data == DIGITS else load_box_folder(data)

    def composer(self, count: int, seed: int) -> "Callable[[int], DetectionSet]":
        """Fresh composed digits."""
        from qat.data.boxes.composed_digits import fresh_digits

        return fresh_digits(count, seed=seed)

    def plan(self, epochs: int, seed: int) -> "TrainPlan":
        """`TrainPlan.detector`."""
        from qat.training.plan import TrainPlan

        return TrainPlan.detector(epochs, seed=seed)

    def augmentation(self) -> "type[DetectionAugmentation]":
        """`DetectionAugmentation`."""
        from qat.data.augmentation.detection import DetectionAugmentation

        return DetectionAugmentation

    def build(self, name: str, contract: "Contract", width: float) -> "nn.Module":
        """The detector."""
        from qat.nets.ssd import build_detector

        return build_detector(name, contract, width=width, **self.net_settings)

    def fit(
        self,
        net: "nn.Module",
        pictures: "DetectionPictures",
        plan: "TrainPlan",
        *,
        compose: "Callable[[int], DetectionSet] | None" = None,
        out: Path,
        overwrite: bool = False,
    ) -> "History":
        """`fit_detector`."""
        from qat.tasks.detection.training import fit_detector

        return fit_detector(net, pictures, plan, compose=compose, out=out, overwrite=overwrite)

    def judge(self, net: "nn.Module", program: "Program", pictures: "DetectionPictures") -> "tuple[Quality, Quality]":
        """Average precision at an overlap of 0.5."""
        from mobile_sdk.program.expected_scores import expected_scores
        from mobile_sdk.tasks.registry import task_of
        from qat.tasks.detection.training import evaluate_detector

        held_out, contract = pictures.validation, program.contract
        of_float = evaluate_detector(net, held_out)
        outputs = expected_scores(program, held_out.bytes(contract.image))
        return of_float, task_of(contract).quality(outputs, held_out.truths_in(contract.image), contract)
