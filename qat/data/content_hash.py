"""What data are told apart by: hashes of their bytes, never of names, sizes or dates."""

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
"""Hashes, by what they are of."""

Stamp = tuple[int, ...]
"""What tells in a moment whether a file, or an array, is still as it was."""


class Hashed(Protocol):
    """Pictures, and what is known of each, that a run is told apart by."""

    def pictures_hash(self) -> str:
        """A hash of the pictures' bytes, in their order."""
        ...

    def truths_hash(self) -> str:
        """A hash of what is known of each, in their order."""
        ...


def data_fingerprint(learned: Hashed, held_out: Hashed, truths: str) -> Fingerprint:
    """The hashes of what is learned and of what is held out; `truths` is what they are called: labels, boxes, masks."""
    parts = {"training": learned, "held-out": held_out}
    return {
        f"{name} {what}": make()
        for name, part in parts.items()
        for what, make in (("pictures", part.pictures_hash), (truths, part.truths_hash))
    }


def hash_file(path: Path) -> bytes:
    """The SHA-256 of a file; raises DataError where it cannot be read."""
    with _readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def hash_array(array: NDArray[Any]) -> bytes:
    """The SHA-256 of an array: its dtype, its shape and its bytes."""
    return hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode() + array.tobytes()).digest()


def hash_all(parts: Iterable[bytes]) -> str:
    """One SHA-256 of several things, each with its length: none can pass for two."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d " % len(part) + part)
    return digest.hexdigest()


def stamp(path: Path) -> Stamp:
    """What the system says of a file, which changes with its content: size, times and identity; errors as above."""
    with _readable(path):
        found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def array_stamp(array: NDArray[Any]) -> Stamp:
    """A checksum of an array's bytes, several times as fast as their hash: whoever holds it can change it in place."""
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
