"""What the verbs do where the task is detection: pictures with boxes → a detector → its int8 program."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobile_sdk.cli.options import DIGITS
from mobile_sdk.cli.processes import end_others
from mobile_sdk.cli.terminal import say, show_json
from mobile_sdk.errors import DataError

if TYPE_CHECKING:
    from torch import nn

    from mobile_sdk.contract import Contract
    from mobile_sdk.program import Program
    from qat.calibration_plan import CalibrationPlan
    from qat.detection.pictures import DetectionPictures
    from qat.nets.ssd import Ssd
    from qat.plan import TrainPlan


@dataclass(frozen=True, kw_only=True, eq=False)
class Detector:
    """A trained detector, the name of its backbone, its contract, and how it was trained."""

    net: "Ssd"
    name: str
    contract: "Contract"
    history: tuple[dict[str, Any], ...]


EPOCHS = 40  # of 2,000 composed pictures each: 94 % average precision, some seven minutes of one core
SIZE_PX = 128  # of the composed pictures; the papers' detectors take 320
PAPERS_SIZE_PX = 320


def size_px(data: str, size: int | None) -> int:
    """The pictures' side: as asked, else 128 for the composed digits and 320, as in the papers, for others."""
    return size or (SIZE_PX if data == DIGITS else PAPERS_SIZE_PX)


def load_pictures(data: str) -> "DetectionPictures":
    """Pictures with boxes: composed of digits, or a folder's in COCO's layout."""
    if data != DIGITS:
        from qat.detection.coco_folder import load_coco_folder

        return load_coco_folder(data)
    from qat.detection.composed_digits import composed_digits

    return composed_digits()


def in_order_of(contract: "Contract", pictures: "DetectionPictures") -> "DetectionPictures":
    """The pictures, if their labels are the contract's; DataError else."""
    if pictures.labels != contract.labels:
        raise DataError(
            f"expected pictures with the {len(contract.labels)} labels of {contract.name}, in its order, found others: "
            f"{', '.join(pictures.labels[:5])}",
            hint="name the pictures that the detector was trained with, or others in the same categories",
        )
    return pictures


def make_contract(name: str | None, data: str, pictures: "DetectionPictures", size: int) -> "Contract":
    """The contract of a detector of these pictures."""
    from mobile_sdk.cli.pictures import data_name
    from mobile_sdk.contract import Contract, DetectionSpec, ImageSpec

    return Contract(
        name=name or data_name(data),
        task="detection",
        labels=pictures.labels,
        image=ImageSpec(size_px=size, fit="stretch"),
        detection=DetectionSpec(),
    )


def check_net(name: str, width: float, size: int) -> None:
    """Raises SettingError for a detector that cannot be built, before pictures are made for it."""
    import torch

    from mobile_sdk.contract import Contract, DetectionSpec, ImageSpec
    from qat.nets.ssd import build_detector

    image = ImageSpec(size_px=size, fit="stretch")
    asked = Contract(name="check", task="detection", labels=("one",), image=image, detection=DetectionSpec())
    with torch.device("meta"):
        build_detector(name, asked, width=width)


def choose_plan(epochs: int | None, seed: int) -> "TrainPlan":
    """The plan of a detector that begins with nothing."""
    from qat.plan import TrainPlan

    return TrainPlan.detector(epochs or EPOCHS, seed=seed)


def plan_in_int8(epochs: int, after: "TrainPlan") -> "TrainPlan":
    """The plan for int8 after calibration, whose ranges and statistics are held."""
    from qat.phases import HELD
    from qat.plan import TrainPlan

    return replace(TrainPlan.finetune(epochs, after=after), phases=(HELD,))


def train(
    name: str,
    width: float,
    contract: "Contract",
    pictures: "DetectionPictures",
    plan: "TrainPlan",
    data: str,
    out: Path,
) -> Detector:
    """Trains the named detector in `out/train`, resuming there, and writes `out/net.safetensors`."""
    import torch

    from mobile_sdk.cli.train import NET_FILE, plan_settings, stage
    from qat.detection.composed_digits import fresh_digits
    from qat.detection.training import fit_detector
    from qat.launch import is_main_process
    from qat.nets.ssd import build_detector
    from qat.saved_net import SavedNet, save_net

    torch.manual_seed(plan.seed)
    net = build_detector(name, contract, width=width)
    compose = fresh_digits(len(pictures.train), seed=plan.seed) if data == DIGITS else None
    learned = fit_detector(net, pictures, plan, compose=compose, out=out / "train")
    history = stage("float", learned.epochs)
    saved = SavedNet(net=name, width=width, contract=contract, settings=plan_settings(plan), history=history)
    if is_main_process():
        save_net(net, saved, out / NET_FILE)
    return Detector(net=net, name=name, contract=contract, history=history)


