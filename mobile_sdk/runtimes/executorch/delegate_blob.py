"""Writes and reads XNNPACK's blob in a `.pte`: a header, then its graph; the constants are named data of the file."""

import struct
from collections.abc import Mapping
from typing import Any

from mobile_sdk.runtimes.executorch.fields import delegate_schema
from mobile_sdk.runtimes.flatbuffer.decoding import decode
from mobile_sdk.runtimes.flatbuffer.encoding import encode

ALIGNMENT = 16  # bytes; of tensors in the planned memory, and of the parts of the blob
BLOB_HEADER = struct.Struct("<4s4sHIIIQ")  # backends/xnnpack/serialization/xnnpack_graph_serialize.py, XNNHeader
_MAGIC = b"XH00"


def encode_blob(graph: Mapping[str, Any]) -> bytes:
    """Returns the blob of XNNPACK's graph, a dictionary by its schema."""
    return _framed(encode(delegate_schema(), graph))


def decode_blob(blob: bytes) -> dict[str, Any]:
    """Returns XNNPACK's graph; raises ValueError, KeyError, IndexError or struct.error if the blob is damaged.

    Everything but the graph is as it is written: XNNPACK would read constants at the offset that the header names.
    """
    _, magic, _, start, size, _, _ = BLOB_HEADER.unpack_from(blob)
    flatbuffer = blob[start : start + size]
    if blob != _framed(flatbuffer):
        raise ValueError(f"a delegate blob that begins {magic!r} and holds more, or less, than its graph")
    return decode(delegate_schema(), flatbuffer)


def _framed(flatbuffer: bytes) -> bytes:
    start = BLOB_HEADER.size + -BLOB_HEADER.size % ALIGNMENT
    padding = bytes(-len(flatbuffer) % ALIGNMENT)
    end = start + len(flatbuffer) + len(padding)
    header = BLOB_HEADER.pack(bytes(4), _MAGIC, BLOB_HEADER.size, start, len(flatbuffer), end, 0)
    return header.ljust(start, b"\0") + flatbuffer + padding
