"""Writes data as a flatbuffer."""

from collections.abc import Mapping, Sequence
from typing import Any

from flatbuffers import number_types  # type: ignore[import-untyped]

from mobile_sdk.runtimes.flatbuffer.schema import Field, Schema
from mobile_sdk.runtimes.flatbuffer.sharing_builder import SharingBuilder

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


def encode(schema: Schema, value: Mapping[str, Any]) -> bytes:
    """Returns the root table `value` as a finished buffer with the schema's identifier; equal vectors stand once."""
    builder = SharingBuilder(1024)
    builder.Finish(_Encoder(schema, builder).table(schema.root, value), schema.identifier)
    return bytes(builder.Output())


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
            return member, self.table(self._schema.unions[type_][member].table, content)
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
            self._builder.PrependUint8Slot(field.slot, self._schema.unions[field.type][member].number, 0)
            self._builder.PrependUOffsetTRelativeSlot(field.slot + 1, offset, 0)
        else:
            self._builder.PrependUOffsetTRelativeSlot(field.slot, item, 0)
