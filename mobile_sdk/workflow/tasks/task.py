"""Declares the protocol of a task: its pictures, plans and nets, their training, and their quality."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import torch
from torch import nn

from mobile_sdk import contract as contracts
from mobile_sdk.contract import Contract, ImageSpec, NetInput, SizePx
from mobile_sdk.contract.input_text import image_as_asked, size_px
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.program.program import Program
from mobile_sdk.workflow.choices import DIGITS, check_choice
from mobile_sdk.workflow.contracts import make_contract
from mobile_sdk.workflow.tasks.labelled_pictures import labels_line
from qat.calibration.plan import CalibrationPlan
from qat.data.picture_set import PictureSet
from qat.training.history import History
from qat.training.optimization.phases import HELD
from qat.training.plan import TrainPlan

Pictures = TypeVar("Pictures", bound=Any)  # in two parts, `train` and `validation`, with their `labels`
Composer = Callable[[int], Any]
"""It returns the training pictures of an epoch (0-based), always the same ones for one."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """Describes a head on a backbone: its title, and its settings for a builder."""

    title: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    has_output_stride: bool = False


class Task(ABC, Generic[Pictures]):
    """Holds all that differs between tasks; the pipeline asks the task and never its name.

    A net starts from weights, keeps them untrained, or learns from a teacher only if `starts_from_weights`.
    """

    name: ClassVar[contracts.Task]
    title_of_pictures: ClassVar[str]
    measure: ClassVar[str]  # as people read it: "average precision"
    json_measure: ClassVar[str]  # the key in the JSON of `train`
    heads: ClassVar[Mapping[str, Head]] = {}  # by name, the default first; none for a task of whole nets
    recipes: ClassVar[tuple[str, ...]] = ()
    starts_from_weights: ClassVar[bool] = False
    compares_scores: ClassVar[bool] = False  # outputs are only scores, whose distance from others is a figure in dB
    epochs_in_int8: ClassVar[int] = 0  # if none are asked for
    fit: ClassVar[Literal["crop", "stretch"]] = "stretch"  # it keeps positions in a picture
    digits_px: ClassVar[int] = 128  # the side of the built-in pictures
    others_px: ClassVar[int]  # the side in the task's papers

    def __init__(self, head: str | None = None, output_stride: int | None = None) -> None:
        """Takes one of the task's heads and its output stride; raises SettingError if the task has none such."""
        self.head = self._chosen(head)
        self.net_settings: dict[str, Any] = dict(self.head.settings) if self.head else {}
        if output_stride is not None:
            if self.head is None or not self.head.has_output_stride:
                raise SettingError(f"expected no --output-stride for {self.name}, found one", hint="leave it out")
            self.net_settings["output_stride"] = output_stride

    def _chosen(self, name: str | None) -> Head | None:
        if not self.heads:
            return None
        return self.heads[check_choice("a head", name or next(iter(self.heads)), self.heads)]

    @classmethod
    def of(cls, net_settings: Mapping[str, Any]) -> Self:
        """Returns the task whose nets have those settings."""
        rest = {key: value for key, value in net_settings.items() if key != "output_stride"}
        head = next((name for name, each in cls.heads.items() if dict(each.settings) == rest), None)
        return cls(head, net_settings.get("output_stride"))

    def title(self, net: str) -> str:
        """Returns the name of the net on that backbone: "SSDLite on mobilenet_v2"."""
        return f"{self.head.title} on {net}" if self.head else net

    def size_px(self, data: str, size: int | str | None) -> SizePx:
        """Returns the pictures' size: as asked, else the built-in pictures' or the papers'."""
        return size_px(size) or (self.digits_px if data == DIGITS else self.others_px)

    def image(self, data: str, size: int | str | None, channels: int | None = None) -> ImageSpec:
        """Returns the preprocessing of a net that starts from random weights."""
        return image_as_asked(ImageSpec(size_px=self.size_px(data, size), fit=self.fit), None, channels)

    def contract(self, name: str | None, data: str, labels: tuple[str, ...], source: NetInput) -> Contract:
        """Returns the contract of that name, or the data's."""
        return make_contract(name, data, labels, source, task=self.name, **self.contract_settings())

    def contract_settings(self) -> dict[str, Any]:
        """Returns the fields of this task's contract besides name, labels and image."""
        return {}

    def header(self, net: str, width: float) -> dict[str, Any]:
        """Returns the header of a file of the net's weights."""
        return {"net": net, "width": width, "net_settings": self.net_settings}

    @abstractmethod
    def load_pictures(self, data: str) -> Pictures:
        """Returns the built-in pictures, or a folder's."""

    def pictures_of(self, contract: Contract, data: str) -> Pictures:
        """Returns the pictures for a net that has its contract."""
        return self.in_order_of(contract, self.load_pictures(data))

    def in_order_of(self, contract: Contract, pictures: Pictures) -> Pictures:
        """Returns the pictures with truths that index the contract's labels; raises DataError if they have others.

        Pictures with boxes may have fewer labels or another order: PASCAL VOC's name only the labels of their objects.
        """
        with_labels = getattr(pictures, "with_labels", None)
        if with_labels and set(pictures.labels) <= set(contract.labels):
            pictures = with_labels(contract.labels)
        if pictures.labels != contract.labels:
            raise DataError(
                f"expected pictures with the {len(contract.labels)} labels of {contract.name}, in its order, found "
                f"others: {', '.join(pictures.labels[:5])}",
                hint="name the pictures that the net was trained with, or others with the same labels",
            )
        return pictures

    def described(self, pictures: Pictures) -> str:
        """Returns a line with the labels, in the order of the scores."""
        return labels_line(pictures.labels)

    def check_labelled(self, pictures: Pictures, data: str) -> None:
        """Raises DataError for pictures that a float net cannot be trained on."""

    def is_labelled(self, pictures: Pictures) -> bool:
        """Returns True if a float net can be trained on the pictures."""
        return True

    def composer(self, count: int, data: str, seed: int) -> Composer | None:
        """Returns a composer of fresh built-in pictures for every epoch; None if the data is not composed."""
        return None

    @abstractmethod
    def plan(self, recipe: str | None, data: str, epochs: int | None, seed: int) -> TrainPlan:
        """Returns the plan of a net that starts from random weights."""

    def epochs_of_run(self, data: str) -> int | None:
        """Returns the float epochs of `run`, if none are asked for; None leaves them to the plan."""
        return None

    @abstractmethod
    def augmenting(self, plan: TrainPlan, pictures: Pictures, *, composes: bool) -> TrainPlan:
        """Returns the plan with the task's own augmentation."""

    def plan_in_int8(self, epochs: int, after: TrainPlan, *, can_teach: bool) -> TrainPlan:
        """Returns the plan for int8 after calibration, whose ranges and statistics are held."""
        return replace(TrainPlan.finetune(epochs, after=after), phases=(HELD,))

    def calibration(self, *, has_pictures: bool = True) -> CalibrationPlan:
        """Returns the default plan for calibration."""
        return CalibrationPlan(round_weights=True, correct_biases=True, reconstruct=False)

    @abstractmethod
    def build(self, net: str, contract: Contract, width: float) -> nn.Module:
        """Returns the net on that backbone; raises SettingError if there is none."""

    def check_net(self, net: str, width: float, image: ImageSpec) -> None:
        """Raises SettingError for a net that cannot be built, before pictures are read for it."""
        with torch.device("meta"):
            self.build(net, self.contract("check", DIGITS, ("one", "other"), image), width)

    @abstractmethod
    def train(
        self,
        net: nn.Module,
        contract: Contract,
        pictures: Pictures,
        plan: TrainPlan,
        *,
        teacher: nn.Module | None = None,
        compose: Composer | None = None,
        out: Path,
        overwrite: bool = False,
    ) -> History:
        """Trains the net in place, in float or in int8."""

    def check_outputs(self, net: nn.Module, name: str, contract: Contract) -> None:
        """Raises CaptureError for a net whose outputs are not the contract's, before anything long begins."""

    @abstractmethod
    def to_calibrate_on(self, pictures: Pictures) -> PictureSet:
        """Returns the training pictures, without their truths."""

    @abstractmethod
    def judged(self, net: nn.Module, program: Program, held_out: Any) -> dict[str, Any]:
        """Returns a record's fields with the quality of float net and int8 reference on the held-out part."""
