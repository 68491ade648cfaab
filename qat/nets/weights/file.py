"""Reads a file of weights without running anything in it.

A file is in a format of `torch.save` (today's zip form or the older pickle), or safetensors; its first bytes decide.
"""

import pickle
import re
import sys
import warnings
import zipfile
from _compat_pickle import IMPORT_MAPPING
from pathlib import Path
from typing import Any, Self

import safetensors.torch
import torch

from mobile_sdk.errors import DataError
from mobile_sdk.system.regular_file import other_kind
from mobile_sdk.system.stored_zip import check_plain

_HEAD_BYTES = 512
_MOST_FOREIGN = 100
_RECORDS = frozenset(("argparse", "collections", "datetime", "enum", "pathlib", "types"))  # the standard library's
_PLAIN = frozenset(f"builtins.{each.__name__}" for each in (bytes, dict, float, frozenset, int, list, object, set, str))
_FETCH = "fetch the file again"
_LOOKS = (
    (rb"version https://git-lfs", "a pointer that Git LFS left", "fetch the file itself: git lfs pull"),
    (rb"\s*<(!doctype|html|\?xml|head)", "a web page", "fetch the file itself: this may be a page that asks to log in"),
    (rb"\s*\{", "JSON", "name the file of weights itself; of several shards, save them as one file"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!", "a packed archive", "unpack it, and name the file of weights in it"),
    (rb"\x89HDF", "Keras weights (HDF5)", "give weights of PyTorch"),
    (rb"....TFL3", "a model of TensorFlow Lite", "give weights of PyTorch"),
)


class Foreign(dict[Any, Any]):
    """Replaces a Python object that was not built: its class was neither imported nor run.

    It is a dict only because torch's reader fills nothing else that a pickle may fill.
    """

    name = ""

    def __new__(cls, *_arguments: Any, **_named: Any) -> Self:
        """Ignores the arguments that the pickle gives the object."""
        return super().__new__(cls)

    def __init__(self, *_arguments: Any, **_named: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        """Ignores the object's state."""


def read_weight_file(path: Path) -> object:
    """Returns the file's content, mostly a dict, with a `Foreign` for each object that is no tensor or plain value.

    Raises DataError for a file of something else, and for a pickle that calls functions of the standard library.
    """
    if not path.is_file():
        found = other_kind(path) or "nothing"
        hint = "name the file in it" if path.is_dir() else "check the path"
        raise DataError(f"expected a file of weights at {path}, found {found}", hint=hint)
    try:
        head = _head(path)
        _check_looks(path, head)
        if _is_safetensors(path, head):
            return safetensors.torch.load_file(path)
        return _unpickled(path)
    except DataError:
        raise
    except Exception as error:  # a damaged file makes the readers raise almost anything
        raise DataError(
            f"expected weights that torch.save or safetensors wrote in {path}, found a file that is damaged or in "
            f"another format ({type(error).__name__})",
            hint=_FETCH,
        ) from error


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _check_looks(path: Path, head: bytes) -> None:
    """Raises DataError if the first bytes show that the file is something else, and says what."""
    found, hint = next(
        ((what, hint) for look, what, hint in _LOOKS if re.match(look, head, re.IGNORECASE | re.DOTALL)), (None, "")
    )
    if not head:
        found, hint = "an empty file", _FETCH
    elif head.startswith(b"PK\3\4"):
        found, hint = _look_of_zip(path)
    if found is not None:
        raise DataError(f"expected weights that torch.save or safetensors wrote in {path}, found {found}", hint=hint)


def _look_of_zip(path: Path) -> tuple[str | None, str]:
    """Returns what a zip file is if torch.save did not write it, else None; and a hint."""
    if not zipfile.is_zipfile(path):
        return "a file that is damaged: its end is missing", _FETCH
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    names = {member.filename.rpartition("/")[2] for member in members}
    if "constants.pkl" in names:
        save = f"torch.save(torch.jit.load({path.name!r}).state_dict(), 'weights.pth')"
        return "a TorchScript program, which was not run", f"where you trust it, run {save}"
    if "data.pkl" not in names:
        return "a zip archive of something else", "name the file of weights itself"
    check_plain(path, members)
    return None, ""


def _is_safetensors(path: Path, head: bytes) -> bool:
    """Returns whether the file begins as safetensors do, with eight bytes of length and JSON, or has their suffix."""
    fits = head[8:9] == b"{" and int.from_bytes(head[:8], "little") + 8 <= path.stat().st_size
    return fits or path.suffix == ".safetensors"


def _unpickled(path: Path) -> object:
    """Returns the pickle's content; every class that torch does not trust is replaced by a `Foreign` of its name.

    The reader (`weights_only`) builds tensors and plain values, and calls nothing else; at another name it stops and
    raises an error that contains it.
    """
    stand_ins: list[tuple[type[Foreign], str]] = []
    while True:
        try:
            with warnings.catch_warnings(), torch.serialization.safe_globals(list(stand_ins)):
                warnings.simplefilter("ignore")  # torch warns of its own internals when it reads the older form
                return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            name = _foreign_name(error)
            if name is None:
                raise
            known = any(name == each for _, each in stand_ins)
            if known or len(stand_ins) == _MOST_FOREIGN or not _is_record(name):
                raise DataError(
                    f"expected only tensors in {path}, found the Python object {name}, which was not run",
                    hint="save the net's state_dict() alone, with torch.save or as safetensors",
                ) from error
            stand_ins.append((type("Foreign", (Foreign,), {"name": name}), name))


def _foreign_name(error: pickle.UnpicklingError) -> str | None:
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    if found is None:
        return None
    return found[1] if "." in found[1] else f"builtins.{found[1]}"


def _is_record(name: str) -> bool:
    """Returns whether an object of that name is a record that training scripts store beside weights.

    A function of the standard library is none: only a malicious pickle calls one.
    """
    module = name.partition(".")[0]
    is_pythons = module in sys.stdlib_module_names or module in IMPORT_MAPPING  # pickles use Python 2's names
    return module in _RECORDS or name in _PLAIN or not is_pythons
