"""Identifies data by hashes of their bytes, never by names, sizes or dates."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import DataError

Fingerprint = dict[str, str]
"""Maps the name of an ingredient to its hash."""

Stamp = tuple[int, ...]
"""Changes whenever a file, or an array, changes, and is fast to compute."""


class Hashed(Protocol):
    """Hashes pictures, and the truth of each, to identify a run's data."""

    def pictures_hash(self) -> str:
        """Returns a hash of the pictures' bytes, in their order."""
        ...

    def truths_hash(self) -> str:
        """Returns a hash of the truths, in their order."""
        ...


def data_fingerprint(learned: Hashed, held_out: Hashed, truths: str) -> Fingerprint:
    """Returns the hashes of training and held-out data; `truths` is their name: labels, boxes or masks."""
    parts = {"training": learned, "held-out": held_out}
    return {
        f"{name} {what}": make()
        for name, part in parts.items()
        for what, make in (("pictures", part.pictures_hash), (truths, part.truths_hash))
    }


def hash_file(path: Path) -> bytes:
    """Returns the SHA-256 of a file; raises DataError if it cannot be read."""
    with _readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def hash_array(array: NDArray[Any]) -> bytes:
    """Returns the SHA-256 of an array: its dtype, its shape and its bytes."""
    return hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode() + array.tobytes()).digest()


def hash_all(parts: Iterable[bytes]) -> str:
    """Returns one SHA-256 of several byte strings, each with its length, so that other divisions differ."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d " % len(part) + part)
    return digest.hexdigest()


def stamp(path: Path) -> Stamp:
    """Returns a file's size, times and identity, which change with its content; raises as `hash_file` does."""
    with _readable(path):
        found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def array_stamp(array: NDArray[Any]) -> Stamp:
    """Returns a checksum of an array's bytes, several times as fast as a hash: an array can change in place."""
    return (zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data),)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"expected a file that can be read at {path}, found: {error.strerror}",
            hint="put it back, or load the data again",
        ) from error
