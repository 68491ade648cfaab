"""Writes and reads flatbuffers by a schema file, as plain dictionaries.

ExecuTorch's wheel ships the two schemas that its C++ runtime was built from (`program.fbs`, XNNPACK's `schema.fbs`).
Reading is bounds-checked Python, so a damaged file ends in an exception and never in a crash; numbers keep their bits.
A union is a pair (member, value); a table that is absent is None.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
from flatbuffers import number_types

MOST_TABLES = 100_000  # no net has as many; a file that claims more is damaged

_FLAGS = {
    "bool": number_types.BoolFlags,
    "byte": number_types.Int8Flags,
    "ubyte": number_types.Uint8Flags,
    "short": number_types.Int16Flags,
    "ushort": number_types.Uint16Flags,
    "int": number_types.Int32Flags,
    "int32": number_types.Int32Flags,
    "uint": number_types.Uint32Flags,
    "uint32": number_types.Uint32Flags,
    "long": number_types.Int64Flags,
    "int64": number_types.Int64Flags,
    "ulong": number_types.Uint64Flags,
    "uint64": number_types.Uint64Flags,
    "float": number_types.Float32Flags,
    "double": number_types.Float64Flags,
}
_FORMATS = dict(
    zip(_FLAGS, ("<?", "<b", "<B", "<h", "<H", "<i", "<i", "<I", "<I", "<q", "<q", "<Q", "<Q", "<f", "<d"), strict=True)
)


@dataclass(frozen=True, kw_only=True)
class Field:
    """Describes one field of a table: its first slot, its type, and its default if it is a number."""

    slot: int
    type: str
    default: int


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Holds the content of a schema file: tables as fields by name, enums by name, unions as member → table."""

    identifier: bytes
    root: str
    tables: Mapping[str, Mapping[str, Field]]
    enums: Mapping[str, Mapping[str, int]]
    bases: Mapping[str, str]  # enum → the number it is stored as
    unions: Mapping[str, Mapping[str, str]]

    def encode(self, value: Mapping[str, Any]) -> bytes:
        """Returns the root table `value` as a finished buffer with the schema's identifier."""
        builder = flatbuffers.Builder(1024)
        builder.Finish(_Encoder(self, builder).table(self.root, value), self.identifier)
        return bytes(builder.Output())

    def decode(self, data: bytes) -> dict[str, Any]:
        """Returns the root table in `data`; raises ValueError or struct.error if it is damaged."""
        if data[4:8] != self.identifier:
            raise ValueError(f"expected a flatbuffer {self.identifier!r}, found {data[4:8]!r}")
        decoder = _Decoder(self, data)
        return decoder.table(self.root, decoder.scalar("uint", 0))

    def completed(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the root table `value` as `decode` does: absent fields as their defaults, enum names as numbers."""
        return self._complete_table(self.root, value)

    def _complete_table(self, name: str, value: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self._complete(field.type, value.get(key), field) for key, field in self.tables[name].items()}

    def _complete(self, type_: str, value: Any, field: Field) -> Any:
        if self.number_type(type_):
            known = self.enums[type_][value] if isinstance(value, str) else value
            return field.default if known is None or known == field.default else known
        if value is None or type_ == "string":
            return value
        if type_ in self.unions:
            return value[0], self._complete_table(self.unions[type_][value[0]], value[1])
        if type_.startswith("["):
            return [self._complete(type_[1:-1], item, field) for item in value]
        return self._complete_table(type_, value)

    def number_type(self, type_: str) -> str | None:
        """Returns the number type that `type_` is stored as, or None if it is none."""
        return type_ if type_ in _FLAGS else self.bases.get(type_)


def read_schema(path: Path) -> Schema:
    """Parses `path` and the schemas that it includes."""
    text = _with_includes(path)
    enums, bases = {}, {}
    for name, base, body in re.findall(r"enum (\w+)\s*:\s*(\w+)\s*{([^}]*)}", text):
        enums[name], bases[name] = _members(body), base
    unions = {}
    for name, body in re.findall(r"union (\w+)\s*{([^}]*)}", text):
        pairs = [item.partition(":") for item in re.split(r"[,\s]+(?![^:]*:\s*$)", re.sub(r":\s*", ":", body)) if item]
        unions[name] = {member: table or member for member, _, table in pairs}
    tables = {name: _fields(body, enums, unions) for name, body in re.findall(r"table (\w+)\s*{([^}]*)}", text)}
    identifier = re.findall(r'file_identifier "(....)"', text)[0].encode()
    root = re.findall(r"root_type (\w+)", text)[0]
    return Schema(identifier=identifier, root=root, tables=tables, enums=enums, bases=bases, unions=unions)


def _with_includes(path: Path) -> str:
    text = re.sub(r"//[^\n]*", "", path.read_text())
    return re.sub(r'include "([^"]+)";', lambda match: _with_includes(path.parent / match.group(1)), text)


def _members(body: str) -> dict[str, int]:
    members: dict[str, int] = {}
    for item in filter(None, re.split(r"[,\s]+", re.sub(r"\s*=\s*", "=", body))):
        name, _, number = item.partition("=")
        members[name] = int(number) if number else max(members.values(), default=-1) + 1
    return members


def _fields(body: str, enums: Mapping[str, Any], unions: Mapping[str, Any]) -> dict[str, Field]:
    fields, slot = {}, 0
    for name, type_, default in re.findall(r"(\w+)\s*:\s*(\[?\w+\]?)\s*(?:=\s*(\w+))?\s*(?:\([^)]*\))?\s*;", body):
        number = enums[type_][default] if default and type_ in enums else int(default or 0)
        fields[name] = Field(slot=slot, type=type_, default=number)
        slot += 2 if type_ in unions else 1
    return fields


class _Encoder:
    def __init__(self, schema: Schema, builder: Any) -> None:
        self._schema, self._builder = schema, builder

    def table(self, name: str, value: Mapping[str, Any]) -> int:
        """Writes the children, then the table; returns its offset."""
        fields = self._schema.tables[name]
        unknown = set(value) - set(fields)
        if unknown:
            raise ValueError(f"the schema's {name} has no field {', '.join(sorted(unknown))}")
        ready = {key: self._child(fields[key].type, item) for key, item in value.items() if item is not None}
        self._builder.StartObject(2 * len(fields))
        for key, item in ready.items():
            self._slot(fields[key], item)
        return int(self._builder.EndObject())

    def _child(self, type_: str, value: Any) -> Any:
        if type_ in self._schema.unions:
            member, content = value
            return member, self.table(self._schema.unions[type_][member], content)
        if type_.startswith("["):
            return self._vector(type_[1:-1], value)
        if type_ == "string":
            return self._builder.CreateString(value)
        if type_ in self._schema.enums and isinstance(value, str):
            return self._schema.enums[type_][value]
        return value if self._schema.number_type(type_) else self.table(type_, value)

    def _vector(self, type_: str, values: Sequence[Any]) -> int:
        items = [self._child(type_, value) for value in values]
        number = self._schema.number_type(type_)
        flags = _FLAGS[number] if number else number_types.UOffsetTFlags
        self._builder.StartVector(flags.bytewidth, len(items), flags.bytewidth)
        for item in reversed(items):
            if number:
                self._builder.Prepend(flags, item)
            else:
                self._builder.PrependUOffsetTRelative(item)
        return int(self._builder.EndVector())

    def _slot(self, field: Field, item: Any) -> None:
        number = self._schema.number_type(field.type)
        if number:
            self._builder.PrependSlot(_FLAGS[number], field.slot, item, field.default)
        elif field.type in self._schema.unions:
            member, offset = item
            position = list(self._schema.unions[field.type]).index(member) + 1
            self._builder.PrependUint8Slot(field.slot, position, 0)
            self._builder.PrependUOffsetTRelativeSlot(field.slot + 1, offset, 0)
        else:
            self._builder.PrependUOffsetTRelativeSlot(field.slot, item, 0)


class _Decoder:
    def __init__(self, schema: Schema, data: bytes) -> None:
        self._schema, self._data, self._tables = schema, data, 0

    def scalar(self, number: str, position: int) -> Any:
        """Returns the number at `position`; raises struct.error beyond the end."""
        if position < 0:
            raise ValueError("an offset points before the file")
        return struct.unpack_from(_FORMATS[number], self._data, position)[0]

    def table(self, name: str, position: int) -> dict[str, Any]:
        """Returns all fields of the table at `position`, absent numbers as their defaults."""
        self._tables += 1
        if self._tables > MOST_TABLES:
            raise ValueError(f"more than {MOST_TABLES} tables")
        fields = self._schema.tables[name]
        vtable = position - self.scalar("int", position)
        size = self.scalar("ushort", vtable)
        return {key: self._field(field, position, vtable, size) for key, field in fields.items()}

    def _field(self, field: Field, position: int, vtable: int, size: int) -> Any:
        where = self._where(field.slot, position, vtable, size)
        number = self._schema.number_type(field.type)
        if number:
            return self.scalar(number, where) if where else field.default
        if field.type in self._schema.unions:
            content = self._where(field.slot + 1, position, vtable, size)
            return self._union(field.type, self.scalar("ubyte", where), content) if where and content else None
        return self._child(field.type, where) if where else None

    def _where(self, slot: int, position: int, vtable: int, size: int) -> int:
        entry = 4 + 2 * slot
        offset = self.scalar("ushort", vtable + entry) if entry + 2 <= size else 0
        return position + offset if offset else 0

    def _union(self, type_: str, position: int, where: int) -> tuple[str, dict[str, Any]]:
        member, table = list(self._schema.unions[type_].items())[position - 1]
        return member, self.table(table, where + self.scalar("uint", where))

    def _child(self, type_: str, where: int) -> Any:
        target = where + self.scalar("uint", where)
        if type_ == "string":
            return bytes(self._span(target, 1)).decode()
        if not type_.startswith("["):
            return self.table(type_, target)
        inner = type_[1:-1]
        number = self._schema.number_type(inner)
        if number:
            letter = _FORMATS[number][1]
            span = self._span(target, struct.calcsize(f"<{letter}"))
            return list(struct.unpack(f"<{self.scalar('uint', target)}{letter}", span))
        offsets = range(target + 4, target + 4 + len(self._span(target, 4)), 4)
        return [self._child(inner, offset) for offset in offsets]

    def _span(self, target: int, width: int) -> memoryview:
        """Returns the bytes of the vector at `target`, which must be inside the file."""
        start, count = target + 4, self.scalar("uint", target)
        if start + count * width > len(self._data):
            raise ValueError("a vector reaches beyond the file")
        return memoryview(self._data)[start : start + count * width]
