"""What the verbs leave in a run's folder, and how training is told in it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobile_sdk.cli.terminal import say
from mobile_sdk.errors import SettingError

if TYPE_CHECKING:
    from torch import nn

    from qat.nets.saved_net import SavedNet
    from qat.training.history import Epoch
    from qat.training.plan import TrainPlan

NET_FILE, PROGRAM, TWIN = "net.safetensors", "program.pt2", "float.pt2"
TRAINING, INT8_TRAINING = "train", "qat"
"""Folders with the checkpoints of float and int8 training."""


def stage(name: str, epochs: "tuple[Epoch, ...]") -> tuple[dict[str, Any], ...]:
    """A run's epochs for the record, without their durations: the same training gives the same record, and digest."""
    return tuple(
        {"stage": name, **epoch.model_dump(mode="json", exclude={"duration_s"}, exclude_none=True)} for epoch in epochs
    )


def plan_settings(plan: "TrainPlan") -> dict[str, Any]:
    """The plan as plain JSON, for the record; what it leaves open stands there as it acts."""
    from dataclasses import asdict

    settings = asdict(plan) | {"weight_decay": plan.decay, "label_smoothing": plan.smoothing}
    return {
        key: value if isinstance(value, int | float | str | None) else str(value) for key, value in settings.items()
    }


def check_net_file(folder: Path, overwrite: bool) -> None:
    """Raises SettingError where `folder` holds a net that no training in it goes on from, and may not be replaced."""
    from qat.training.checkpoint import CHECKPOINT_FILE

    file = folder / NET_FILE
    if file.exists() and not (folder / TRAINING / CHECKPOINT_FILE).exists() and not overwrite:
        raise SettingError(
            f"expected no net at {file}, or the training that it came from beside it, found the net alone",
            hint="choose another --out, or replace it with --overwrite",
        )


def save_trained(net: "nn.Module", saved: "SavedNet", folder: Path) -> None:
    """Writes the folder's net; where that is another one, int8 training that began from the former goes no further."""
    from qat.nets.saved_net import read_header, save_net
    from qat.training.checkpoint import CHECKPOINT_FILE

    file, stale = folder / NET_FILE, folder / INT8_TRAINING / CHECKPOINT_FILE
    if stale.exists() and read_header(file) != saved:
        say(f"{stale} began from the net before: int8 training starts over")
        stale.unlink()
    save_net(net, saved, file)
