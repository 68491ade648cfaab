"""Reads and writes the `.pte` container: a Program flatbuffer, then the segments it points to, then our seal.

Layout (executorch `schema/extended_header.h`, `exir/_serialize/_program.py`): root offset, "ET12", the extended header
(magic "eh00", its length, program size, segments' offset and size), the flatbuffer's rest, segments on multiples of
128. ExecuTorch's C++ loader trusts the segments and weights, so the seal (the SHA-256 of all before it, which the
loader ignores) is checked before the loader sees a file: a truncated or changed file is refused here and cannot crash
there.
"""

import hashlib
import importlib.util
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from mobile_sdk.errors import BundleError
from mobile_sdk.packages import missing
from mobile_sdk.runtimes.damage import damage_named
from mobile_sdk.runtimes.flatbuffer.coverage import check_all_is_read
from mobile_sdk.runtimes.flatbuffer.decoding import decode
from mobile_sdk.runtimes.flatbuffer.encoding import encode
from mobile_sdk.runtimes.flatbuffer.schema import Schema, read_schema

SEGMENT_ALIGNMENT = 128  # bytes
HEADER = struct.Struct("<4sIQQQ")
HEADER_MAGIC = b"eh00"
SEAL_MAGIC = b"qatseal1"
SEAL_BYTES = len(SEAL_MAGIC) + hashlib.sha256().digest_size
HINT = "export the program again, or copy the bundle again"


@dataclass(frozen=True, kw_only=True)
class PteFile:
    """Holds `program` as the schema has it, its delegates' blobs in order, and the data that they name."""

    program: Mapping[str, Any]
    delegates: tuple[bytes, ...]
    named: Mapping[str, bytes]


@cache
def program_schema() -> Schema:
    """Returns ExecuTorch's own schema of a program."""
    return read_schema(package_folder() / "schema" / "program.fbs")


def package_folder() -> Path:
    """Returns the folder of the executorch package, which is not imported (that takes seconds)."""
    found = importlib.util.find_spec("executorch")
    if found is None or not found.submodule_search_locations:
        raise missing("executorch", "ExecuTorch bundles", extra="executorch")
    return Path(next(iter(found.submodule_search_locations)))


def write_pte(plan: Mapping[str, Any], blob: bytes, named: Mapping[str, bytes]) -> bytes:
    """Returns a file with one execution plan whose delegate 0 is `blob`, with `named` data for it."""
    parts = [b"", blob, *named.values()]  # segment 0 would hold constants of the program's own; there are none
    segments, body = [], bytearray()
    for part in parts:
        body += bytes(-len(body) % SEGMENT_ALIGNMENT)
        segments.append({"offset": len(body), "size": len(part)})
        body += part
    program = encode(program_schema(), program_fields(plan, named, segments))
    size = len(program) + HEADER.size
    base = size + -size % SEGMENT_ALIGNMENT
    header = HEADER.pack(HEADER_MAGIC, HEADER.size, size, base, len(body))
    root = struct.pack("<I", struct.unpack_from("<I", program)[0] + HEADER.size)
    whole = root + program[4:8] + header + program[8:] + bytes(base - size) + bytes(body)
    return sealed(whole)


def program_fields(
    plan: Mapping[str, Any], named: Mapping[str, bytes], segments: Sequence[Mapping[str, int]]
) -> dict[str, Any]:
    """Returns the program of one execution plan and its `named` data; the order of the fields is that in the file."""
    return {
        "version": 0,
        "execution_plan": [plan],
        "constant_buffer": [],
        "backend_delegate_data": [],
        "segments": segments,
        "constant_segment": {"segment_index": 0, "offsets": [0]},
        "named_data": [{"key": key, "segment_index": index} for index, key in enumerate(named, start=2)],
    }


def read_pte(path: Path) -> PteFile:
    """Opens `path`; raises BundleError if it is damaged, changed, or not this SDK's."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BundleError(f"expected a model at {path.name}, found none that can be read", hint=HINT) from error
    if data[4:8] != program_schema().identifier:
        raise BundleError(f"expected an ExecuTorch program, found {path.name} beginning {data[4:8]!r}", hint=HINT)
    if data[-SEAL_BYTES:][: len(SEAL_MAGIC)] != SEAL_MAGIC:
        reason = f"expected this SDK's seal at the end of {path.name}, found none: cut short, or another tool's"
        raise BundleError(reason, hint=HINT)
    if data != sealed(data[:-SEAL_BYTES]):
        raise BundleError(f"expected {path.name} as it was written, found it changed", hint=HINT)
    with damage_named(partial(damaged, path, "a readable ExecuTorch program")):
        return parse_pte(data)


def damaged(path: Path, expected: str, found: str) -> BundleError:
    """Returns the error of a file that holds `found` in place of what was expected."""
    return BundleError(f"expected {expected} in {path.name}, found {found}", hint=HINT)


def sealed(data: bytes) -> bytes:
    """Returns a file with its seal behind it, which holds damage off and no forger."""
    return data + SEAL_MAGIC + hashlib.sha256(data).digest()


def parse_pte(data: bytes) -> PteFile:
    """Returns the parts of a whole file; every byte before the seal is in one of them, or a zero between them.

    Raises ValueError, KeyError, IndexError or struct.error if it is damaged.
    """
    data = data[:-SEAL_BYTES]
    magic, header_bytes, size, base, length = HEADER.unpack_from(data, 8)
    if magic != HEADER_MAGIC or header_bytes != HEADER.size or not size <= base <= base + length == len(data):
        raise ValueError("an extended header that does not fit the file")
    program = decode(program_schema(), data[:size], header_bytes=8 + HEADER.size)
    places = [(base + entry["offset"], base + entry["offset"] + entry["size"]) for entry in program["segments"]]
    check_all_is_read(data, [(0, size), *(place for place in places if place[0] < place[1])])
    segments = [data[start:stop] for start, stop in places]
    plan = program["execution_plan"][0]
    delegates = tuple(segments[delegate["processed"]["index"]] for delegate in plan["delegates"])
    named = {entry["key"]: segments[entry["segment_index"]] for entry in program["named_data"]}
    return PteFile(program=program, delegates=delegates, named=named)
