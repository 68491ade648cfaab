"""Writes and reads the sealed file of a training's state, and keeps the one before it for the case of damage."""

import os
import pickle
import shutil
import zipfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from mobile_sdk.system.atomic_files import replaceable, replacing
from mobile_sdk.system.regular_file import MOST_WEIGHTS, read_regular
from mobile_sdk.system.seal import NO_SEAL, true_seal
from mobile_sdk.system.stored_zip import check_plain_if_zip
from qat.progress import say

State = dict[str, Any]

CHECKPOINT_FILE, _FORMER_FILE = "checkpoint.pt", "checkpoint-before.pt"
_END_OF_ZIP, _END_BYTES = b"PK\5\6", 22  # the last record of a zip file without a comment
_DAMAGE = (
    *(RuntimeError, ValueError, KeyError, TypeError, EOFError, OSError),
    *(pickle.UnpicklingError, zipfile.BadZipFile),
)


def write_state(path: Path, state: State, *, keep_former: bool) -> None:
    """Writes the file `path`; a kill at any moment leaves the file before or the new one, whole.

    The file before is kept beside it with `keep_former`, and is deleted otherwise.
    """
    file = BytesIO()  # torch's own writer raises errors of its own on a full disk
    torch.save(state, file)
    path = replaceable(path)
    with replacing(path) as unfinished:
        unfinished.write_bytes(_sealed(file.getvalue()))
        if keep_former and path.exists():
            _keep(path, unfinished.with_name(_FORMER_FILE))
        else:
            drop_former(path)


def read_state(path: Path) -> State | None:
    """Returns the state in the file `path`, on the CPU; None, with a line of news, if it is damaged.

    If it is, and the file before it is whole, that one takes its place.
    """
    try:
        return _read(path)
    except _DAMAGE as error:
        reason, former = type(error).__name__, _former(path)
    with suppress(*_DAMAGE):
        state = _read(former)
        former.replace(path)
        say(f"{path} is damaged and will be replaced, training goes on from the checkpoint before it ({reason})")
        return state
    say(f"{path} is damaged and will be replaced, training starts over ({reason})")
    return None


def drop_former(path: Path) -> None:
    """Deletes the file before the one at `path`."""
    _former(path).unlink(missing_ok=True)


def _former(path: Path) -> Path:
    return replaceable(path).with_name(_FORMER_FILE)


def _keep(path: Path, draft: Path) -> None:
    try:
        os.link(path, draft)
    except OSError:  # a file system without links
        shutil.copyfile(path, draft)
    draft.replace(_former(path))


def _sealed(data: bytes) -> bytes:
    """Returns the zip file with its seal as the comment at its end, where other readers leave it aside."""
    plain = data[:-2] + len(NO_SEAL).to_bytes(2, "little")
    return plain + true_seal(plain + NO_SEAL.encode(), NO_SEAL).encode()


def _read(path: Path) -> State:
    check_plain_if_zip(path)
    data = read_regular(path, at_most=MOST_WEIGHTS)
    is_earlier = data[-_END_BYTES:].startswith(_END_OF_ZIP)  # it has no seal
    seal = data[-len(NO_SEAL) :].decode("latin-1")
    if not is_earlier and seal != true_seal(data, seal):
        raise zipfile.BadZipFile("it was changed after it was written")
    state: State = torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    return state
