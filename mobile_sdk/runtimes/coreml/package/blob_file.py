"""Reads weights/weight.bin: the arrays of an ML program, each after a header of 64 bytes.

File header: uint32 count, uint32 version (2). Array header at the offset that the program names: uint32 0xDEADBEEF,
uint32 element type, uint64 size in bytes, uint64 offset of the data. Source: StorageFormat.hpp of MILBlob, coremltools.
"""

import struct
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import BundleError
from mobile_sdk.graph.layout.nibbles import unpacked
from mobile_sdk.runtimes.damage import one_line
from mobile_sdk.runtimes.flatbuffer.coverage import Span, check_all_is_read

_SENTINEL = 0xDEADBEEF
_VERSION = 2
_HEADER_BYTES = 64
_COUNT_AND_VERSION = struct.Struct("<II")
_RECORD = struct.Struct("<IIQQ")
_ELEMENT_TYPES = {1: "float16", 2: "float32", 3: "uint8", 4: "int8", 8: "int4"}
_MODEL_FOLDER = "@model_path"


class BlobFile:
    """Holds the weight file of the model in `folder`, read on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._content: dict[str, bytes] = {}
        self._read: dict[str, set[Span]] = {}  # where the headers and arrays are that were read

    @property
    def size_bytes(self) -> int:
        """Returns the bytes of every weight file that was read."""
        return sum(len(content) for content in self._content.values())

    def read_four_bits(self, name: str, offset: int, shape: tuple[int, ...]) -> NDArray[np.int8]:
        """Returns an array of 4-bit codes, two a byte in the file, as `read` does."""
        count = int(np.prod(shape, dtype=np.int64))
        data = self._bytes(name, offset, "int4", (count + 1) // 2, shape)
        if count % 2 and data[-1] >> 4:
            raise damaged(self._folder / "weights", f"a number in the unused half of a byte at {offset}")
        return unpacked(np.frombuffer(data, np.uint8), count).reshape(shape)

    def read(self, name: str, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """Returns the array at `offset` of the file that the program calls `name`.

        Raises BundleError if it is missing.
        """
        size_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        return np.frombuffer(self._bytes(name, offset, dtype.name, size_bytes, shape), dtype).reshape(shape)

    def _bytes(self, name: str, offset: int, kind: str, expected_bytes: int, shape: tuple[int, ...]) -> bytes:
        content = self._open(name)
        if offset + _HEADER_BYTES > len(content):
            raise damaged(self._folder / "weights", f"an array header at {offset} in a file of {len(content)} bytes")
        sentinel, element_type, size_bytes, start = _RECORD.unpack_from(content, offset)
        if sentinel != _SENTINEL or _ELEMENT_TYPES.get(element_type) != kind or size_bytes != expected_bytes:
            raise damaged(self._folder / "weights", f"no array of {kind} {shape} at {offset}")
        if start + size_bytes > len(content):
            raise damaged(self._folder / "weights", f"{len(content)} bytes where an array ends at {start + size_bytes}")
        self._read[name] |= {(offset, offset + _RECORD.size), (start, start + size_bytes)}
        return content[start : start + size_bytes]

    def check_all_is_read(self) -> None:
        """Raises ValueError if a file that was read holds more than its arrays, their headers and zeros."""
        for name, spans in self._read.items():
            count, _ = _COUNT_AND_VERSION.unpack_from(self._content[name])
            if 2 * count != len(spans):
                raise ValueError(f"{count} arrays in {name}, of which {len(spans) // 2} are read")
            check_all_is_read(self._content[name], [(0, _COUNT_AND_VERSION.size), *spans])

    def _open(self, name: str) -> bytes:
        if name not in self._content:
            parts = PurePosixPath(name).parts
            if len(parts) < 2 or parts[0] != _MODEL_FOLDER or ".." in parts:
                raise damaged(self._folder, f"a weight file {name!r} that leaves the package")
            file = self._folder.joinpath(*parts[1:])
            if not file.is_file():
                raise damaged(self._folder, f"no {'/'.join(parts[1:])}")
            content = file.read_bytes()
            if len(content) < _HEADER_BYTES or _COUNT_AND_VERSION.unpack_from(content)[1] != _VERSION:
                raise damaged(file, f"{len(content)} bytes that do not begin as weights of version {_VERSION}")
            self._content[name], self._read[name] = content, set()
        return self._content[name]


def damaged(path: Path, found: str) -> BundleError:
    """Returns the error of a package that this SDK did not write; `found` says what is wrong.

    `found` may quote the file, so it is cut down to one printable line.
    """
    return BundleError(
        f"expected a whole Core ML package at {path.name}, found {one_line(found)}",
        hint="export the bundle again with this SDK",
    )
