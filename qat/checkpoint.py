"""Where a run stands, on disk: written whole or not at all, and taken up only by the run that wrote it."""

import hashlib
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mobile_sdk.contract import Contract
from qat.plan import TrainPlan
from qat.progress import say

CHECKPOINT_FILE = "checkpoint.pt"
_SCHEMA = 1

Fingerprint = dict[str, str]
State = dict[str, Any]


def fingerprint(net: nn.Module, plan: TrainPlan, contract: Contract, task: Fingerprint) -> Fingerprint:
    """Hashes, by what they are of, of all that decides a run's result; `net` as it is before the first step.

    `task` is what the task adds: pictures, and whatever else is learned from.
    """
    structure = [(name, tuple(value.shape), str(value.dtype)) for name, value in _tensors(net).items()]
    return {
        "schema": str(_SCHEMA),
        "plan": _hash(repr(plan).encode()),
        "contract": _hash(contract.model_dump_json().encode()),
        **task,
        "net": _hash(repr((type(net).__name__, structure)).encode()),
        "initial weights": hash_weights(net),
    }


def hash_weights(net: nn.Module) -> str:
    """A hash of all the tensors that the net holds."""
    return _hash(*(value.cpu().numpy().tobytes() for value in _tensors(net).values()))


def save_checkpoint(folder: Path, mark: Fingerprint, state: State) -> None:
    """Writes `folder/checkpoint.pt`: a kill at any moment leaves the former checkpoint or the new one, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{CHECKPOINT_FILE}.partial"
    with partial.open("wb") as file:
        torch.save({"fingerprint": mark, **state}, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / CHECKPOINT_FILE)
    _flush_names(folder)


def load_checkpoint(folder: Path, mark: Fingerprint) -> State | None:
    """The state that this very run saved, on the processor; None, with a line of news, where another run saved it."""
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    try:
        state: State = torch.load(path, map_location="cpu", weights_only=True)
        found: Mapping[str, str] = state["fingerprint"]
    except (RuntimeError, ValueError, KeyError, TypeError, EOFError, OSError, pickle.UnpicklingError) as error:
        say(f"{path} is damaged and will be replaced, training starts over ({type(error).__name__})")
        return None
    if others := [what for what, value in mark.items() if found.get(what) != value]:
        say(f"{path} is of a run with other {' and '.join(others)}: it will be replaced, training starts over")
        return None
    return state


def _tensors(net: nn.Module) -> dict[str, torch.Tensor]:
    state = net.state_dict()  # a module may add anything to it by get_extra_state
    return {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}


def _hash(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _flush_names(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
