"""What the verbs do where a net says more of a picture than one label: pictures → a float net → its int8 program."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar

from mobile_sdk.cli.options import DIGITS, check_choice
from mobile_sdk.cli.processes import end_others
from mobile_sdk.cli.run_folder import (
    INT8_TRAINING,
    PROGRAM,
    TRAINING,
    TWIN,
    check_net_file,
    plan_settings,
    save_trained,
    stage,
)
from mobile_sdk.cli.terminal import say, show_json
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.tasks.class_quality import ByClass, label_lines

if TYPE_CHECKING:
    from torch import nn

    from mobile_sdk import contract as contracts
    from mobile_sdk.contract import Contract, ImageSpec
    from mobile_sdk.program.program import Program
    from mobile_sdk.tasks.quality import Quality
    from qat.calibration.plan import CalibrationPlan
    from qat.training.history import History
    from qat.training.plan import Augmenting, TrainPlan


class Parted(Protocol):
    """Pictures for training and validation, and their labels."""

    @property
    def train(self) -> Any:
        """To learn from."""
        ...

    @property
    def validation(self) -> Any:
        """Held out."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of the scores."""
        ...


Pictures = TypeVar("Pictures", bound=Parted)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A trained net, the name of its backbone, its contract, how it was trained, and its measure label by label."""

    task: "Task[Any]"
    net: "nn.Module"
    name: str
    contract: "Contract"
    history: tuple[dict[str, Any], ...]
    by_label: ByClass | None = None


@dataclass(frozen=True, kw_only=True)
class Head:
    """What is put on a backbone: what it is called, and what a builder is told of it."""

    title: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    has_output_stride: bool = False


class Task(ABC, Generic[Pictures]):
    """What differs between the tasks; `size_px` is the built-in pictures' side, `papers_size_px` others'."""

    name: "ClassVar[contracts.Task]"
    heads: ClassVar[Mapping[str, Head]]  # by name, the default first
    measure: ClassVar[str]  # "average precision"
    share_field: ClassVar[str]  # what JSON calls it
    epochs: ClassVar[int]
    size_px: ClassVar[int] = 128
    papers_size_px: ClassVar[int]

    def __init__(self, head: str | None = None, output_stride: int | None = None) -> None:
        """The task with a head of its nets; SettingError for one that it does not have, or a stride that it has not."""
        self.head = self.heads[check_choice("a head", head or next(iter(self.heads)), tuple(self.heads))]
        self.net_settings: dict[str, Any] = dict(self.head.settings)
        if output_stride is not None:
            if not self.head.has_output_stride:
                raise SettingError(f"expected no --output-stride for {self.name}, found one", hint="leave it out")
            self.net_settings["output_stride"] = output_stride

    @classmethod
    def of(cls, net_settings: Mapping[str, Any]) -> Self:
        """The task whose nets have those settings."""
        rest = {key: value for key, value in net_settings.items() if key != "output_stride"}
        head = next(name for name, each in cls.heads.items() if dict(each.settings) == rest)
        return cls(head, net_settings.get("output_stride"))

    def title(self, net: str) -> str:
        """What the net on that backbone is called: "SSDLite on mobilenet_v2"."""
        return f"{self.head.title} on {net}"

    @abstractmethod
    def load_pictures(self, data: str) -> Pictures:
        """Composed of digits, or a folder's."""

    @abstractmethod
    def composer(self, count: int, seed: int) -> Callable[[int], Any]:
        """What composes fresh pictures of digits for every epoch."""

    @abstractmethod
    def plan(self, epochs: int, seed: int) -> "TrainPlan":
        """That of a net that begins with nothing."""

    @abstractmethod
    def augmentation(self) -> "type[Augmenting]":
        """How the task's pictures may be augmented."""

    @abstractmethod
    def build(self, name: str, contract: "Contract", width: float) -> "nn.Module":
        """The net on that backbone; SettingError where there is none."""

    @abstractmethod
    def fit(
        self,
        net: "nn.Module",
        pictures: Pictures,
        plan: "TrainPlan",
        *,
        compose: Callable[[int], Any] | None = None,
        out: Path,
        overwrite: bool = False,
    ) -> "History":
        """Trains in place."""

    @abstractmethod
    def judge(self, net: "nn.Module", program: "Program", pictures: Pictures) -> "tuple[Quality, Quality]":
        """The measure of the float net and of the reference on held-out pictures."""

    def side_px(self, data: str, size: int | None) -> int:
        """The pictures' side: as asked, else the built-in pictures', or the papers' for others."""
        return size or (self.size_px if data == DIGITS else self.papers_size_px)

    def contract(self, name: str, labels: tuple[str, ...], image: "ImageSpec") -> "Contract":
        """The contract of that name."""
        from mobile_sdk.contract import Contract, DetectionSpec

        spec = DetectionSpec() if self.name == "detection" else None
        return Contract(name=name, task=self.name, labels=labels, image=image, detection=spec)


