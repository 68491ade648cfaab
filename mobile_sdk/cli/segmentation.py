"""Segmentation as a task of the verbs: pictures with masks, LR-ASPP, mean intersection over union."""

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
    from qat.data.augmentation.segmentation import SegmentationAugmentation
    from qat.data.masks.pictures import SegmentationPictures, SegmentationSet
    from qat.training.history import History
    from qat.training.plan import TrainPlan


class Segmentation(Task["SegmentationPictures"]):
    """LR-ASPP, output stride 16; 40 epochs of 2,000 composed pictures: 93 % mIoU, some eleven minutes of one core."""

    name, measure = "segmentation", "mIoU"
    heads: ClassVar = {
        "lr-aspp": Head(title="LR-ASPP", has_output_stride=True),
        "r-aspp": Head(title="R-ASPP", settings={"head": "r-aspp"}, has_output_stride=True),
        "aspp": Head(title="DeepLabv3", settings={"head": "aspp"}, has_output_stride=True),
    }
    share_field, epochs, papers_size_px = "float_miou_share", 40, 512

    def load_pictures(self, data: str) -> "SegmentationPictures":
        """Composed of digits, or a folder's."""
        from qat.data.masks.composed_digits import composed_masks
        from qat.data.masks.folder import load_mask_folder

        return composed_masks() if data == DIGITS else load_mask_folder(data)

    def composer(self, count: int, seed: int) -> "Callable[[int], SegmentationSet]":
        """Fresh composed digits."""
        from qat.data.masks.composed_digits import fresh_masks

        return fresh_masks(count, seed=seed)

    def plan(self, epochs: int, seed: int) -> "TrainPlan":
        """`TrainPlan.segmenter`."""
        from qat.training.plan import TrainPlan

        return TrainPlan.segmenter(epochs, seed=seed)

    def augmentation(self) -> "type[SegmentationAugmentation]":
        """`SegmentationAugmentation`."""
        from qat.data.augmentation.segmentation import SegmentationAugmentation

        return SegmentationAugmentation

    def build(self, name: str, contract: "Contract", width: float) -> "nn.Module":
        """The segmenter."""
        from qat.nets.segmenters import build_segmenter

        return build_segmenter(name, contract, width=width, **self.net_settings)

    def fit(
        self,
        net: "nn.Module",
        pictures: "SegmentationPictures",
        plan: "TrainPlan",
        *,
        compose: "Callable[[int], SegmentationSet] | None" = None,
        out: Path,
        overwrite: bool = False,
    ) -> "History":
        """`fit_segmenter`."""
        from qat.tasks.segmentation.training import fit_segmenter

        return fit_segmenter(net, pictures, plan, compose=compose, out=out, overwrite=overwrite)

    def judge(
        self, net: "nn.Module", program: "Program", pictures: "SegmentationPictures"
    ) -> "tuple[Quality, Quality]":
        """Mean intersection over union."""
        from mobile_sdk.program.expected_scores import expected_scores
        from mobile_sdk.tasks.registry import task_of
        from qat.tasks.segmentation.training import evaluate_segmenter

        held_out, contract = pictures.validation, program.contract
        outputs = expected_scores(program, held_out.bytes(contract.image))
        of_int8 = task_of(contract).quality(outputs, held_out.masks_in(contract.image), contract)
        return evaluate_segmenter(net, held_out), of_int8
