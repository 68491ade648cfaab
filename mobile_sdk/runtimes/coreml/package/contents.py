"""Reads everything in an `.mlpackage` as plain data, so that two packages can be compared without a remainder.

`program_file.py` reads what computes; this reads the rest too: descriptions, metadata, other functions, other files.
Bytes that nothing refers to are refused. A constant stands in the operations that take it: coremltools chooses its
name, and whether it is in the protobuf or in the weight file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mobile_sdk.runtimes.coreml.package.blob_file import BlobFile, damaged
from mobile_sdk.runtimes.coreml.package.manifest import root_model_file
from mobile_sdk.runtimes.coreml.package.program_file import constant, parse_model
from mobile_sdk.runtimes.damage import damage_named

_TOOLS_VERSION = "coremltools-version"
_TENSOR = "tensorType"
_VALUE = ("immediateValue", "blobFileValue")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Holds a package: its operations by the names of their results, and all else, by name."""

    operations: Mapping[str, Any]
    rest: Mapping[str, Any]


def read_contents(package: Path) -> Contents:
    """Reads the `.mlpackage` folder; raises BundleError if it is damaged, or holds what no reader knows."""
    with damage_named(partial(damaged, package)):
        return _read(package)


def _read(package: Path) -> Contents:
    model_file = root_model_file(package)
    model, blobs = parse_model(model_file), BlobFile(model_file.parent)
    known = type(model)()
    known.CopyFrom(model)
    known.DiscardUnknownFields()
    if known.ByteSize() != model_file.stat().st_size:
        raise damaged(model_file, "fields that no Core ML model has, or fields that stand there twice")
    function = model.mlProgram.functions["main"]
    block = function.block_specializations[function.opset]
    operations = _Reader(blobs).operations(block, inputs=[item.name for item in function.inputs])
    del block.operations[:]
    rest = _Reader(blobs).plain(model)
    for entry in rest["mlProgram"]["attributes"]["buildInfo"]["immediateValue"]["dictionary"]["values"]:
        if entry["key"]["constant"] == _TOOLS_VERSION:
            entry["value"]["constant"] = ""  # says who wrote it; nothing computes with it
    blobs.check_all_is_read()
    files = sorted(str(path.relative_to(package)) for path in package.rglob("*"))
    manifest = (package / "Manifest.json").read_text(encoding="utf-8")
    return Contents(operations=operations, rest={**rest, "files": files, "Manifest.json": manifest})


class _Reader:
    """Turns messages into dictionaries; fields that are absent are absent there."""

    def __init__(self, blobs: BlobFile) -> None:
        self._blobs = blobs
        self._constants: dict[str, Any] = {}
        self._unused: set[str] = set()

    def operations(self, block: Any, *, inputs: list[str]) -> dict[str, Any]:
        """Returns all operations but constants; raises ValueError for names that occur twice and for idle constants."""
        operations: dict[str, Any] = {}
        for item in block.operations:
            name = ", ".join(output.name for output in item.outputs)
            if name in (*inputs, *operations, *self._constants):
                raise ValueError(f"two results named {name}")
            if item.type == "const":
                self._constants[name] = self._constant(item)
                self._unused.add(name)
            else:
                operations[name] = self.plain(item)
        if self._unused:
            raise ValueError(f"a constant that nothing takes, {min(self._unused)}")
        return operations

    def plain(self, message: Any) -> Any:
        """Returns a message as a dictionary, a constant as its array, and a constant's name as that constant."""
        kind = message.DESCRIPTOR.name
        if kind == "Binding" and message.name in self._constants:
            self._unused.discard(message.name)
            return self._constants[message.name]
        if kind == "Value" and message.type.WhichOneof("type") == _TENSOR:
            others = [(field, value) for field, value in message.ListFields() if field.name not in _VALUE]
            return {**self._fields(others), "constant": constant(self._blobs, message)}
        return self._fields(message.ListFields())

    def _fields(self, fields: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
        return {field.name: self._item(value) for field, value in fields}

    def _item(self, value: Any) -> Any:
        if hasattr(value, "ListFields"):
            return self.plain(value)
        if hasattr(value, "items"):
            return {str(key): self._item(each) for key, each in value.items()}
        if isinstance(value, str | bytes | int | float):
            return value
        return [self._item(each) for each in value]

    def _constant(self, item: Any) -> Any:
        attributes = {name: self.plain(value) for name, value in item.attributes.items()}
        is_usual = attributes.keys() == {"val", "name"} and len(item.outputs) == 1
        if not is_usual or item.inputs or item.blocks or attributes["name"]["constant"] != item.outputs[0].name:
            raise ValueError(f"a constant with {', '.join(attributes)}")
        return {"output": self.plain(item.outputs[0].type), **attributes["val"]}
