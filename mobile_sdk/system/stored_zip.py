"""Accepts zip files whose members are stored uncompressed: reading them takes no more than the file's size."""

import struct
import zipfile
import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

_LOCAL, _DESCRIPTOR = struct.Struct("<4s2x2H4x3I2H"), struct.Struct("<4s3I")
_END, _LONG_END = struct.Struct("<4s2H2H2IH"), struct.Struct("<4sQ4x2I4Q4sIQI")
_LONG, _ENTRY_BYTES = b"PK\6\6", 46
_HAS_DESCRIPTOR = 1 << 3  # a flag: checksum and sizes follow the data
_PADDING = b"FB"  # the extra field by which PyTorch aligns the data


def check_plain(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Raises BadZipFile if a member is compressed, encrypted or duplicate, or if members overlap.

    Otherwise a small file could expand to a huge one: by compression, or by members that share their bytes.
    """
    _check_stored(members, path.stat().st_size)


def check_plain_if_zip(path: Path) -> None:
    """Raises BadZipFile like `check_plain` if `path` is a zip file; any other file passes."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            check_plain(path, file.infolist())


def read_exact(data: bytes) -> dict[str, bytes]:
    """Returns the members of the zip file `data` by name.

    Raises BadZipFile like `check_plain`, for a member of another checksum, and unless every reader sees these members:
    they must lie one behind the other from the first byte on, then their directory, then the end, and each must be
    described alike beside its data and in the directory.
    """
    with zipfile.ZipFile(BytesIO(data)) as file:
        members = file.infolist()
    _check_stored(members, len(data))
    found, position = {}, 0
    for member in sorted(members, key=lambda each: each.header_offset):
        if member.header_offset != position:
            raise zipfile.BadZipFile(f"bytes before {member.filename!r} belong to nothing")
        start, position = _extent(data, member)
        found[member.filename] = data[start : start + member.file_size]
        if zlib.crc32(found[member.filename]) != member.CRC:
            raise zipfile.BadZipFile(f"bad checksum of {member.filename!r}")
    _check_end(data, members, position)
    return found


def _check_end(data: bytes, members: Sequence[zipfile.ZipInfo], start: int) -> None:
    size = sum(_ENTRY_BYTES + len(each.orig_filename.encode()) + len(each.comment) for each in members)
    count, end = len(members), start + size
    if data[end : end + 4] == _LONG:  # PyTorch writes it always
        long_end = (_LONG, 44, 0, 0, count, count, size, start, b"PK\6\7", 0, end, 1)
        if _unpacked(_LONG_END, data, end) != long_end:
            raise zipfile.BadZipFile("its end is not that of its directory")
        end += _LONG_END.size
    if data[end:] != _END.pack(b"PK\5\6", 0, 0, count, count, size, start, 0):
        raise zipfile.BadZipFile("its end is not that of its directory")


def _extent(data: bytes, member: zipfile.ZipInfo) -> tuple[int, int]:
    """Returns where a member's bytes begin, and where the next member does."""
    name = member.orig_filename.encode()
    sizes = (member.CRC, member.file_size, member.file_size)
    signature, flags, method, *found, name_bytes, extra_bytes = _unpacked(_LOCAL, data, member.header_offset)
    follows = bool(member.flag_bits & _HAS_DESCRIPTOR)
    at = member.header_offset + _LOCAL.size
    written, extra = data[at : at + name_bytes], data[at + name_bytes : at + name_bytes + extra_bytes]
    is_alike = (signature, flags, method, written) == (b"PK\3\4", member.flag_bits, zipfile.ZIP_STORED, name)
    is_alike = is_alike and member.filename == member.orig_filename  # else it holds a zero, where some readers end
    is_padded = not extra or (extra[:2] == _PADDING and int.from_bytes(extra[2:4], "little") == extra_bytes - 4)
    if not is_alike or not is_padded or member.extra or tuple(found) not in (sizes, (0, 0, 0) if follows else sizes):
        raise zipfile.BadZipFile(f"{member.filename!r} is described in two ways")
    start = at + name_bytes + extra_bytes
    end = start + member.file_size
    if not follows:
        return start, end
    if _unpacked(_DESCRIPTOR, data, end) != (b"PK\7\x08", *sizes):
        raise zipfile.BadZipFile(f"{member.filename!r} is described in two ways")
    return start, end + _DESCRIPTOR.size


def _unpacked(record: struct.Struct, data: bytes, at: int) -> tuple[Any, ...]:
    if at < 0 or at + record.size > len(data):
        raise zipfile.BadZipFile("it ends too early")
    return record.unpack_from(data, at)


def _check_stored(members: Sequence[zipfile.ZipInfo], at_most: int) -> None:
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise zipfile.BadZipFile(f"{member.filename} is packed or locked")
    if len({member.filename for member in members}) < len(members):
        raise zipfile.BadZipFile("a record is there twice")
    if sum(member.file_size for member in members) > at_most:
        raise zipfile.BadZipFile("records lie over each other")
