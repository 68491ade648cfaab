"""Keeps a run's state on disk, and resumes it only for the run that wrote it."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch
from torch import fx, nn

from mobile_sdk.contract import Contract
from mobile_sdk.errors import DataError, MachineError, SdkError, SettingError
from mobile_sdk.program.earlier_documents import EarlierContract
from mobile_sdk.system.atomic_files import replaceable
from mobile_sdk.system.temporary_folder import locked_folder, remove_left_folders
from qat.data.content_hash import Fingerprint, hash_all
from qat.progress import say
from qat.training.checkpoint_file import CHECKPOINT_FILE, State, read_state, write_state
from qat.training.history import History
from qat.training.plan import TrainPlan

_SCHEMA = 4
_VERSION, _EPOCHS, _WARM_UP = "version of this SDK", "number of epochs", "warm-up"
_INITIAL, _FROZEN = "initial weights", "frozen parameters"
_OF_LENGTH = frozenset((_EPOCHS, _WARM_UP))
"""These may differ between a finished training and the longer one that continues it."""

_DOES = {"train": "trains", "search": "searches"}
_ADDRESS = re.compile(" at 0x[0-9a-f]+")  # an object's address in a module's text differs in every process

_LEFT: WeakKeyDictionary[nn.Module, dict[Path, tuple[str, str]]] = WeakKeyDictionary()
"""Holds, by a run's folder, the hashes of nets as their last run left them, and as they were before."""


def fingerprint(net: nn.Module, plan: TrainPlan, contract: Contract, task: Fingerprint, folder: Path) -> Fingerprint:
    """Returns a hash for each ingredient that determines a run's result; `net` is as before the first step.

    A net that a run in this `folder` left, and that has not changed since, counts as it was before the first step, so
    that the same call in the same notebook continues. `task` holds the task's own ingredients: pictures and other data.
    """
    weights = hash_weights(net)
    left, initial = _LEFT.get(net, {}).get(folder.resolve(), ("", ""))
    return {
        _VERSION: str(_SCHEMA),
        "plan": _hash(repr(_besides_length(plan))),
        _EPOCHS: str(plan.epochs),
        _WARM_UP: repr(plan.warm_up),
        "contract": _hash(EarlierContract.of(contract).model_dump_json()),  # so that earlier checkpoints still match
        **task,
        "net": _structure_hash(net),
        _FROZEN: _hash(repr([name for name, value in net.named_parameters() if not value.requires_grad])),
        _INITIAL: initial if left == weights else weights,
    }


def begins_anew(mark: Fingerprint, net: nn.Module) -> Fingerprint:
    """Returns the fingerprint of a run without a checkpoint: it begins from the net's present weights."""
    return {**mark, _INITIAL: hash_weights(net)}


def leave(net: nn.Module, mark: Fingerprint, folder: Path) -> None:
    """Records how the run of fingerprint `mark` in `folder` leaves `net`, for the same call in this process."""
    _LEFT[net] = {folder.resolve(): (hash_weights(net), mark[_INITIAL])}


def hash_weights(net: nn.Module) -> str:
    """Returns a hash of all the tensors that the net holds."""
    return hash_all(value.cpu().numpy().tobytes() for value in _tensors(net).values())


def hash_net(net: nn.Module) -> str:
    """Returns a hash of the net's structure and of the tensors that it holds."""
    return _hash(_structure_hash(net) + hash_weights(net))


@contextmanager
def alone_in(folder: Path, *, work: Literal["train", "search"] = "train") -> Iterator[None]:
    """Keeps every other process from working in `folder`, and removes the drafts that a killed one left there.

    Raises MachineError if another process works there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as lock:
        try:
            lock.enter_context(locked_folder(folder))
        except BlockingIOError as error:
            raise MachineError(
                f"expected to {work} alone in {folder}, found that another process {_DOES[work]} there",
                hint="wait until it has ended, or name another folder",
            ) from error
        remove_left_folders(folder)
        yield


def save_checkpoint(folder: Path, mark: Fingerprint, state: State) -> None:
    """Writes `folder/checkpoint.pt`, and keeps this run's former one beside it.

    A kill at any moment leaves the former checkpoint or the new one, whole.
    """
    write_state(folder / CHECKPOINT_FILE, {"fingerprint": mark, **state}, keep_former=_done(state) > 1)


def saved_epochs(folder: Path, mark: Fingerprint) -> int:
    """Returns how many epochs of exactly this run are in the folder's checkpoint; 0 if there are none."""
    try:
        state = load_checkpoint(folder, mark)
    except (DataError, SettingError):
        return 0
    return 0 if state is None else _done(state)