def make_contract(task: Task[Any], name: str | None, data: str, labels: tuple[str, ...], size_px: int) -> "Contract":
    """The contract of a net of these pictures, which are stretched so that places stay; errors as for a classifier."""
    from mobile_sdk.cli.pictures import blaming_labels, data_name
    from mobile_sdk.contract import ImageSpec

    image = ImageSpec(size_px=size_px, fit="stretch")
    with blaming_labels(name):
        return task.contract(name or data_name(data), labels, image)


def check_net(task: Task[Any], name: str, width: float, size_px: int) -> None:
    """Raises SettingError for a net that cannot be built, before pictures are made for it."""
    import torch

    from mobile_sdk.contract import ImageSpec

    with torch.device("meta"):
        task.build(name, task.contract("check", ("one", "other"), ImageSpec(size_px=size_px, fit="stretch")), width)


def in_order_of(contract: "Contract", pictures: Pictures) -> Pictures:
    """The pictures with truths that count the contract's labels; DataError where they have others.

    Those with boxes may have fewer or in another order: PASCAL VOC's say the labels of their objects alone.
    """
    with_labels = getattr(pictures, "with_labels", None)
    if with_labels and set(pictures.labels) <= set(contract.labels):
        pictures = with_labels(contract.labels)
    if pictures.labels != contract.labels:
        raise DataError(
            f"expected pictures with the {len(contract.labels)} labels of {contract.name}, in its order, found others: "
            f"{', '.join(pictures.labels[:5])}",
            hint="name the pictures that the net was trained with, or others with the same labels",
        )
    return pictures


def choose_plan(task: Task[Any], epochs: int | None, seed: int) -> "TrainPlan":
    """The task's plan."""
    return task.plan(epochs or task.epochs, seed)


def plan_in_int8(epochs: int, after: "TrainPlan") -> "TrainPlan":
    """The plan for int8 after calibration, whose ranges and statistics are held."""
    from qat.training.optimization.phases import HELD
    from qat.training.plan import TrainPlan

    return replace(TrainPlan.finetune(epochs, after=after), phases=(HELD,))


def train(
    task: Task[Pictures],
    name: str,
    width: float,
    contract: "Contract",
    pictures: Pictures,
    plan: "TrainPlan",
    data: str,
    out: Path,
    *,
    overwrite: bool = False,
) -> Trained:
    """Trains the net on the named backbone in `out/train`, resuming there, and writes `out/net.safetensors`."""
    import torch

    from qat.distributed.torchrun import is_main_process
    from qat.nets.saved_net import SavedNet

    torch.manual_seed(plan.seed)
    net = task.build(name, contract, width)
    compose = task.composer(len(pictures.train), plan.seed) if data == DIGITS else None
    plan = _augmenting(task, plan, pictures, composes=compose is not None)
    check_net_file(out, overwrite)
    learned = task.fit(net, pictures, plan, compose=compose, out=out / TRAINING, overwrite=overwrite)
    history = stage("float", learned.epochs)
    saved = SavedNet(
        net=name,
        width=width,
        net_settings=task.net_settings,
        contract=contract,
        settings=plan_settings(plan),
        history=history,
        by_label=learned.by_label,
    )
    if is_main_process():
        save_trained(net, saved, out)
    return Trained(task=task, net=net, name=name, contract=contract, history=history, by_label=learned.by_label)


