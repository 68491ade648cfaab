"""Converts a model between bytes and ONNX's ModelProto, and reads it back."""

from functools import partial
from pathlib import Path

from onnx import ModelProto

from mobile_sdk.errors import BundleError
from mobile_sdk.runtimes.damage import damage_named


def to_bytes(model: ModelProto) -> bytes:
    """Returns the file of a model: equal ones give equal bytes."""
    return bytes(model.SerializeToString(deterministic=True))


def read_model(path: Path) -> ModelProto:
    """Returns the file as a ModelProto. Raises BundleError if it is no model, or holds more than one.

    What the model needs is the least that can hold it: a field that nobody knows or that is given twice, a number in
    more bytes than it has, and bytes behind the end are beyond that.
    """
    data = path.read_bytes()
    with damage_named(partial(damaged, path)):
        model = from_bytes(data)
        model.DiscardUnknownFields()
        size = model.ByteSize()
    if size != len(data):
        raise damaged(path, "it holds bytes that are no part of the model")
    return model


def from_bytes(data: bytes) -> ModelProto:
    """Returns a file as a ModelProto; protobuf's reader raises DecodeError on a damaged one."""
    model = ModelProto()
    model.ParseFromString(data)
    return model


def damaged(path: Path, why: str) -> BundleError:
    """Returns the error of a file that is no whole ONNX model."""
    return BundleError(f"expected an ONNX model in {path.name}, found a damaged file ({why})", hint="export it again")
