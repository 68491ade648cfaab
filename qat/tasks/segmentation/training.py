"""Trains segmenters, float and fake-quantized ones alike, by the same plans as classifiers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mobile_sdk.arguments import NOTHING, expect
from mobile_sdk.contract import Contract
from mobile_sdk.system.progress import Progress
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.tasks.segmentation import VOID, mean_iou
from qat.arguments.nets import CONTRACT_HINT, expect_net
from qat.data.arguments import to_judge_by
from qat.data.augmentation.segmentation import SegmentationAugmentation
from qat.data.masks.pictures import SegmentationPictures, SegmentationSet
from qat.distributed.processes import current_processes
from qat.layers.memory_format import device_of
from qat.tasks.annotated import AnnotatedObjective
from qat.tasks.classification.training import contract_of
from qat.training.annotated_batches import outputs_of
from qat.training.history import History, Validation
from qat.training.label_loss import balanced, label_loss
from qat.training.plan import TrainPlan

Composer = Callable[[int], SegmentationSet]
"""Returns the training pictures of an epoch (0-based), equal ones at every call."""


_COUNTED = 32  # masks at a time


def fit_segmenter(
    net: nn.Module,
    pictures: SegmentationPictures,
    plan: TrainPlan | None = None,
    *,
    compose: Composer | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> History:
    """Trains a net of `build_segmenter`, or a `prepare`d one, in place by `plan` and leaves it in eval() mode.

    The loss is the cross-entropy of all pixels that are not void. `compose` makes new pictures for every epoch in place
    of `pictures.train`, equal ones at every call for one. With a folder `out` every epoch leaves a checkpoint there,
    from which the same call continues; another run's is only replaced with `overwrite`. Raises SettingError for other
    labels than the pictures', a setting of the plan without effect on a segmenter's loss, a loss that is not finite, or
    another run in `out`.
    """
    return _Segmentation.fit(net, pictures, plan, compose=compose, out=out, overwrite=overwrite, progress=progress)


def evaluate_segmenter(
    net: nn.Module, pictures: SegmentationPictures | SegmentationSet, contract: Contract | None = None
) -> Quality:
    """Returns the mean intersection over union of `net` on `pictures`; leaves it in eval() mode.

    Of pictures in two parts the validation part is taken. A net of your own needs a `contract`.
    """
    expect_net(net)
    expect("contract", contract, Contract, NOTHING, hint=CONTRACT_HINT)
    pictures = to_judge_by(pictures, SegmentationSet, "load_mask_folder")
    contract = contract or contract_of(net)
    masks = _masks(net, pictures, contract)
    return mean_iou(masks.numpy(), pictures.masks_in(contract.image), len(contract.labels))


def _masks(net: nn.Module, pictures: SegmentationSet, contract: Contract) -> Tensor:
    """Returns the labels that `net` gives the pictures' pixels, (pictures, height, width) uint8."""
    return torch.cat([scores.argmax(dim=1).byte() for scores in outputs_of(net.eval(), pictures, contract.image)])


def _pixels(pictures: SegmentationSet, contract: Contract) -> list[int]:
    """Returns how many pixels of the net's pictures each label has, from some masks at a time to save memory."""
    parts = (pictures[first : first + _COUNTED] for first in range(0, len(pictures), _COUNTED))
    counts = np.zeros(VOID + 1, np.int64)
    for part in parts:
        counts += np.bincount(part.masks_in(contract.image).ravel(), minlength=VOID + 1)
    return [int(count) for count in counts[: len(contract.labels)]]


class _Segmentation(AnnotatedObjective[SegmentationPictures, SegmentationSet, tuple[Tensor, Tensor]]):
    """Trains a net to label every pixel by pictures' masks."""

    net_name, annotations, loader = "segmenter", "masks", "load_mask_folder"
    pictures_type, augmentation_type = SegmentationPictures, SegmentationAugmentation
    idle_settings = ("distillation",)
    _balance: Tensor | None = None

    @classmethod
    def default_plan(cls) -> TrainPlan:
        return TrainPlan.segmenter()

    def batches(self, epoch: int) -> tuple[int, Iterator[tuple[Tensor, Tensor]]]:
        train, device = self._train.of_epoch(epoch), device_of(self._net)
        if self._plan.class_balance and (self._balance is None or self._train.compose):
            self._balance = balanced(_pixels(train, self._contract))
        steps, batches = self.annotated_batches(train, epoch)
        return steps, ((rgb, torch.from_numpy(np.stack(masks)).long().to(device)) for rgb, masks in batches)

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        rgb, masks = batch
        return label_loss(self._net(rgb), masks, ignored=VOID, smoothing=self._plan.smoothing, balance=self._balance)

    def validate(self) -> Validation:
        masks = current_processes().gathered(_masks(self._net, self._held_out, self._contract))
        truths = self._pictures.validation.masks_in(self._contract.image)
        return Validation.of(mean_iou(masks.numpy(), truths, len(self._contract.labels)))
