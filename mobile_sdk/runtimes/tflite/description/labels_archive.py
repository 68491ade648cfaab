"""Appends a model's labels to its file as a zip archive, and takes them off again.

TensorFlow Lite's tools look for the files that metadata names in an archive behind the flatbuffer, stored without
compression, so that they are read in place. An archive has one form here, so whoever takes it off can rebuild it: a
file in which anything else stands behind the model is refused.
"""

import struct
import zlib

LABELS_FILE = "labels.txt"
_NAME = LABELS_FILE.encode()
_LOCAL, _CENTRAL, _END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_END_BYTES = 22
_VERSION, _NEWEST_DATE = 20, 0x21  # PKZIP 2.0; the format's first day, 1980-01-01: one net gives one file


def appended(model: bytes, labels: tuple[str, ...]) -> bytes:
    """Returns the file with its labels, a label a line, behind it; without labels as it is."""
    if not labels:
        return model
    return model + _archive("".join(f"{label}\n" for label in labels).encode(), start=len(model))


def separated(data: bytes) -> tuple[bytes, bytes]:
    """Returns the model of a file, and the content of its labels, empty if there are none.

    Raises ValueError or struct.error for an archive that is not as this SDK writes it.
    """
    end = data[-_END_BYTES:]
    if len(end) < _END_BYTES or end[:4] != _END:
        return data, b""
    directory = struct.unpack_from("<I", end, 16)[0]
    size, start = (struct.unpack_from("<I", data, directory + place)[0] for place in (24, 42))
    first = start + 30 + len(_NAME)
    content = data[first : first + size]
    if data[start:] != _archive(content, start=start):
        raise ValueError(f"an archive that is not that of {LABELS_FILE} alone")
    return data[:start], content


def _archive(content: bytes, *, start: int) -> bytes:
    """Returns the archive of one stored file that begins at `start`. Source: PKWARE's APPNOTE, 4.3 and 4.4."""
    told = struct.pack(
        "<HHHHHIIIHH", _VERSION, 0, 0, 0, _NEWEST_DATE, zlib.crc32(content), len(content), len(content), len(_NAME), 0
    )
    local = _LOCAL + told + _NAME + content
    made_by = struct.pack("<H", _VERSION)
    central = _CENTRAL + made_by + told + struct.pack("<HHHII", 0, 0, 0, 0, start) + _NAME
    end = _END + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), start + len(local), 0)
    return local + central + end
