"""Describes the content of a schema file, and completes data by it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NUMBERS = {
    "bool": "?",
    "byte": "b",
    "ubyte": "B",
    "short": "h",
    "ushort": "H",
    "int": "i",
    "int32": "i",
    "uint": "I",
    "uint32": "I",
    "long": "q",
    "int64": "q",
    "ulong": "Q",
    "uint64": "Q",
    "float": "f",
    "double": "d",
}
"""It maps a number type to its letter in `struct`."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """Describes one field of a table: its first slot, its type, and its default if it is a number."""

    slot: int
    type: str
    default: float


@dataclass(frozen=True, kw_only=True)
class Member:
    """Describes one member of a union: its number in a file and its table."""

    number: int
    table: str


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Holds the content of a schema file: tables as fields by name, enums and unions as members by name."""

    identifier: bytes
    root: str
    tables: Mapping[str, Mapping[str, Field]]
    enums: Mapping[str, Mapping[str, int]]
    bases: Mapping[str, str]  # enum → the number it is stored as
    unions: Mapping[str, Mapping[str, Member]]

    def completed(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the root table `value` as `decode` does: absent fields as their defaults, enum names as numbers."""
        return self._complete_table(self.root, value)

    def _complete_table(self, name: str, value: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self._complete(field.type, value.get(key), field) for key, field in self.tables[name].items()}

    def _complete(self, type_: str, value: Any, field: Field) -> Any:
        if self.number_type(type_):
            known = self._number(type_, value)
            return field.default if known is None or known == field.default else known
        if value is None or type_ == "string":
            return value
        if type_ in self.unions:
            return value[0], self._complete_table(self.unions[type_][value[0]].table, value[1])
        if type_ == "[ubyte]":
            return bytes(value)
        if type_.startswith("["):
            inner = type_[1:-1]
            is_number = self.number_type(inner) is not None
            return [self._number(inner, each) if is_number else self._complete(inner, each, field) for each in value]
        return self._complete_table(type_, value)

    def _number(self, type_: str, value: Any) -> Any:
        return self.enums[type_][value] if isinstance(value, str) else value

    def number_type(self, type_: str) -> str | None:
        """Returns the number type that `type_` is stored as, or None if it is none."""
        return type_ if type_ in NUMBERS else self.bases.get(type_)


def read_schema(path: Path) -> Schema:
    """Parses `path` and the schemas that it includes."""
    text = _with_includes(path)
    enums, bases = {}, {}
    for name, base, body in re.findall(r"enum (\w+)\s*:\s*(\w+)\s*{([^}]*)}", text):
        enums[name], bases[name] = _members(body), base
    unions = {}
    for name, body in re.findall(r"union (\w+)\s*{([^}]*)}", text):
        members = re.findall(r"(\w+)(?:\s*:\s*(\w+))?(?:\s*=\s*(\d+))?", body)
        unions[name] = {
            member: Member(number=int(number or index), table=table or member)
            for index, (member, table, number) in enumerate(members, start=1)
        }
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
    for name, type_, default in re.findall(r"(\w+)\s*:\s*(\[?\w+\]?)\s*(?:=\s*(-?\w+))?\s*(?:\([^)]*\))?\s*;", body):
        fields[name] = Field(slot=slot, type=type_, default=_default(type_, default or "0", enums))
        slot += 2 if type_ in unions else 1
    return fields


def _default(type_: str, default: str, enums: Mapping[str, Any]) -> float:
    if type_ == "bool":
        return default == "true"
    if type_ in ("float", "double"):
        return float(default)
    members: Mapping[str, int] = enums.get(type_, {})
    return members[default] if default in members else int(default)
