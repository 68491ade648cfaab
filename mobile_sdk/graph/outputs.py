"""Holds what a net gives for some pictures as one array, whatever the number of its outputs.

One output is (pictures, *shape). Several are records (pictures,) with a field for each output, by its name: a picture's
bytes are then those of its outputs, one after another.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def joined(outputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Returns outputs (pictures, *shape), by name, as one array."""
    arrays = list(outputs.values())
    if len(arrays) == 1:
        return arrays[0]
    records = np.empty(
        len(arrays[0]), record_type((name, each.dtype, each.shape[1:]) for name, each in outputs.items())
    )
    for name, each in outputs.items():
        records[name] = each
    return records


def separated(values: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Returns the outputs (pictures, …) that one array holds, in their order."""
    names = values.dtype.names
    if names is None:
        return (values,)
    records = values.reshape(len(values))
    return tuple(records[name] for name in names)


def record_type(outputs: Iterable[tuple[str, np.dtype[Any], Sequence[int]]]) -> np.dtype[Any]:
    """Returns the type of one picture's outputs, each with its name, its dtype and its shape; nothing lies between."""
    return np.dtype([(name, dtype, tuple(shape)) for name, dtype, shape in outputs])
