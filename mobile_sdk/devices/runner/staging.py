"""Fills the folder for a runner: a model, golden inputs and outputs if it is to be timed, and every file's digest."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobile_sdk import errors
from mobile_sdk.devices.base import Pictures
from mobile_sdk.errors import DataError, MachineError, SdkError
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.input_array import input_array

LISTING = "files.sha256"


def stage(folder: Path, files: Iterable[Path], goldens: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """Fills `folder` with `files` and with `goldens`, an input and its output each; the runner checks all of them."""
    for file in files:
        shutil.copy2(file, folder)
    if goldens:
        (folder / "golden").mkdir()
    for index, (given, expected) in enumerate(goldens):
        (folder / f"golden/{index}.input.bin").write_bytes(given)
        (folder / f"golden/{index}.output.bin").write_bytes(expected)
    staged = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = (f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in staged)
    (folder / LISTING).write_text("".join(lines), encoding="utf-8")


def written_inputs(interface: Interface, pictures: Pictures) -> bytes:
    """Returns the input tensors of `pictures`, one after the other, as an app writes them.

    Raises DataError for another size.
    """
    _, *size = interface.input.shape
    if interface.input.layout == "NCHW" or pictures.dtype != np.uint8 or pictures.shape[1:] != tuple(size):
        raise DataError(
            f"expected bytes uint8 (pictures, {', '.join(map(str, size))}) for an input with channels last, "
            f"found {pictures.dtype} {pictures.shape} for {interface.input.layout}",
            hint="make them with preprocess.to_bytes and the contract's input",
        )
    return input_array(pictures, interface.input).tobytes()


def read_scores(data: bytes, interface: Interface, count: int, device: str) -> NDArray[np.generic]:
    """Returns what the model gave for `count` pictures, (count, …), in its own dtypes: `mobile_sdk.graph.outputs`.

    Raises MachineError if something is missing.
    """
    wanted = count * interface.output_type().itemsize
    if len(data) != wanted:
        raise MachineError(
            f"expected {wanted} bytes of scores for {count} pictures from {device}, found {len(data)}",
            hint="look for free space on the device, and try again",
        )
    return interface.read_outputs(data)


def error_in(output: str, title: str) -> SdkError | None:
    """Returns the error in a runner's last line, None if there is none; `title` names the model and the device."""
    try:
        message = json.loads(output.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return None
    if not isinstance(message, dict) or "error" not in message:
        return None
    kind = getattr(errors, str(message["error"]), SdkError)
    error: SdkError = kind(f"{title}: {message['message']}", hint=message["hint"])
    return error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
