"""Trains detectors, float and fake-quantized ones alike, by the same plans as classifiers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mobile_sdk.arguments import NOTHING, expect
from mobile_sdk.contract import Contract
from mobile_sdk.errors import SettingError
from mobile_sdk.system.progress import Progress
from mobile_sdk.tasks.boxes import Truth
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.tasks.registry import task_of
from qat.arguments.nets import CONTRACT_HINT, expect_net
from qat.data.arguments import to_judge_by
from qat.data.augmentation.detection import DetectionAugmentation
from qat.data.boxes.pictures import DetectionPictures, DetectionSet, check_truths
from qat.distributed.processes import current_processes
from qat.layers.box_decoder import Decoder
from qat.tasks.annotated import AnnotatedObjective
from qat.tasks.classification.training import contract_of
from qat.tasks.detection.loss import MultiboxLoss
from qat.training.annotated_batches import outputs_of
from qat.training.history import History, Validation
from qat.training.plan import TrainPlan

Composer = Callable[[int], DetectionSet]
"""Returns the training pictures of an epoch (0-based), equal ones at every call."""


def fit_detector(
    net: nn.Module,
    pictures: DetectionPictures,
    plan: TrainPlan | None = None,
    *,
    compose: Composer | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> History:
    """Trains a net of `build_detector`, or a `prepare`d one, in place by `plan` and leaves it in eval() mode.

    `compose` makes new pictures for every epoch in place of `pictures.train`, equal ones at every call for one. With a
    folder `out` every epoch leaves a checkpoint there, from which the same call continues; another run's is only
    replaced with `overwrite`.

    Raises SettingError for no detector, boxes that are none, other labels than the pictures', a setting of the plan
    without effect on a detector's loss, a loss that is not finite, or another run in `out`.
    """
    return _Detection.fit(net, pictures, plan, compose=compose, out=out, overwrite=overwrite, progress=progress)


def evaluate_detector(
    net: nn.Module, pictures: DetectionPictures | DetectionSet, contract: Contract | None = None
) -> Quality:
    """Returns COCO's average precision of `net` on `pictures`; leaves it in eval() mode.

    Of pictures in two parts the validation part is taken. A net that states no contract needs `contract`.
    """
    expect_net(net)
    expect("contract", contract, Contract, NOTHING, hint=CONTRACT_HINT)
    pictures = to_judge_by(pictures, DetectionSet, "load_box_folder")
    contract = contract or contract_of(net)
    check_truths(pictures, len(contract.labels))
    outputs = torch.cat([*outputs_of(net.eval(), pictures, contract.image)])
    return task_of(contract).quality(outputs.numpy(), pictures.truths_in(contract.image), contract)


def decoder_of(net: nn.Module) -> Decoder:
    """Returns the net's box decoder; raises SettingError if it has none."""
    found = next((module for module in net.modules() if isinstance(module, Decoder)), None)
    if found is None:
        raise SettingError(f"expected a detector, found {type(net).__name__}", hint="use build_detector")
    return found


class _Detection(AnnotatedObjective[DetectionPictures, DetectionSet, tuple[Tensor, list[Truth]]]):
    """Trains a net to detect objects by pictures' boxes."""

    gradient_limit = 10.0
    net_name, annotations, loader = "detector", "boxes", "load_box_folder"
    pictures_type, augmentation_type = DetectionPictures, DetectionAugmentation
    idle_settings = ("label_smoothing", "class_balance", "distillation")

    def __init__(self, net: nn.Module, *of_the_run: Any) -> None:
        super().__init__(net, *of_the_run)
        self._loss = MultiboxLoss(decoder_of(net))

    @classmethod
    def default_plan(cls) -> TrainPlan:
        return TrainPlan.detector()

    @classmethod
    def check(cls, pictures: DetectionPictures, contract: Contract) -> None:
        for part in (pictures.train, pictures.validation):
            check_truths(part, len(contract.labels))

    def batches(self, epoch: int) -> tuple[int, Iterator[tuple[Tensor, list[Truth]]]]:
        return self.annotated_batches(self._train.of_epoch(epoch), epoch)

    def loss(self, batch: tuple[Tensor, list[Truth]]) -> Tensor:
        rgb, truths = batch
        loss: Tensor = self._loss(self._net(rgb), truths)
        return loss

    def validate(self) -> Validation:
        image = self._contract.image
        outputs = current_processes().gathered(torch.cat([*outputs_of(self._net.eval(), self._held_out, image)]))
        truths = self._pictures.validation.truths_in(image)
        return Validation.of(task_of(self._contract).quality(outputs.numpy(), truths, self._contract))
