"""Reads what a compiled Java class says of itself and of others (Java Virtual Machine Specification, chapter 4)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_UTF8 = 1
_FIELD, _METHOD, _INTERFACE_METHOD = 9, 10, 11
_SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
_TWO_PLACES = (5, 6)  # long and double


@dataclass(frozen=True, order=True)
class Reference:
    """A member of a class that another class's code uses, by its names in Java and its descriptor."""

    owner: str
    name: str
    descriptor: str

    @property
    def is_method(self) -> bool:
        """A field's descriptor is one type alone."""
        return self.descriptor.startswith("(")


@dataclass(frozen=True, kw_only=True)
class ClassFile:
    """A compiled class: its name, what it inherits from, what it declares, and every member that its code uses."""

    name: str
    parents: tuple[str, ...]
    declared: frozenset[tuple[str, str]]
    references: frozenset[Reference]


def read_classes(folder: Path) -> Iterator[ClassFile]:
    """Returns every class below `folder`."""
    for file in sorted(folder.rglob("*.class")):
        yield read_class(file.read_bytes())


def read_class(data: bytes) -> ClassFile:
    """Reads one class; names have dots, and a dollar sign before an inner class."""
    pool, at = _read_pool(data)

    def text(index: int) -> str:
        return pool[index][1].decode("utf-8", "replace")

    def class_name(index: int) -> str:
        return text(struct.unpack(">H", pool[index][1])[0]).replace("/", ".")

    this, parent, count = struct.unpack_from(">xxHHH", data, at)
    at += 8
    interfaces = struct.unpack_from(f">{count}H", data, at)
    at += 2 * count
    declared = set()
    for _ in range(2):  # fields, then methods
        (members,) = struct.unpack_from(">H", data, at)
        at += 2
        for _ in range(members):
            _, name, descriptor, attributes = struct.unpack_from(">HHHH", data, at)
            at += 8
            declared.add((text(name), text(descriptor)))
            for _ in range(attributes):
                at += 6 + struct.unpack_from(">I", data, at + 2)[0]
    references = set()
    for tag, content in pool.values():
        if tag in (_FIELD, _METHOD, _INTERFACE_METHOD):
            owner, signature = struct.unpack(">HH", content)
            name, descriptor = struct.unpack(">HH", pool[signature][1])
            references.add(Reference(class_name(owner), text(name), text(descriptor)))
    return ClassFile(
        name=class_name(this),
        parents=tuple(class_name(index) for index in (parent, *interfaces) if index),
        declared=frozenset(declared),
        references=frozenset(references),
    )


def _read_pool(data: bytes) -> tuple[dict[int, tuple[int, bytes]], int]:
    magic, count = struct.unpack_from(">IxxxxH", data)
    assert magic == 0xCAFEBABE
    pool, at, index = {}, 10, 1
    while index < count:
        tag = data[at]
        size = 2 + struct.unpack_from(">H", data, at + 1)[0] if tag == _UTF8 else _SIZES[tag]
        content = data[at + 1 : at + 1 + size]
        pool[index] = (tag, content[2:] if tag == _UTF8 else content)
        at += 1 + size
        index += 2 if tag in _TWO_PLACES else 1
    return pool, at
