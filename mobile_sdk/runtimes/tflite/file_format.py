"""Converts a `.tflite` between bytes and the object tree of its schema's generated classes."""

from functools import partial
from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.errors import BundleError
from mobile_sdk.runtimes.damage import damage_named
from mobile_sdk.runtimes.flatbuffer.sharing_builder import SharingBuilder


def to_bytes(model: Any) -> bytes:
    """Returns the file of a ModelT that a `Writer` finished; equal vectors stand in it once."""
    builder = SharingBuilder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def from_bytes(data: bytes) -> Any:
    """Returns a file as the schema's ModelT; flatbuffers' readers raise many things on a damaged one."""
    return schema.ModelT.InitFromPackedBuf(data)


def read_model(path: Path) -> Any:
    """Returns the file as the schema's ModelT. Raises BundleError if it is no readable TFLite model."""
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise damaged(path, "the identifier TFL3 is missing")
    with damage_named(partial(damaged, path)):
        return from_bytes(data)


def damaged(path: Path, why: str) -> BundleError:
    """Returns the error of a file that is no whole TFLite model."""
    return BundleError(f"expected a TFLite model in {path.name}, found a damaged file ({why})", hint="export it again")
