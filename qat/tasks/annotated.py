"""Trains nets on annotated images, whether with boxes or with masks: all but the loss and the measure."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from torch import Tensor, nn

from mobile_sdk.contract import Contract
from mobile_sdk.errors import SettingError
from mobile_sdk.system.progress import Progress
from qat.arguments.nets import expect_net, expect_plan, folder_or_none
from qat.data.arguments import to_learn_from
from qat.data.content_hash import Fingerprint, data_fingerprint
from qat.distributed.processes import current_processes
from qat.layers.memory_format import device_of
from qat.progress import shown
from qat.tasks.classification.training import contract_of
from qat.training.annotated_batches import own_batches
from qat.training.epoch_pictures import TrainingPictures
from qat.training.history import History, Validation
from qat.training.loop import train
from qat.training.plan import TrainPlan
from qat.training.plan_check import check_folder, check_net_fits, check_unread

Pictures = TypeVar("Pictures", bound=Any)  # in two parts
Set = TypeVar("Set", bound=Any)  # of annotated pictures
Batch = TypeVar("Batch")


class AnnotatedObjective(ABC, Generic[Pictures, Set, Batch]):
    """Trains a net on images with annotations, for the training loop; a subclass adds the loss and the measure.

    `compose` returns the training images of a 0-based epoch, in place of those in `pictures`.
    """

    gradient_limit: float | None = None
    net_name: ClassVar[str]  # the name in errors
    annotations: ClassVar[str]
    loader: ClassVar[str]  # the function that loads such pictures
    pictures_type: ClassVar[type]
    augmentation_type: ClassVar[type]
    idle_settings: ClassVar[Sequence[str]]  # settings of a plan without effect on the loss

    def __init__(
        self,
        net: nn.Module,
        pictures: Pictures,
        plan: TrainPlan,
        contract: Contract,
        compose: Callable[[int], Set] | None,
    ) -> None:
        self._net, self._pictures, self._plan, self._contract = net, pictures, plan, contract
        self._train = TrainingPictures[Any](
            pictures.train, compose, contract.image, are_augmented=plan.augmentation is not None
        )
        self._held_out = current_processes().own(pictures.validation)

    @classmethod
    @abstractmethod
    def default_plan(cls) -> TrainPlan:
        """Returns the plan of a run that names none."""

    @classmethod
    def check(cls, pictures: Pictures, contract: Contract) -> None:
        """Raises DataError for annotations that the task cannot learn from."""

    @abstractmethod
    def batches(self, epoch: int) -> tuple[int, Iterator[Batch]]:
        """Returns the number of steps of the 0-based `epoch`, and their batches."""

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Returns the loss of a step."""

    @abstractmethod
    def validate(self) -> Validation:
        """Returns the quality on held-out pictures."""

    def fingerprint(self) -> Fingerprint:
        """Returns a hash of each part of the data."""
        return data_fingerprint(self._train.before_the_run(), self._pictures.validation, self.annotations)

    def annotated_batches(self, train: Set, epoch: int) -> tuple[int, Iterator[tuple[Tensor, list[Any]]]]:
        """Returns the number of steps of the epoch, and batches of images and annotations out of `train`."""
        assert isinstance(self._plan.augmentation, self.augmentation_type | None)
        augmentation: Any = self._plan.augmentation
        return own_batches(train, self._contract.image, self._plan, augmentation, epoch, device_of(self._net))

    @classmethod
    def fit(
        cls,
        net: nn.Module,
        pictures: Pictures,
        plan: TrainPlan | None,
        *,
        compose: Callable[[int], Set] | None,
        out: Path | str | None,
        overwrite: bool,
        progress: Progress,
    ) -> History:
        """Checks the arguments, and trains `net` in place."""
        expect_net(net)
        to_learn_from(pictures, cls.pictures_type, cls.loader)
        expect_plan(plan, TrainPlan)
        plan, contract = plan or cls.default_plan(), contract_of(net)
        has_sides, composes = pictures.train.has_sides, compose is not None
        plan = plan.augmenting(cls.augmentation_type, has_sides=has_sides, composes=composes)
        if contract.labels != pictures.labels:
            raise SettingError("expected pictures with the contract's labels, found others", hint="use pictures.labels")
        cls.check(pictures, contract)
        check_unread(plan, cls.net_name, cls.idle_settings)
        check_folder(out, overwrite=overwrite)
        check_net_fits(plan, net)
        with shown(progress), current_processes().at_work(net):
            objective = cls(net, pictures, plan, contract, compose)
            return train(net, objective, plan, contract, out=folder_or_none(out), overwrite=overwrite)
