"""Implements segmentation: pictures with masks, LR-ASPP, mean intersection over union."""

from typing import ClassVar

import torch
from torch import nn

from mobile_sdk.contract import Contract
from mobile_sdk.errors import CaptureError
from mobile_sdk.workflow.tasks.annotated import AnnotatedTask, Functions
from mobile_sdk.workflow.tasks.score_check import count_map_scores
from mobile_sdk.workflow.tasks.task import Head
from qat.capture.float_scores import without_last_activation
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

    def check_outputs(self, net: nn.Module, name: str, contract: Contract) -> None:
        """Raises CaptureError if the net does not give every pixel one score a label."""
        found, labels = count_map_scores(name, net, contract.image), len(contract.labels)
        if found != labels:
            raise CaptureError(
                f"expected {labels} scores a pixel, one a label, found {found}",
                hint="give the net one channel per label, or the attribute `labels`, in the order of its scores",
            )

    def scoring(self, net: nn.Module, contract: Contract) -> nn.Module:
        """Returns the net; without a softmax or an argmax at its end if it does not give one map a label."""
        shape = contract.image.shape
        with torch.inference_mode():
            found = net(torch.zeros(1, *shape))
        if isinstance(found, torch.Tensor) and found.ndim == 4 and found.shape[1] == len(contract.labels):
            return net
        return without_last_activation(net, shape)
