"""Reads the exported program in a file of schema 2 as JSON and arrays: only plain tensors, nothing unpickled."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.document import parse_json
from mobile_sdk.errors import BundleError
from mobile_sdk.program.archive import HINT, Members

ARCHIVE_VERSION = "0"  # torch/export/pt2_archive/constants.py
SCHEMA_MAJOR = 8  # torch/_export/serde/schema.py

_DTYPES: Mapping[int, np.dtype[Any]] = {  # ScalarType in torch/_export/serde/schema.py
    2: np.dtype("int8"),
    4: np.dtype("<i4"),
    5: np.dtype("<i8"),
    7: np.dtype("<f4"),
}


@dataclass(frozen=True, kw_only=True)
class ExportedProgram:
    """Holds the exported program: `model` as JSON, `buffers` its arrays by their names in it."""

    model: Mapping[str, Any]
    buffers: Mapping[str, NDArray[Any]]


def read_exported(name: str, members: Members) -> ExportedProgram:
    """Returns the exported program of the file `name`; raises BundleError if it is of another version of PyTorch."""
    version = members["archive_version"].decode()
    if version != ARCHIVE_VERSION:
        raise BundleError(f"expected pt2 archive version {ARCHIVE_VERSION}, found {version}", hint=HINT)
    model = parse_json(members["models/model.json"])
    major = model["schema_version"]["major"]
    if major != SCHEMA_MAJOR:
        hint = "use the SDK that wrote it, or write it again with this one"
        raise BundleError(f"expected torch.export schema {SCHEMA_MAJOR}, found {major} in {name}", hint=hint)
    config = parse_json(members["data/weights/model_weights_config.json"])["config"]
    buffers = {buffer: _tensor(buffer, payload, members) for buffer, payload in config.items()}
    return ExportedProgram(model=model, buffers=buffers)


def _tensor(name: str, payload: Mapping[str, Any], members: Members) -> NDArray[Any]:
    """Returns one contiguous tensor from its raw bytes; several tensors may share one record."""
    if payload["use_pickle"]:
        raise BundleError(f"expected raw bytes for {name}, found a pickle, which could run code", hint=HINT)
    meta = payload["tensor_meta"]
    dtype, shape = _DTYPES[meta["dtype"]], sizes(meta)
    strides = [size["as_int"] for size in meta["strides"]]
    if strides != [math.prod(shape[axis + 1 :]) for axis in range(len(shape))] and math.prod(shape) > 1:
        raise BundleError(f"expected a contiguous tensor {name}, found strides {strides} for {shape}", hint=HINT)
    data = members[f"data/weights/{payload['path_name']}"]
    start = meta["storage_offset"]["as_int"] * dtype.itemsize
    return np.frombuffer(data, dtype, math.prod(shape), start).reshape(shape).copy()


def sizes(meta: Mapping[str, Any]) -> tuple[int, ...]:
    """Returns the shape in a tensor's metadata."""
    return tuple(size["as_int"] for size in meta["sizes"])
