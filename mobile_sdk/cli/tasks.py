"""The tasks of the verbs beside classification, by name, and the pictures that any task is judged by."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobile_sdk.cli.detection import Detection
from mobile_sdk.cli.options import TASKS as NAMES
from mobile_sdk.cli.options import check_choice
from mobile_sdk.cli.pictures import load_pictures_of
from mobile_sdk.cli.segmentation import Segmentation
from mobile_sdk.cli.task import Task, Trained, in_order_of
from mobile_sdk.errors import SettingError

if TYPE_CHECKING:
    from mobile_sdk.contract import Contract
    from qat.data.boxes.pictures import DetectionSet
    from qat.data.masks.pictures import SegmentationSet
    from qat.data.picture_set import PictureSet

    HeldOut = PictureSet | DetectionSet | SegmentationSet

TASKS: Mapping[str, type[Task[Any]]] = {each.name: each for each in (Detection, Segmentation)}


def choose_task(name: str, head: str | None, output_stride: int | None) -> Task[Any] | None:
    """What `--task`, `--head` and `--output-stride` ask for, None for classification; SettingError for what is none."""
    if check_choice("a task", name, NAMES) != "classification":
        return TASKS[name](head, output_stride)
    if head is not None or output_stride is not None:
        raise SettingError(
            "expected --head and --output-stride with --task detection or segmentation alone, found one",
            hint="leave it out, or name the task",
        )
    return None


def trained(path: Path) -> Trained | None:
    """The detector or segmenter that `train` wrote; None for any other file of weights."""
    from qat.nets.saved_net import load_net, read_header

    saved = read_header(path)
    if saved is None or saved.contract.task == "classification":
        return None
    net, _ = load_net(path)
    task = TASKS[saved.contract.task].of(saved.net_settings)
    return Trained(task=task, net=net, name=saved.net, contract=saved.contract, history=saved.history)


def held_out_of(contract: "Contract", data: str) -> "HeldOut":
    """The pictures to judge by: with boxes or masks, where the contract's task asks for them."""
    if contract.task == "classification":
        return load_pictures_of(contract, data).validation
    held_out: HeldOut = in_order_of(contract, TASKS[contract.task]().load_pictures(data)).validation
    return held_out