def load_checkpoint(folder: Path, mark: Fingerprint, *, overwrite: bool = False) -> State | None:
    """Returns the state, on the CPU, that exactly this run saved, or its finished one of fewer epochs.

    If it is damaged, the run's checkpoint before it counts, with a line of news. Returns None if there is none, or,
    with a line of news, another run's that `overwrite` allows replacing. Raises SettingError if it is another run's and
    nothing allows that, or if something else than a file has its name, and DataError if it holds no such state.
    """
    path = replaceable(folder / CHECKPOINT_FILE)
    state = read_state(path) if path.exists() else None
    if state is None:
        return None
    with taking_up(folder):
        return _own_state(state, mark, path, overwrite=overwrite)


@contextmanager
def taking_up(folder: Path) -> Iterator[None]:
    """Raises DataError if the folder's checkpoint, whose seal is right, does not hold what a training saves."""
    try:
        yield
    except SdkError:
        raise
    except (RuntimeError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise DataError(
            f"expected the state of a training in {folder / CHECKPOINT_FILE}, found another: {reason}",
            hint="delete that file, or train into another folder",
        ) from error


def _own_state(state: State, mark: Fingerprint, path: Path, *, overwrite: bool) -> State | None:
    found = _mark_of(state, path)
    others = {what for what, value in mark.items() if found.get(what) != value}
    if not others or (others <= _OF_LENGTH and _done(state) == int(found[_EPOCHS]) < int(mark[_EPOCHS])):
        return state
    differing = _differences(mark, others)
    if not overwrite:
        raise _refusal(path.parent, state, found, differing)
    say(f"{path} is of a run with other {differing}: it will be replaced, training starts over")
    return None


def _differences(mark: Fingerprint, others: set[str]) -> str:
    """Returns the differences, in words; two versions cannot be compared otherwise."""
    if _VERSION in others:
        return _VERSION
    return " and ".join(what for what in mark if what in others and (what != _WARM_UP or others == {_WARM_UP}))


def is_shorter(state: State, plan: TrainPlan) -> bool:
    """Returns whether a state that was loaded for a run by `plan` is the end of one with fewer epochs."""
    return int(state["fingerprint"][_EPOCHS]) < plan.epochs


def _besides_length(plan: TrainPlan) -> dict[str, Any]:
    values = {field.name: getattr(plan, field.name) for field in fields(plan)}
    return {name: value for name, value in values.items() if name not in ("epochs", "warm_up_epochs")}


def _mark_of(state: object, path: Path) -> Mapping[str, str]:
    if not isinstance(state, dict) or "fingerprint" not in state:
        raise SettingError(
            f"expected a checkpoint of this SDK at {path}, found another file", hint="train into another folder"
        )
    mark: Mapping[str, str] = state["fingerprint"]
    return mark


def _done(state: State) -> int:
    return len(History.model_validate_json(state["history"]).epochs)


def _refusal(folder: Path, state: State, found: Mapping[str, str], differing: str) -> SettingError:
    done, epochs = _done(state), found.get(_EPOCHS, "another number of")
    stands = f"a finished training of {done}" if str(done) == epochs else f"an unfinished one, {done} of {epochs}"
    return SettingError(
        f"expected no training in {folder}, or this very one, found {stands} epochs, with other {differing}",
        hint="choose another folder for this one, or replace that one with --overwrite (overwrite=True in Python)",
    )


def _tensors(net: nn.Module) -> dict[str, torch.Tensor]:
    """Returns all tensors of the net, also buffers that no file keeps; get_extra_state may add other values."""
    held = {**dict(net.named_buffers()), **net.state_dict()}
    return {name: value for name, value in held.items() if isinstance(value, torch.Tensor)}


def _structure_hash(net: nn.Module) -> str:
    """Hashes the net's modules, their settings, and the tensors' names, shapes and dtypes; not the user's code."""
    modules = [(name, type(module).__name__, _settings_text(module)) for name, module in net.named_modules()]
    tensors = [(name, tuple(value.shape), str(value.dtype)) for name, value in _tensors(net).items()]
    return _hash(repr((modules, tensors)))


def _settings_text(module: nn.Module) -> str:
    """Returns a module's settings, or a captured net's code."""
    if isinstance(module, fx.GraphModule):
        return str(module.code)
    try:
        return _ADDRESS.sub("", module.extra_repr())
    except Exception:  # noqa: BLE001 - the user's own module may raise anything
        return ""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
