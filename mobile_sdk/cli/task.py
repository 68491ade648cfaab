"""What the verbs do where a net says more of a picture than one label: pictures → a float net → its int8 program."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from mobile_sdk.cli.options import DIGITS
from mobile_sdk.cli.processes import end_others
from mobile_sdk.cli.run_folder import NET_FILE, PROGRAM, TWIN, plan_settings, stage
from mobile_sdk.cli.terminal import say, show_json
from mobile_sdk.errors import DataError

if TYPE_CHECKING:
    from torch import nn

    from mobile_sdk import contract as contracts
    from mobile_sdk.contract import Contract, ImageSpec
    from mobile_sdk.program import Program
    from qat.calibration_plan import CalibrationPlan
    from qat.history import History
    from qat.plan import TrainPlan


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
    """A trained net, the name of its backbone, its contract, and how it was trained."""

    net: "nn.Module"
    name: str
    contract: "Contract"
    history: tuple[dict[str, Any], ...]


class Task(ABC, Generic[Pictures]):
    """What differs between the tasks; `size_px` is the built-in pictures' side, `papers_size_px` others'."""

    name: "ClassVar[contracts.Task]"
    net_title: ClassVar[str]  # "SSDLite on {}"
    measure: ClassVar[str]  # "average precision"
    share_field: ClassVar[str]  # what JSON calls it
    epochs: ClassVar[int]
    size_px: ClassVar[int] = 128
    papers_size_px: ClassVar[int]

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
    ) -> "History":
        """Trains in place."""

    @abstractmethod
    def judge(self, net: "nn.Module", program: "Program", pictures: Pictures) -> tuple[float, float]:
        """The measure, 0..1, of the float net and of the reference on held-out pictures."""

    def side_px(self, data: str, size: int | None) -> int:
        """The pictures' side: as asked, else the built-in pictures', or the papers' for others."""
        return size or (self.size_px if data == DIGITS else self.papers_size_px)

    def contract(self, name: str, labels: tuple[str, ...], image: "ImageSpec") -> "Contract":
        """The contract of that name."""
        from mobile_sdk.contract import Contract, DetectionSpec

        spec = DetectionSpec() if self.name == "detection" else None
        return Contract(name=name, task=self.name, labels=labels, image=image, detection=spec)


def make_contract(task: Task[Any], name: str | None, data: str, labels: tuple[str, ...], size_px: int) -> "Contract":
    """The contract of a net of these pictures, which are stretched so that places stay."""
    from mobile_sdk.cli.pictures import data_name
    from mobile_sdk.contract import ImageSpec

    return task.contract(name or data_name(data), labels, ImageSpec(size_px=size_px, fit="stretch"))


def check_net(task: Task[Any], name: str, width: float, size_px: int) -> None:
    """Raises SettingError for a net that cannot be built, before pictures are made for it."""
    import torch

    from mobile_sdk.contract import ImageSpec

    with torch.device("meta"):
        task.build(name, task.contract("check", ("one", "other"), ImageSpec(size_px=size_px, fit="stretch")), width)


def in_order_of(contract: "Contract", pictures: Pictures) -> Pictures:
    """The pictures, if their labels are the contract's; DataError else."""
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
    from qat.phases import HELD
    from qat.plan import TrainPlan

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
) -> Trained:
    """Trains the net on the named backbone in `out/train`, resuming there, and writes `out/net.safetensors`."""
    import torch

    from qat.launch import is_main_process
    from qat.saved_net import SavedNet, save_net

    torch.manual_seed(plan.seed)
    net = task.build(name, contract, width)
    compose = task.composer(len(pictures.train), plan.seed) if data == DIGITS else None
    learned = task.fit(net, pictures, plan, compose=compose, out=out / "train")
    history = stage("float", learned.epochs)
    saved = SavedNet(net=name, width=width, contract=contract, settings=plan_settings(plan), history=history)
    if is_main_process():
        save_net(net, saved, out / NET_FILE)
    return Trained(net=net, name=name, contract=contract, history=history)


def trained(path: Path) -> Trained | None:
    """The detector or segmenter that `train` wrote; None for any other file of weights."""
    from qat.saved_net import load_net, read_header

    saved = read_header(path)
    if saved is None or saved.contract.task == "classification":
        return None
    net, _ = load_net(path)
    return Trained(net=net, name=saved.net, contract=saved.contract, history=saved.history)


def quantize(
    task: Task[Pictures],
    source: Trained,
    pictures: Pictures,
    plan: "TrainPlan | None",
    out: Path,
    calibration: "CalibrationPlan | None" = None,
    *,
    keep_float: Sequence[str] = (),
) -> "Program":
    """Writes `out/program.pt2` and `out/float.pt2`: calibrated, and then trained in int8 by `plan` if there is one."""
    from mobile_sdk.environment import installed_versions
    from mobile_sdk.program import Record
    from qat.calibration import calibrate, stage_figures
    from qat.calibration_plan import CalibrationPlan
    from qat.freezing import float_twin, freeze
    from qat.preparation import prepare

    net, contract, history = source.net, source.contract, source.history
    prepared = prepare(net, contract, keep_float=keep_float)
    stages = calibrate(prepared, pictures.train.pictures, calibration or CalibrationPlan(reconstruct=False))
    settings: dict[str, Any] = plan_settings(plan) if plan else {}
    settings |= {"calibration": stage_figures(stages), "calibrated_on": "pictures"}
    if plan:
        learned = task.fit(prepared, pictures, plan, out=out / "qat")
        history = (*history, *stage("qat", learned.epochs))
    end_others()
    record = Record(
        net=task.net_title.format(source.name),
        quantized="qat" if plan else "calibrated",
        history=history,
        settings=settings,
        versions=installed_versions(("mobile-sdk", "torch", "torchao")),
    )
    program = _judged(task, freeze(prepared, contract, record), net, pictures)
    of_float = {"quantized": "float32", "reference_accuracy": None}
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
    of_float, of_int8 = record.float_accuracy, record.reference_accuracy
    assert of_float is not None and of_int8 is not None
    print(
        f"{out / PROGRAM}: int8, {record.quantized}; {task.measure} of float {of_float.share:.2%}, int8 reference "
        f"{of_int8.share:.2%} on {of_int8.pictures} held-out pictures"
    )


def _judged(task: Task[Pictures], program: "Program", net: "nn.Module", pictures: Pictures) -> "Program":
    """The program, its record saying the measure of the float net and of the reference."""
    from mobile_sdk.program import Accuracy

    shares, count = task.judge(net, program, pictures), len(pictures.validation)
    say(f"{task.measure}: float {shares[0]:.4f}, int8 reference {shares[1]:.4f}")
    fields = ("float_accuracy", "reference_accuracy")
    said = {name: Accuracy(share=share, pictures=count) for name, share in zip(fields, shares, strict=True)}
    return replace(program, record=program.record.model_copy(update=said))
