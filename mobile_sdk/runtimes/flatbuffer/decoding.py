"""Reads a flatbuffer as data, completely: what nothing asks for is refused.

One number is passed over: the length that a vtable gives for its table. Loaders find fields by their offsets alone.
"""

import struct
from collections.abc import Sequence
from typing import Any

from mobile_sdk.runtimes.flatbuffer.coverage import Span, check_all_is_read
from mobile_sdk.runtimes.flatbuffer.schema import NUMBERS, Field, Schema

MOST_TABLES = 100_000  # no net has as many; a file that claims more is damaged


def decode(schema: Schema, data: bytes, *, header_bytes: int = 8) -> dict[str, Any]:
    """Returns the root table in `data`; raises ValueError, KeyError, IndexError or struct.error if it is damaged.

    The root's offset, the identifier and what else the caller has read are the first `header_bytes`.
    """
    if data[4:8] != schema.identifier:
        raise ValueError(f"expected a flatbuffer {schema.identifier!r}, found {data[4:8]!r}")
    decoder = _Decoder(schema, data)
    root = decoder.table(schema.root, struct.unpack_from("<I", data)[0])
    check_all_is_read(data, [(0, header_bytes), *decoder.read])
    return root


class _Decoder:
    def __init__(self, schema: Schema, data: bytes) -> None:
        self._schema, self._data, self._tables = schema, data, 0
        self.read: set[Span] = set()

    def table(self, name: str, position: int) -> dict[str, Any]:
        """Returns all fields of the table at `position`, absent numbers as their defaults."""
        self._tables += 1
        if self._tables > MOST_TABLES:
            raise ValueError(f"more than {MOST_TABLES} tables")
        fields = self._schema.tables[name]
        offsets = self._offsets(name, position)
        return {key: self._field(field, position, offsets) for key, field in fields.items()}

    def _offsets(self, name: str, position: int) -> Sequence[int]:
        """Returns where each slot of the table at `position` is, as its vtable says; 0 is an absent field."""
        vtable = position - self._number("int", position)
        size = self._number("ushort", vtable)
        if size < 4 or size % 2:
            raise ValueError(f"a {name} whose fields cannot be counted")
        offsets: Sequence[int] = struct.unpack_from(f"<{size // 2 - 2}H", self._data, vtable + 4)
        fields = self._schema.tables[name].values()
        slots = sum(2 if field.type in self._schema.unions else 1 for field in fields)
        if any(offsets[slots:]):
            raise ValueError(f"a field of a {name} that the schema does not have")
        self.read |= {(position, position + 4), (vtable, vtable + size)}
        return offsets

    def _field(self, field: Field, position: int, offsets: Sequence[int]) -> Any:
        where = _where(field.slot, position, offsets)
        number = self._schema.number_type(field.type)
        if number:
            return self._number(number, where, is_new=True) if where else field.default
        if field.type in self._schema.unions:
            content = _where(field.slot + 1, position, offsets)
            return self._union(field.type, self._number("ubyte", where, is_new=True), content) if where else None
        return self._child(field.type, self._target(where, is_new=True)) if where else None

    def _union(self, type_: str, number: int, where: int) -> tuple[str, dict[str, Any]]:
        found = [(name, each.table) for name, each in self._schema.unions[type_].items() if each.number == number]
        if not found or not where:
            raise ValueError(f"a {type_} of the kind {number}")
        member, table = found[0]
        return member, self.table(table, self._target(where, is_new=True))

    def _child(self, type_: str, target: int) -> Any:
        if type_ == "string":
            return self._vector(target, 1, ending=1).decode()
        if not type_.startswith("["):
            return self.table(type_, target)
        inner = type_[1:-1]
        if inner == "ubyte":
            return self._vector(target, 1)
        letter = NUMBERS[self._schema.number_type(inner) or "uint"]
        items = list(struct.unpack(f"<{self._number('uint', target)}{letter}", self._vector(target, _width(letter))))
        if self._schema.number_type(inner):
            return items
        places = range(target + 4, target + 4 + 4 * len(items), 4)
        return [self._child(inner, place + offset) for place, offset in zip(places, items, strict=True)]

    def _vector(self, target: int, width: int, *, ending: int = 0) -> bytes:
        """Returns the bytes of the vector at `target`, which must be inside the file, as must the zero after a text."""
        start = target + 4
        stop = start + self._number("uint", target) * width
        if stop + ending > len(self._data) or any(self._data[stop : stop + ending]):
            raise ValueError("a vector or a text that reaches beyond its end")
        self.read.add((target, stop + ending))
        return self._data[start:stop]

    def _target(self, where: int, *, is_new: bool = False) -> int:
        return where + int(self._number("uint", where, is_new=is_new))

    def _number(self, number: str, position: int, *, is_new: bool = False) -> Any:
        """Returns the number at `position`; raises struct.error beyond the end."""
        if position < 0:
            raise ValueError("an offset points before the file")
        if is_new:
            self.read.add((position, position + _width(NUMBERS[number])))
        return struct.unpack_from(f"<{NUMBERS[number]}", self._data, position)[0]


def _where(slot: int, position: int, offsets: Sequence[int]) -> int:
    return position + offsets[slot] if slot < len(offsets) and offsets[slot] else 0


def _width(letter: str) -> int:
    return struct.calcsize(f"<{letter}")
