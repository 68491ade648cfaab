"""Writes and reads XNNPACK's blob in a `.pte`: a header, then its graph; the constants are named data of the file."""

import struct
from collections.abc import Mapping
from typing import Any

from mobile_sdk.runtimes.executorch.fields import delegate_schema

ALIGNMENT = 16  # bytes; of tensors in the planned memory, and of the parts of the blob
BLOB_HEADER = struct.Struct("<4s4sHIIIQ")  # backends/xnnpack/serialization/xnnpack_graph_serialize.py, XNNHeader
_MAGIC = b"XH00"


def encode_blob(graph: Mapping[str, Any]) -> bytes:
    """Returns the blob of XNNPACK's graph, a dictionary by its schema."""
    flatbuffer = delegate_schema().encode(graph)
    start = BLOB_HEADER.size + -BLOB_HEADER.size % ALIGNMENT
    padding = bytes(-len(flatbuffer) % ALIGNMENT)
    end = start + len(flatbuffer) + len(padding)
    header = BLOB_HEADER.pack(bytes(4), _MAGIC, BLOB_HEADER.size, start, len(flatbuffer), end, 0)
    return header.ljust(start, b"\0") + flatbuffer + padding


def decode_blob(blob: bytes) -> dict[str, Any]:
    """Returns XNNPACK's graph; raises ValueError, KeyError, IndexError or struct.error if the blob is damaged."""
    _, magic, _, start, size, _, _ = BLOB_HEADER.unpack_from(blob)
    if magic != _MAGIC or start + size > len(blob):
        raise ValueError(f"a delegate blob that begins {magic!r}")
    return delegate_schema().decode(blob[start : start + size])
