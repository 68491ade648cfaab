"""Holds the float net that is to be quantized, and reads one that `train` wrote."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from torch import nn

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.tasks.class_quality import ByClass
from mobile_sdk.workflow.tasks import TASKS
from mobile_sdk.workflow.tasks.task import Task
from qat.distributed.processes import current_processes
from qat.nets.saved_net import SavedNet, load_net, read_header
from qat.preparation.block_splitting import split_blocks
from qat.progress import say


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceNet:
    """Holds a net in eval() mode, its task and contract, its name in a record, and how it was trained, if known.

    `can_teach` is False if the net has an untrained head. `by_label` is its quality, label by label.
    """

    task: Task[Any]
    net: nn.Module
    name: str
    contract: Contract
    history: tuple[dict[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)  # of that training
    by_label: ByClass | None = None
    can_teach: bool = True

    @classmethod
    def of(cls, task: Task[Any], net: nn.Module, saved: SavedNet) -> Self:
        """Returns a trained net with the header of its file."""
        return cls(
            task=task,
            net=net,
            name=task.title(saved.title),
            contract=saved.contract,
            history=saved.history,
            settings=saved.settings,
            by_label=saved.by_label,
        )

    def split(self, parts: Mapping[str, int]) -> "SourceNet":
        """Returns the net with those blocks split; its float twin and its teacher are then split too."""
        return replace(self, net=split_blocks(self.net, dict(parts))) if parts else self


def trained(path: Path) -> SourceNet:
    """Returns the net that `train` wrote; of several processes the main one reads it."""
    net, saved = current_processes().from_main(lambda: load_net(path))
    return SourceNet.of(TASKS[saved.contract.task].of(saved.net_settings), net, saved)


def task_of_weights(path: Path) -> str | None:
    """Returns the task of a net that `train` wrote; None for any other file of weights."""
    saved = read_header(path)
    return None if saved is None else saved.contract.task


def say_image(image: ImageSpec, whose: str) -> None:
    """Reports a picture's preprocessing, and the source of that rule."""
    cut = "stretched whole" if image.fit == "stretch" else f"the central {100 * image.crop_share:g} %"
    mean, std = (" ".join(f"{value:g}" for value in values) for values in (image.mean_byte, image.std_byte))
    size = f"{image.size_px} px" if isinstance(image.size_px, int) else f"{image.height_px} × {image.width_px} px"
    size += "" if image.channels == 3 else f", {image.colours}"
    say(f"pictures: {cut}, {size}, mean {mean}, deviation {std} of 255 ({whose})")
