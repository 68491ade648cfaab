"""Loads labelled arrays from one file of numpy, and finds the range of their numbers."""

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.arguments import expect_path
from mobile_sdk.contract import TensorSpec
from mobile_sdk.errors import DataError
from mobile_sdk.preprocess.array_files import plain, read_arrays
from qat.data.folders.listing import natural_order
from qat.data.held_out import fifth_held_out
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures

_INPUTS, _LABELS = "inputs", "labels"


def load_arrays(path: Path | str) -> Pictures:
    """Returns the arrays of a file `.npz`: `inputs` (count, …) and `labels` (count,), words or whole numbers.

    Labels are in natural order; a fifth of the arrays is held out. Folders of `.npy` files are `load_folder`'s. Raises
    DataError for another content, and for fewer than two labels.

    Example: `arrays = qat.load_arrays("commands.npz")`
    """
    expect_path("path", path)
    file = Path(path)
    if not file.is_file():
        raise DataError(f"expected a file of arrays at {os.fspath(path)!r}, found none", hint="check the path")
    found = read_arrays(file, (_INPUTS, _LABELS))
    inputs, labels = plain(found[_INPUTS]), found[_LABELS]
    if inputs.ndim < 2 or labels.shape != inputs.shape[:1]:
        raise DataError(
            f"expected {_INPUTS} (count, …) and as many {_LABELS} in {file}, found {inputs.shape} and {labels.shape}",
            hint="the first side of both counts the samples",
        )
    words = [str(label) for label in labels.tolist()]
    names = tuple(sorted(set(words), key=natural_order))
    if len(names) < 2:
        raise DataError(f"expected two labels or more in {file}, found {len(names)}", hint="add others")
    targets = [names.index(word) for word in words]
    learned, held_out = fifth_held_out(range(len(inputs)), lambda index: _name(inputs[index], index))
    return Pictures(train=_part(inputs, targets, learned), validation=_part(inputs, targets, held_out), labels=names)


def spanning(arrays: PictureSet, shape: tuple[int, ...]) -> TensorSpec:
    """Returns the input whose codes span the numbers of all arrays; raises DataError unless all have that shape."""
    low, high = 0.0, 0.0
    for array, _ in arrays:
        if not isinstance(array, np.ndarray) or array.shape != shape:
            found = array.shape if isinstance(array, np.ndarray) else "a picture"
            raise DataError(f"expected arrays of shape {shape}, found {found}", hint="correct the shape, or the files")
        low, high = min(low, float(array.min())), max(high, float(array.max()))
    if not np.isfinite([low, high]).all():
        raise DataError("expected finite numbers in all arrays, found NaN or infinity", hint="leave such samples out")
    return TensorSpec.of_range(shape, low, high)


def _part(inputs: NDArray[Any], targets: list[int], indices: tuple[int, ...]) -> PictureSet:
    return PictureSet(
        sources=tuple(inputs[index] for index in indices), targets=tuple(targets[index] for index in indices)
    )


def _name(array: NDArray[Any], index: int) -> str:
    return f"{hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()} {index}"
