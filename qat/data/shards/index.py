"""Describes a folder of shards: tar files of pictures, and an index of their content."""

import re
import tarfile
import threading
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from mobile_sdk.document import Document
from mobile_sdk.errors import DataError
from mobile_sdk.labels.label_text import check_labels
from mobile_sdk.system.regular_file import GIB
from mobile_sdk.system.seal import read_sealed, write_sealed
from qat.data.content_hash import Stamp, hash_file, stamp

INDEX_FILE = "shards.json"
LABEL_SUFFIX = "cls"  # webdataset's name for the file with a label's index
SHARD_NAME = re.compile(r"(train|validation)-\d{6}\.tar")
_AGAIN = "write the shards again: mobile-sdk shard, or copy them again"
_LONGEST_LABEL = 20  # bytes
_hashing = threading.Lock()
_intact: dict[tuple[Path, str], Stamp] = {}
"""Holds shards whose hash this process has found right, and the stamps of their files at that time."""

Row = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(gt=0)], Annotated[int, Field(ge=0)]]
"""Holds the offset of a picture's file in the shard, its bytes, and the index of its label."""


class Shard(Document):
    """Describes a tar file: its name, bytes and SHA-256, and its pictures in their order."""

    file: Annotated[str, Field(pattern=f"^{SHARD_NAME.pattern}$")]
    size_bytes: int
    sha256: str
    pictures: Annotated[tuple[Row, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(offset + size_bytes > self.size_bytes for offset, size_bytes, _ in self.pictures):
            raise ValueError("a picture that ends behind its shard")
        return self


class ShardIndex(Document):
    """Describes the shards of a folder."""

    schema_number: Literal[1] = 1
    labels: tuple[str, ...]
    train: Annotated[tuple[Shard, ...], Field(min_length=1)]
    validation: Annotated[tuple[Shard, ...], Field(min_length=1)]

    def files(self) -> frozenset[str]:
        """Returns the names of all shards."""
        return frozenset(shard.file for shard in (*self.train, *self.validation))


def write_index(index: ShardIndex, folder: Path) -> None:
    """Writes `folder/shards.json`; raises DataError for labels that an app could not show or distinguish."""
    check_labels(index.labels, str(folder))
    write_sealed(folder / INDEX_FILE, index.model_dump_json())


def read_index(folder: Path) -> ShardIndex:
    """Returns the index of `folder`; raises DataError if it is none, or if a shard is missing or of another size."""
    path = folder / INDEX_FILE
    try:
        index = ShardIndex.model_validate_json(read_sealed(path, at_most=GIB))
    except FileNotFoundError as error:
        raise DataError(f"expected {INDEX_FILE} in {folder}, found none", hint=_AGAIN) from error
    except OSError as error:
        raise DataError(f"expected an index of shards in {path}, found: {error.strerror}", hint=_AGAIN) from error
    except (ValidationError, ValueError) as error:
        raise DataError(f"expected an index of shards in {path}, found one damaged or newer", hint=_AGAIN) from error
    check_labels(index.labels, str(path))
    if any(label >= len(index.labels) for shard in (*index.train, *index.validation) for *_, label in shard.pictures):
        raise DataError(f"expected labels below {len(index.labels)} in {path}, found others", hint=_AGAIN)
    for shard in (*index.train, *index.validation):
        _check_size(folder / shard.file, shard)
    return index


def check_shard(folder: Path, shard: Shard) -> Path:
    """Returns the shard's path; raises DataError if its bytes, pictures or labels are not those of the index.

    A process reads each shard once for this, and again if the file has changed since.
    """
    path = folder / shard.file
    with _hashing:
        _check_size(path, shard)
        seen = stamp(path)
        if _intact.get((path, shard.sha256)) != seen:
            if hash_file(path).hex() != shard.sha256:
                raise DataError(
                    f"expected the shard {path} as it was written, found it damaged or replaced", hint=_AGAIN
                )
            _check_rows(path, shard)
            _intact[path, shard.sha256] = seen
    return path


def rows_of(path: Path) -> tuple[Row, ...]:
    """Returns the rows of the tar file's pictures; raises KeyError, ValueError or TarError if one has no label."""
    with tarfile.open(path, "r:") as tar:
        files = [each for each in tar if each.isreg()]
        labels = {
            stem: _label(tar, each) for each in files for stem, suffix in [_split(each)] if suffix == LABEL_SUFFIX
        }
        pictures = [each for each in files if _split(each)[1] != LABEL_SUFFIX]
        return tuple((each.offset_data, each.size, labels[_split(each)[0]]) for each in pictures)


def _split(file: tarfile.TarInfo) -> tuple[str, str]:
    stem, _, suffix = file.name.rpartition(".")
    return stem, suffix


def _label(tar: tarfile.TarFile, file: tarfile.TarInfo) -> int:
    content = tar.extractfile(file)
    assert content is not None, "it is a regular file"
    return int(content.read(_LONGEST_LABEL))


def _check_rows(path: Path, shard: Shard) -> None:
    try:
        is_so = rows_of(path) == shard.pictures
    except (tarfile.TarError, ValueError, KeyError, EOFError, OSError):
        is_so = False
    if not is_so:
        found = f"expected the pictures and labels of {INDEX_FILE} in the shard {path}, found others"
        raise DataError(found, hint=_AGAIN)


def _check_size(path: Path, shard: Shard) -> None:
    found = path.stat().st_size if path.is_file() else None
    if found != shard.size_bytes:
        found_size = "none" if found is None else f"{found:,} bytes"
        raise DataError(f"expected the shard {path} with {shard.size_bytes:,} bytes, found {found_size}", hint=_AGAIN)
