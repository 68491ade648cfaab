"""Names the files in a run's folder, writes its net, and gives a training's epochs and plan as a record holds them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from torch import nn

from mobile_sdk.errors import SettingError
from mobile_sdk.workflow.run_files import INT8_TRAINING, NET_FILE, TENSORBOARD, TRAINING
from qat.event_log import log_to_tensorboard
from qat.nets.saved_net import SavedNet, read_header, save_net
from qat.progress import say
from qat.training.checkpoint_file import CHECKPOINT_FILE, drop_former
from qat.training.history import Epoch
from qat.training.plan import TrainPlan


def stage(name: str, epochs: tuple[Epoch, ...]) -> tuple[dict[str, Any], ...]:
    """Returns a run's epochs for the record, without durations: equal trainings give equal records, and digests."""
    return tuple(
        {"stage": name, **epoch.model_dump(mode="json", exclude={"duration_s"}, exclude_none=True)} for epoch in epochs
    )


def plan_settings(plan: TrainPlan) -> dict[str, Any]:
    """Returns the plan as plain JSON, for the record; settings that it leaves open hold the values that act.

    A part with settings of its own, such as the optimizer, is an object with its name under `kind`.
    """
    settings = {each.name: _plain(getattr(plan, each.name)) for each in fields(plan)}
    return settings | {"weight_decay": plan.decay, "label_smoothing": plan.smoothing}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        own = {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
        return {"kind": type(value).__name__, **own}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value if isinstance(value, int | float | str | None) else str(value)


@contextmanager
def logged(folder: Path, *, tensorboard: bool) -> Iterator[None]:
    """Writes the epochs of trainings inside the `with` into `folder/tensorboard` too, if that is asked for."""
    if not tensorboard:
        yield
        return
    with log_to_tensorboard(folder / TENSORBOARD):
        say(f"epochs are logged: tensorboard --logdir {folder / TENSORBOARD}")
        yield


def check_net_file(folder: Path, overwrite: bool) -> None:
    """Raises SettingError if `folder` holds a net without the training that it came from, unless `overwrite`."""
    file = folder / NET_FILE
    if file.exists() and not (folder / TRAINING / CHECKPOINT_FILE).exists() and not overwrite:
        raise SettingError(
            f"expected no net at {file}, or the training that it came from beside it, found the net alone",
            hint="choose another --out, or replace it with --overwrite",
        )


def save_trained(net: nn.Module, saved: SavedNet, folder: Path) -> None:
    """Writes the folder's net; if it replaces another, int8 training that began from the former is deleted."""
    file, stale = folder / NET_FILE, folder / INT8_TRAINING / CHECKPOINT_FILE
    if stale.exists() and read_header(file) != saved:
        say(f"{stale} began from the net before: int8 training starts over")
        stale.unlink()
        drop_former(stale)
    save_net(net, saved, file)
