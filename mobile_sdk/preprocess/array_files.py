"""Reads files of numpy arrays, without running what a file may hold."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import DataError

ARRAY_SUFFIX, ARRAYS_SUFFIX = ".npy", ".npz"


def read_array(path: Path) -> NDArray[Any]:
    """Returns the array in the file `path` (.npy), bytes as 16-bit numbers; DataError names a file that holds none."""
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _no_array(path, str(error)) from error
    if not isinstance(array, np.ndarray):
        raise _no_array(path, "several arrays")
    return plain(array)


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Returns the arrays `names` in the file `path` (.npz); DataError names what is missing."""
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in names if name in file.files}
            others = ", ".join(file.files) or "none"
    except (OSError, ValueError, EOFError, AttributeError, KeyError) as error:
        raise _no_array(path, str(error)) from error
    for name in names:
        if name not in found:
            raise DataError(
                f"expected an array {name!r} in {path}, found {others}",
                hint="save it so: numpy.savez(path, inputs=inputs, labels=labels)",
            )
    return found


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """Returns an array of bytes as one of 16-bit numbers, since arrays of bytes are pictures."""
    return array.astype(np.int16) if array.dtype == np.uint8 else array


def _no_array(path: Path, reason: str) -> DataError:
    found = (reason.splitlines() or ["nothing"])[0][:200]
    return DataError(f"{path}: expected an array of numbers, found: {found}", hint="save it again with numpy.save")
