"""Trains detectors, float and fake-quantized ones alike, by the same plans as classifiers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from mobile_sdk.contract import Contract
from mobile_sdk.errors import SettingError
from mobile_sdk.system.progress import Progress
from mobile_sdk.tasks.boxes import Truth
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.tasks.registry import task_of
from qat.arguments.nets import expect_net, expect_plan, folder_or_none
from qat.data.arguments import to_judge_by, to_learn_from
from qat.data.augmentation.detection import DetectionAugmentation
from qat.data.boxes.pictures import DetectionPictures, DetectionSet, check_truths
from qat.data.content_hash import Fingerprint, data_fingerprint
from qat.distributed.processes import current_processes
from qat.layers.box_decoder import Decoder
from qat.layers.memory_format import device_of
from qat.progress import shown
from qat.tasks.classification.training import contract_of
from qat.tasks.detection.loss import MultiboxLoss
from qat.training.annotated_batches import outputs_of, own_batches
from qat.training.epoch_pictures import TrainingPictures
from qat.training.history import History, Validation
from qat.training.loop import train
from qat.training.plan import TrainPlan
from qat.training.plan_check import check_folder, check_net_fits, check_unread

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
    expect_net(net)
    to_learn_from(pictures, DetectionPictures, "load_box_folder")
    expect_plan(plan, TrainPlan)
    plan, contract = plan or TrainPlan.detector(), contract_of(net)
    plan = plan.augmenting(DetectionAugmentation, has_sides=pictures.train.has_sides, composes=compose is not None)
    if contract.labels != pictures.labels:
        raise SettingError("expected pictures with the contract's labels, found others", hint="use pictures.labels")
    for part in (pictures.train, pictures.validation):
        check_truths(part, len(contract.labels))
    check_unread(plan, "detector", ("label_smoothing", "class_balance", "distillation"))
    check_folder(out, overwrite=overwrite)
    check_net_fits(plan, net)
    with shown(progress), current_processes().at_work(net):
        task = _Detection(net, pictures, plan, contract, compose)
        folder = folder_or_none(out)
        return train(net, task, plan, contract, out=folder, overwrite=overwrite)


def evaluate_detector(net: nn.Module, pictures: DetectionPictures | DetectionSet) -> Quality:
    """Returns COCO's average precision of `net` on `pictures`; leaves it in eval() mode.

    Of pictures in two parts the validation part is taken.
    """
    expect_net(net)
    pictures = to_judge_by(pictures, DetectionSet, "load_box_folder")
    contract = contract_of(net)
    check_truths(pictures, len(contract.labels))
    outputs = torch.cat([*outputs_of(net.eval(), pictures, contract.image)])
    return task_of(contract).quality(outputs.numpy(), pictures.truths_in(contract.image), contract)


def decoder_of(net: nn.Module) -> Decoder:
    """Returns the net's box decoder; raises SettingError if it has none."""
    found = next((module for module in net.modules() if isinstance(module, Decoder)), None)
    if found is None:
        raise SettingError(f"expected a detector, found {type(net).__name__}", hint="use build_detector")
    return found


class _Detection:
    """Trains a net to detect objects by pictures' boxes."""

    gradient_limit: float | None = 10.0

    def __init__(
        self,
        net: nn.Module,
        pictures: DetectionPictures,
        plan: TrainPlan,
        contract: Contract,
        compose: Composer | None,
    ) -> None:
        self._net, self._pictures, self._plan, self._contract = net, pictures, plan, contract
        self._train = TrainingPictures(
            pictures.train, compose, contract.image, are_augmented=plan.augmentation is not None
        )
        self._held_out = current_processes().own(pictures.validation)
        self._loss = MultiboxLoss(decoder_of(net))

    def fingerprint(self) -> Fingerprint:
        return data_fingerprint(self._train.before_the_run(), self._pictures.validation, "boxes")

    def batches(self, epoch: int) -> tuple[int, Iterator[tuple[Tensor, list[Truth]]]]:
        train, image = self._train.of_epoch(epoch), self._contract.image
        augmentation = self._plan.augmentation
        assert isinstance(augmentation, DetectionAugmentation | None)
        return own_batches(train, image, self._plan, augmentation, epoch, device_of(self._net))

    def loss(self, batch: tuple[Tensor, list[Truth]]) -> Tensor:
        rgb, truths = batch
        loss: Tensor = self._loss(self._net(rgb), truths)
        return loss

    def validate(self) -> Validation:
        image = self._contract.image
        outputs = current_processes().gathered(torch.cat([*outputs_of(self._net.eval(), self._held_out, image)]))
        truths = self._pictures.validation.truths_in(image)
        return Validation.of(task_of(self._contract).quality(outputs.numpy(), truths, self._contract))