def trained(path: Path) -> Detector | None:
    """The detector that `train` wrote; None for any other file of weights."""
    from qat.nets.ssd import Ssd
    from qat.saved_net import load_net, read_header

    saved = read_header(path)
    if saved is None or saved.contract.task != "detection":
        return None
    net, _ = load_net(path)
    assert isinstance(net, Ssd)
    return Detector(net=net, name=saved.net, contract=saved.contract, history=saved.history)


def quantize(
    detector: Detector,
    pictures: "DetectionPictures",
    plan: "TrainPlan | None",
    out: Path,
    calibration: "CalibrationPlan | None" = None,
    *,
    keep_float: Sequence[str] = (),
) -> "Program":
    """Writes `out/program.pt2` and `out/float.pt2`: calibrated, and then trained in int8 by `plan` if there is one."""
    from mobile_sdk.cli.quantize import PROGRAM, TWIN
    from mobile_sdk.cli.train import plan_settings, stage
    from mobile_sdk.environment import installed_versions
    from mobile_sdk.program import Record
    from qat.calibration import calibrate, stage_figures
    from qat.calibration_plan import CalibrationPlan
    from qat.detection.training import fit_detector
    from qat.freezing import float_twin, freeze
    from qat.preparation import prepare

    net, contract, history = detector.net, detector.contract, detector.history
    prepared = prepare(net, contract, keep_float=keep_float)
    stages = calibrate(prepared, pictures.train.pictures, calibration or CalibrationPlan(reconstruct=False))
    settings: dict[str, Any] = plan_settings(plan) if plan else {}
    settings |= {"calibration": stage_figures(stages), "calibrated_on": "pictures"}
    if plan:
        learned = fit_detector(prepared, pictures, plan, out=out / "qat")
        history = (*history, *stage("qat", learned.epochs))
    end_others()
    record = Record(
        net=f"ssdlite {detector.name}",
        quantized="qat" if plan else "calibrated",
        history=history,
        settings=settings,
        versions=installed_versions(("mobile-sdk", "torch", "torchao")),
    )
    program = _judged(freeze(prepared, contract, record), net, pictures)
    of_float = {"quantized": "float32", "reference_accuracy": None}
    float_twin(net, contract, program.record.model_copy(update=of_float)).save(out / TWIN)
    program.save(out / PROGRAM)
    return program


def show(program: "Program", out: Path, json: bool) -> None:
    """What `quantize` made, for people or as JSON."""
    from mobile_sdk.cli.quantize import PROGRAM, TWIN

    record = program.record
    if json:
        paths = {"program": str(out / PROGRAM), "float_twin": str(out / TWIN), "digest": program.digest()}
        show_json({**paths, **record.model_dump(mode="json")})
        return
    of_float, of_int8 = record.float_accuracy, record.reference_accuracy
    assert of_float is not None and of_int8 is not None
    print(
        f"{out / PROGRAM}: int8, {record.quantized}; average precision of float {of_float.share:.2%}, int8 reference "
        f"{of_int8.share:.2%} on {of_int8.pictures} held-out pictures"
    )


def _judged(program: "Program", net: "nn.Module", pictures: "DetectionPictures") -> "Program":
    """The program, its record saying the average precision of the float net and of the reference."""
    from mobile_sdk.average_precision import average_precision
    from mobile_sdk.expected import expected_scores
    from mobile_sdk.program import Accuracy
    from qat.detection.training import evaluate_detector

    held_out, contract = pictures.validation, program.contract
    of_float = evaluate_detector(net, held_out)
    outputs = expected_scores(program, held_out.bytes(contract.image))
    of_int8 = average_precision(outputs, held_out.truths_in(contract.image), contract)
    said = {
        field: Accuracy(share=each.at_half_share, pictures=each.pictures)
        for field, each in (("float_accuracy", of_float), ("reference_accuracy", of_int8))
    }
    say(
        f"average precision at an overlap of 0.5 (COCO's mean): float {of_float.at_half_share:.4f} "
        f"({of_float.coco_share:.4f}), int8 reference {of_int8.at_half_share:.4f} ({of_int8.coco_share:.4f})"
    )
    return replace(program, record=program.record.model_copy(update=said))
