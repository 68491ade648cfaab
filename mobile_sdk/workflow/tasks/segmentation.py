"""Implements segmentation: pictures with masks, LR-ASPP, mean intersection over union."""

from typing import ClassVar

from mobile_sdk.workflow.tasks.annotated import AnnotatedTask, Functions
from mobile_sdk.workflow.tasks.task import Head
from qat.data.augmentation.segmentation import SegmentationAugmentation
from qat.data.masks.composed_digits import composed_masks, fresh_masks
from qat.data.masks.folder import load_mask_folder
from qat.data.masks.pictures import SegmentationPictures, SegmentationSet
from qat.nets.segmenters import build_segmenter
from qat.tasks.segmentation.training import evaluate_segmenter, fit_segmenter
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
    functions = Functions(
        load_digits=composed_masks,
        fresh_digits=fresh_masks,
        load_folder=load_mask_folder,
        truths_in=SegmentationSet.masks_in,
        plan=TrainPlan.segmenter,
        build=build_segmenter,
        fit=fit_segmenter,
        evaluate=evaluate_segmenter,
    )
