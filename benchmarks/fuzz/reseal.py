"""Makes hashes and seals right again after a change, as anybody can who knows how they are made."""

import hashlib
import json
import zipfile
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.fuzz.mutations.archive_mutations import (
    changed_header,
    joined_header,
    read_zip,
    split_header,
    written_zip,
)
from benchmarks.fuzz.mutations.json_mutations import changed_json
from mobile_sdk.bundle.manifest_file import MANIFEST_FILE, seal
from mobile_sdk.program.seal import SEAL_FILE
from mobile_sdk.program.seal import seal as seal_members
from mobile_sdk.system.regular_file import read_regular
from mobile_sdk.system.seal import sealed, split_seal

_DAMAGE = (
    zipfile.BadZipFile,
    NotImplementedError,
    StopIteration,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OSError,
    RecursionError,
)
"""A change may leave nothing to reseal; the input is then what it has left."""


def reseal_bundle(folder: Path) -> None:
    """Lists the hashes of a bundle's files anew and seals its manifest."""
    file = folder / MANIFEST_FILE
    with suppress(*_DAMAGE):
        content: dict[str, Any] = json.loads(read_regular(file))
        with suppress(*_DAMAGE):
            for entry in content["files"]:
                data = read_regular(folder / entry["path"])
                entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        _replace(file, seal(content))


def reseal_program(folder: Path) -> None:
    """Seals a program file of schema 3 anew."""
    with suppress(*_DAMAGE):
        (file,) = folder.iterdir()
        members = read_zip(read_regular(file))
        prefix = next(name for name in members if name.endswith(SEAL_FILE)).removesuffix(SEAL_FILE)
        rest = {name.removeprefix(prefix): data for name, data in members.items() if not name.endswith(SEAL_FILE)}
        _replace(file, written_zip({**members, prefix + SEAL_FILE: seal_members(rest)}))


def resealed_json(data: bytes, draw: Random) -> bytes:
    """Changes a field of a sealed JSON document, and seals it anew, or leaves it without a seal."""
    content = split_seal(changed_json(split_seal(data)[0], draw))[0].decode("utf-8", "surrogateescape")
    return (sealed(content) if draw.random() < 0.9 else content).encode("utf-8", "surrogateescape")


def resealed_header(data: bytes, draw: Random) -> bytes:
    """Changes the header of a sealed safetensors file, and leaves it without a seal, as earlier SDKs did."""
    header, tensors = split_header(data)
    metadata = header["__metadata__"]
    for key, text in metadata.items():
        metadata[key] = split_seal(text.encode())[0].decode()
    return changed_header(joined_header(header, tensors), draw)


def _replace(file: Path, data: bytes) -> None:
    file.unlink()  # first, as it may be a link to the sample
    file.write_bytes(data)
