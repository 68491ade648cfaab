"""Trains and evaluates classifiers, float nets and fake-quantized ones alike."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from mobile_sdk.arguments import NOTHING, described, expect
from mobile_sdk.contract import Contract
from mobile_sdk.errors import CaptureError, DataError, SettingError
from mobile_sdk.system.progress import Progress
from mobile_sdk.tasks.class_quality import right_counts, shares_of
from qat.arguments.nets import CONTRACT_HINT, expect_float32, expect_net, expect_plan, expect_to_learn, folder_or_none
from qat.data.arguments import to_judge_by, to_learn_from
from qat.data.augmentation.classification import Augmentation
from qat.data.content_hash import Fingerprint, data_fingerprint
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.distributed.processes import current_processes
from qat.layers.memory_format import device_of
from qat.progress import shown
from qat.training.batches import decode_ahead, evaluation_batches, steps_per_epoch, training_batches
from qat.training.checkpoint import hash_net
from qat.training.history import History, Validation
from qat.training.label_loss import balanced, label_loss
from qat.training.loop import train
from qat.training.plan import TrainPlan
from qat.training.plan_check import check_folder, check_labels_are_read, check_net_fits

if TYPE_CHECKING:
    from qat.training.teacher import DistillationLoss


def fit(
    net: nn.Module,
    pictures: Pictures,
    plan: TrainPlan | None = None,
    *,
    teacher: nn.Module | None = None,
    contract: Contract | None = None,
    out: Path | str | None = None,
    resume: bool = True,
    overwrite: bool = False,
    progress: Progress = True,
) -> History:
    """Trains `net` in place by `plan` (the default plan if None) and leaves it in eval() mode with the result.

    The net reads `(byte - mean_byte) / std_byte`, or arrays' numbers, `(batch, *contract.input.shape)` float32, maps
    channels last, on the device where its parameters are. `contract` defaults to the attribute `contract` of the
    net. With a folder `out`, every epoch leaves a checkpoint there; the same call continues from it, and its result
    equals an undisturbed run's bit for bit on the same machine, because each epoch draws from its own seed. With
    more epochs it continues a finished run, the further ones by the plan's schedule over them alone. Another run's
    checkpoint is only replaced with `overwrite`, and the run's own with `resume=False`. Started by `torchrun`,
    several processes train together; the plan's batch is that of all of them. A plan with `distillation` learns
    from `teacher`, the float net, which stays as it is, and needs no labels. Raises SettingError for no contract,
    labels that differ from the pictures', neither labels nor a teacher, a teacher that does not fit, a loss that is
    not finite, or another run in `out`.

    Example: `history = qat.fit(net, qat.load_folder("photos"), qat.TrainPlan(epochs=10), out="runs/photos")`
    """
    expect_to_learn(net)
    to_learn_from(pictures, Pictures, "load_folder")
    expect_plan(plan, TrainPlan)
    if teacher is not None:
        expect_net(teacher, name="teacher")
    expect("contract", contract, Contract, NOTHING, hint=CONTRACT_HINT)
    plan, contract = (plan or TrainPlan()).augmenting(Augmentation), contract or contract_of(net)
    check_folder(out, resume=resume, overwrite=overwrite)
    check_net_fits(plan, net)
    folder = folder_or_none(out)
    with shown(progress), current_processes().at_work(net):
        objective = _Classification(net, pictures, plan, contract, teacher)
        return train(net, objective, plan, contract, out=folder, resume=resume, overwrite=overwrite)


def evaluate(
    net: nn.Module,
    pictures: Pictures | PictureSet,
    contract: Contract | None = None,
    *,
    progress: Progress = True,
) -> float:
    """Returns the share (0..1) of `pictures` whose highest score is their label's; leaves `net` in its mode.

    Of pictures in two parts the validation part is taken; those without a label do not count. Raises DataError if there
    are no pictures, or none has a label.
    """
    expect_float32(net)
    expect("contract", contract, Contract, NOTHING, hint=CONTRACT_HINT)
    pictures = to_judge_by(pictures, PictureSet, "load_folder")
    if max(pictures.targets, default=-1) < 0:
        found = f"{len(pictures)} without" if len(pictures) else "none"
        raise DataError(f"expected pictures with labels to evaluate on, found {found}", hint="lay them out by label")
    with shown(progress):
        winners = scores(net, pictures, contract or contract_of(net)).argmax(dim=1)
    targets = torch.tensor(pictures.targets)
    return (winners == targets).sum().item() / int((targets >= 0).sum())


@torch.no_grad()
def scores(net: nn.Module, pictures: PictureSet, contract: Contract) -> Tensor:
    """Returns the scores of `net` for `pictures`, (pictures, classes) float32 on the CPU; leaves its mode as it was."""
    device = device_of(net)
    was_training = net.training
    net.eval()
    batches = [_scored(net, rgb, contract).cpu() for rgb, _ in evaluation_batches(pictures, contract.input, device)]
    net.train(was_training)
    return torch.cat(batches)


def contract_of(net: nn.Module) -> Contract:
    """Returns the contract of a net of `qat.build_net` or `qat.prepare`; raises SettingError if it has none."""
    contract = getattr(net, "contract", None)
    if not isinstance(contract, Contract):
        raise SettingError(
            f"expected a contract, found none on this {type(net).__name__}", hint="pass contract=Contract(…)"
        )
    return contract


def _scored(net: nn.Module, rgb: Tensor, contract: Contract) -> Tensor:
    """Returns the net's scores; raises CaptureError if its output is something else."""
    found = net(rgb)
    if isinstance(found, Tensor) and found.shape == (len(rgb), len(contract.labels)) and found.is_floating_point():
        return found
    mode = "train()" if net.training else "eval()"
    raise CaptureError(
        f"expected a net that gives scores ({len(rgb)}, {len(contract.labels)}) in {mode}, found {described(found)}",
        hint="return the scores alone, one for every label",
    )


