"""Writes the epochs of trainings as TensorBoard reads them."""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mobile_sdk.arguments import expect_path
from mobile_sdk.packages import needed
from qat.distributed.torchrun import is_main_process


@dataclass(frozen=True, kw_only=True)
class _Log:
    folder: Path
    writers: dict[str, Any] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)


_Current = ContextVar["_Log | None"]("event_log", default=None)


def log_to_tensorboard(folder: str | os.PathLike[str]) -> AbstractContextManager[None]:
    """Writes every epoch that is trained inside the `with`: its loss, its shares (0..1), and its learning rate.

    Trainings in float go to `folder/float`, those in int8 to `folder/int8`; `tensorboard --logdir folder` shows both
    while they run. A training that is continued goes on in its curves. Of several processes the main one writes. Raises
    MachineError if the package tensorboard is missing.

    Example: `with qat.log_to_tensorboard("runs/photos/tensorboard"): qat.fit(net, pictures)`
    """
    expect_path("folder", folder)
    needed("tensorboard", "logs of training", extra="tensorboard")
    return _logging(Path(folder))


def log_epoch(run: str, epoch: int, values: Mapping[str, float]) -> None:
    """Writes the values of a 1-based epoch by their names, if the training is logged; `run` is a folder's name."""
    log = _Current.get()
    if log is None or not is_main_process():
        return
    if run not in log.writers:
        from torch.utils.tensorboard import SummaryWriter

        # events of the same epochs, of a run that was stopped or replaced, are hidden
        writer = SummaryWriter(str(log.folder / run), purge_step=epoch)
        log.writers[run] = log.stack.enter_context(writer)
    for name, value in values.items():
        log.writers[run].add_scalar(name, value, epoch)
    log.writers[run].flush()


@contextmanager
def _logging(folder: Path) -> Iterator[None]:
    log = _Log(folder=folder)
    token = _Current.set(log)
    try:
        with log.stack:
            yield
    finally:
        _Current.reset(token)
