"""Implements segmentation: pictures with masks, LR-ASPP, mean intersection over union."""

from pathlib import Path
from typing import ClassVar

from torch import nn

from mobile_sdk.contract import Contract
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.program.program import Program
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.tasks.registry import task_of
from mobile_sdk.workflow.choices import DIGITS
from mobile_sdk.workflow.tasks.annotated import AnnotatedTask
from mobile_sdk.workflow.tasks.task import Composer, Head
from qat.data.augmentation.segmentation import SegmentationAugmentation
from qat.data.masks.composed_digits import composed_masks, fresh_masks
from qat.data.masks.folder import load_mask_folder
from qat.data.masks.pictures import SegmentationPictures, SegmentationSet
from qat.nets.segmenters import build_segmenter
from qat.progress import Shown
from qat.tasks.segmentation.training import evaluate_segmenter, fit_segmenter
from qat.training.history import History
from qat.training.plan import TrainPlan


class Segmentation(AnnotatedTask[SegmentationPictures]):
    """Trains for 40 epochs of 2,000 composed pictures: 93 % mIoU at output stride 16, eleven minutes of one core."""

    name, measure = "segmentation", "mIoU"
    heads: ClassVar = {
        "lr-aspp": Head(title="LR-ASPP", has_output_stride=True),
        "r-aspp": Head(title="R-ASPP", settings={"head": "r-aspp"}, has_output_stride=True),
        "aspp": Head(title="DeepLabv3", settings={"head": "aspp"}, has_output_stride=True),
    }
    title_of_pictures, json_measure, others_px = "pictures for segmentation", "float_miou_share", 512
    augmentation = SegmentationAugmentation

    def load_pictures(self, data: str) -> SegmentationPictures:
        """Returns pictures composed of digits, or a folder's."""
        return composed_masks() if data == DIGITS else load_mask_folder(data)

    def composer(self, count: int, data: str, seed: int) -> Composer | None:
        """Composes fresh digits."""
        return fresh_masks(count, seed=seed) if data == DIGITS else None

    def default_plan(self, epochs: int, seed: int) -> TrainPlan:
        """Returns `TrainPlan.segmenter`."""
        return TrainPlan.segmenter(epochs, seed=seed)

    def build(self, net: str, contract: Contract, width: float) -> nn.Module:
        """Returns the segmenter."""
        return build_segmenter(net, contract, width=width, **self.net_settings)

    def train(
        self,
        net: nn.Module,
        contract: Contract,
        pictures: SegmentationPictures,
        plan: TrainPlan,
        *,
        teacher: nn.Module | None = None,
        compose: Composer | None = None,
        out: Path,
        overwrite: bool = False,
    ) -> History:
        """Trains by `fit_segmenter`."""
        return fit_segmenter(net, pictures, plan, compose=compose, out=out, overwrite=overwrite, progress=Shown.get())

    def measured(self, net: nn.Module, program: Program, held_out: SegmentationSet) -> tuple[Quality, Quality]:
        """Returns the mean intersection over union."""
        contract = program.contract
        outputs = expected_scores(program, held_out.bytes(contract.image))
        of_int8 = task_of(contract).quality(outputs, held_out.masks_in(contract.image), contract)
        return evaluate_segmenter(net, held_out), of_int8