def quantize(
    source: Trained,
    pictures: Pictures,
    plan: "TrainPlan | None",
    out: Path,
    calibration: "CalibrationPlan | None" = None,
    *,
    keep_float: Sequence[str] = (),
    overwrite: bool = False,
) -> "Program":
    """Writes `out/program.pt2` and `out/float.pt2`: calibrated, and then trained in int8 by `plan` if there is one."""
    from mobile_sdk.program.record import Record
    from mobile_sdk.system.environment import installed_versions
    from qat.calibration.calibration import calibrate, stage_figures
    from qat.calibration.plan import CalibrationPlan
    from qat.freezing.freezing import float_twin, freeze
    from qat.preparation.preparation import prepare

    task, net, contract, history = source.task, source.net, source.contract, source.history
    prepared = prepare(net, contract, keep_float=keep_float)
    stages = calibrate(prepared, pictures.train.pictures, calibration or CalibrationPlan(reconstruct=False))
    plan = _augmenting(task, plan, pictures, composes=False) if plan else None
    settings: dict[str, Any] = plan_settings(plan) if plan else {}
    settings |= {"calibration": stage_figures(stages), "calibrated_on": "pictures"}
    if plan:
        learned = task.fit(prepared, pictures, plan, out=out / INT8_TRAINING, overwrite=overwrite)
        history = (*history, *stage("qat", learned.epochs))
    end_others()
    record = Record(
        net=task.title(source.name),
        quantized="qat" if plan else "calibrated",
        history=history,
        settings=settings,
        versions=installed_versions(("mobile-sdk", "torch", "torchao")),
    )
    program = _judged(task, freeze(prepared, contract, record), net, pictures)
    of_float = {"quantized": "float32", "reference_quality": None}
    float_twin(net, contract, program.record.model_copy(update=of_float)).save(out / TWIN)
    program.save(out / PROGRAM)
    return program


def show(task: Task[Any], program: "Program", out: Path, json: bool) -> None:
    """What `quantize` made, for people or as JSON."""
    record = program.record
    if json:
        paths = {"program": str(out / PROGRAM), "float_twin": str(out / TWIN), "digest": program.digest()}
        show_json({**paths, **record.model_dump(mode="json")})
        return
    of_float, of_int8 = record.float_quality, record.reference_quality
    assert of_float is not None and of_int8 is not None
    print(
        f"{out / PROGRAM}: int8, {record.quantized}; {task.measure} of float {of_float.value:.2%}, int8 reference "
        f"{of_int8.value:.2%} on {of_int8.images} held-out pictures"
    )
    print("\n".join(label_lines(program.contract.labels, of_int8.by_class)))


def _augmenting(task: Task[Pictures], plan: "TrainPlan", pictures: Pictures, *, composes: bool) -> "TrainPlan":
    """The plan with the task's own augmentation, which is said."""
    plan = plan.augmenting(task.augmentation(), has_sides=pictures.train.has_sides, composes=composes)
    say(f"augmentation: {plan.augmentation or 'none, every epoch composes other pictures'}")
    return plan


def _judged(task: Task[Pictures], program: "Program", net: "nn.Module", pictures: Pictures) -> "Program":
    """The program, its record saying the measure of the float net and of the reference."""
    of_float, of_int8 = task.judge(net, program, pictures)
    say(f"{task.measure}: float {of_float.value:.4f}, int8 reference {of_int8.value:.4f}")
    said = {"float_quality": of_float, "reference_quality": of_int8}
    return replace(program, record=program.record.model_copy(update=said))