class _Classification:
    """Trains a net to classify pictures by their labels, by a teacher, or by both."""

    gradient_limit: float | None = None

    def __init__(
        self, net: nn.Module, pictures: Pictures, plan: TrainPlan, contract: Contract, teacher: nn.Module | None
    ) -> None:
        if contract.labels != pictures.labels:
            raise SettingError(
                f"expected pictures with the contract's {len(contract.labels)} labels, found others: "
                f"{', '.join(sorted(set(contract.labels) ^ set(pictures.labels))[:5]) or 'another order'}",
                hint="make the contract with labels=pictures.labels",
            )
        self._net, self._plan, self._contract, self._teacher = net, plan, contract, teacher
        self._pictures, self._train = pictures, pictures.train
        self._validation = current_processes().own(pictures.validation)
        self._validated = len(pictures.validation)
        self._distillation, self._is_labelled = _distillation_loss(net, teacher, plan, contract), _is_labelled(pictures)
        if not self._is_labelled:
            if self._distillation is None:
                raise SettingError("expected pictures with labels, or a teacher, found neither", hint="pass teacher=")
            self._validation = _labelled_by_teacher(self._validation, self._distillation, net, contract)
        check_labels_are_read(plan, pictures.train.targets)
        decode_ahead(replace(pictures, validation=self._validation), contract.input, plan)
        self._balance = balanced(_counts(pictures.train, len(contract.labels))) if plan.class_balance else None
        self._right: Tensor | int = 0
        self._seen: Tensor | int = 0

    def fingerprint(self) -> Fingerprint:
        teacher = hash_net(self._teacher) if self._teacher else "none"
        return {**data_fingerprint(self._pictures.train, self._pictures.validation, "labels"), "teacher": teacher}

    def batches(self, epoch: int) -> tuple[int, Iterator[tuple[Tensor, Tensor]]]:
        if self._distillation:
            for module in self._net.modules():
                if isinstance(module, _DropoutNd):
                    module.eval()  # the teacher drops nothing: what is dropped would be all that is learned from
        self._right, self._seen = 0, 0
        device = device_of(self._net)
        batches = training_batches(self._train, self._contract.input, self._plan, epoch, device)
        return steps_per_epoch(self._train, self._plan), batches

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        (rgb, targets), smoothing = batch, self._plan.smoothing
        if self._distillation:
            loss, scores = self._distillation(rgb, targets, smoothing, self._balance)
        else:
            scores = _scored(self._net, rgb, self._contract)
            loss = label_loss(scores, targets, ignored=-1, smoothing=smoothing, balance=self._balance)
        self._right += (scores.detach().argmax(dim=1) == targets).sum()
        self._seen += (targets >= 0).sum()
        return loss

    def validate(self) -> Validation:
        winners = scores(self._net, self._validation, self._contract).argmax(dim=1).numpy()
        own = right_counts(winners, np.array(self._validation.targets), len(self._contract.labels))
        right, seen, *of_labels = current_processes().total(int(self._right), int(self._seen), *own.flatten())
        counts = np.array(of_labels).reshape(2, -1)
        share = float(counts[0].sum()) / self._validated
        if not self._is_labelled:
            return Validation(shares={"validation_agreement_share": share})
        shares = {"train_accuracy_share": right / seen if seen else None, "validation_accuracy_share": share}
        return Validation(shares=shares, by_label=shares_of(counts))


def _distillation_loss(
    net: nn.Module, teacher: nn.Module | None, plan: TrainPlan, contract: Contract
) -> "DistillationLoss | None":
    if (teacher is None) != (plan.distillation is None):
        found = "a teacher alone" if plan.distillation is None else "distillation alone"
        raise SettingError(
            f"expected a teacher and a plan with distillation, or neither, found {found}",
            hint="pass teacher=the float net, and TrainPlan.distil()",
        )
    if teacher is None or plan.distillation is None:
        return None
    from qat.training.teacher import DistillationLoss  # it captures nets: float training does without torchao

    return DistillationLoss(net, teacher, contract, plan.distillation)


def _counts(pictures: PictureSet, labels: int) -> list[int]:
    """Returns how many pictures each label has."""
    return [int(count) for count in right_counts(np.array(pictures.targets), np.array(pictures.targets), labels)[1]]


def _is_labelled(pictures: Pictures) -> bool:
    return max(pictures.train.targets, default=-1) >= 0 and min(pictures.validation.targets, default=0) >= 0


def _labelled_by_teacher(
    pictures: PictureSet, teacher: "DistillationLoss", net: nn.Module, contract: Contract
) -> PictureSet:
    """Returns the pictures with the teacher's labels: accuracy on them is agreement with it."""
    batches = evaluation_batches(pictures, contract.input, device_of(net))
    winners = tuple(int(label) for rgb, _ in batches for label in teacher.labels_of(rgb))
    return replace(pictures, targets=winners)
