"""A `.pt2` file opened as what it is: a zip of JSON and raw tensors. Nothing in it is unpickled or executed.

`torch.export.load` runs code that the file brings along: `torch/export/pt2_archive/_package.py` calls `pickle.loads`,
`torch.load(weights_only=False)` and loads compiled libraries, whatever the file asks for. So a program that came from
somewhere is never handed to it; this reader knows plain tensors only and refuses everything else. It needs no torch.
"""

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import BundleError
from mobile_sdk.system.regular_file import GIB, check_regular
from mobile_sdk.system.stored_zip import check_plain

ARCHIVE_VERSION = "0"  # torch/export/pt2_archive/constants.py
SCHEMA_MAJOR = 8  # torch/_export/serde/schema.py
MOST_BYTES = 2 * GIB  # of a program; weights are int8, and phones have less memory
HINT = "write the program again with this SDK, or copy it again"

_DTYPES: Mapping[int, np.dtype[Any]] = {  # ScalarType in torch/_export/serde/schema.py
    2: np.dtype("int8"),
    4: np.dtype("<i4"),
    5: np.dtype("<i8"),
    7: np.dtype("<f4"),
}


@dataclass(frozen=True, kw_only=True)
class Archive:
    """`model` is the exported program as JSON; `buffers` by their names in it; `extra` the texts that travel along."""

    model: Mapping[str, Any]
    buffers: Mapping[str, NDArray[Any]]
    extra: Mapping[str, str]


def read_archive(path: Path) -> Archive:
    """Opens the `.pt2` file `path`; raises BundleError where it is damaged, foreign or newer."""
    try:
        check_regular(path, at_most=MOST_BYTES)
        with zipfile.ZipFile(path) as file:
            check_plain(path, file.infolist())
            records = {info.filename.partition("/")[2]: file.read(info) for info in file.infolist()}
        return _archive(path, records)
    except OSError as error:
        raise BundleError(f"expected a program at {path.name}, found: {error.strerror}", hint=HINT) from error
    except (zipfile.BadZipFile, NotImplementedError, EOFError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BundleError(f"expected a whole .pt2 archive, found {path.name} damaged: {error}", hint=HINT) from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise BundleError(f"expected the records of a program in {path.name}, found {reason}", hint=HINT) from error


def _archive(path: Path, records: Mapping[str, bytes]) -> Archive:
    version = records["archive_version"].decode()
    if records["archive_format"] != b"pt2" or version != ARCHIVE_VERSION:
        raise BundleError(f"expected pt2 archive version {ARCHIVE_VERSION}, found {version}", hint=HINT)
    model = json.loads(records["models/model.json"])
    major = model["schema_version"]["major"]
    if major != SCHEMA_MAJOR:
        hint = "use the SDK that wrote it, or write it again with this one"
        raise BundleError(f"expected torch.export schema {SCHEMA_MAJOR}, found {major} in {path.name}", hint=hint)
    config = json.loads(records["data/weights/model_weights_config.json"])["config"]
    buffers = {name: _tensor(name, payload, records) for name, payload in config.items()}
    extra = {name[len("extra/") :]: data.decode() for name, data in records.items() if name.startswith("extra/")}
    return Archive(model=model, buffers=buffers, extra=extra)


def _tensor(name: str, payload: Mapping[str, Any], records: Mapping[str, bytes]) -> NDArray[Any]:
    """One contiguous tensor out of its raw bytes; several tensors may share one record."""
    if payload["use_pickle"]:
        raise BundleError(f"expected raw bytes for {name}, found a pickle, which could run code", hint=HINT)
    meta = payload["tensor_meta"]
    dtype, shape = _DTYPES[meta["dtype"]], sizes(meta)
    strides = [size["as_int"] for size in meta["strides"]]
    if strides != [math.prod(shape[axis + 1 :]) for axis in range(len(shape))] and math.prod(shape) > 1:
        raise BundleError(f"expected a contiguous tensor {name}, found strides {strides} for {shape}", hint=HINT)
    data = records[f"data/weights/{payload['path_name']}"]
    start = meta["storage_offset"]["as_int"] * dtype.itemsize
    return np.frombuffer(data, dtype, math.prod(shape), start).reshape(shape).copy()


def sizes(meta: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape in a tensor's metadata."""
    return tuple(size["as_int"] for size in meta["sizes"])
