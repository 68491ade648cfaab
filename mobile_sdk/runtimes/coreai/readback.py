"""Proves that a saved program is the requested one: every operation, connection, constant, shape and mode."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mobile_sdk.runtimes.coreai.asset.contents import CODE
from mobile_sdk.runtimes.coreai.asset.reader import read_apart, read_here
from mobile_sdk.runtimes.differences import unequal

_PROGRAM = "the whole program"
_WRITER = "producer"  # the package's version, which may differ


def file_differences(path: Path, fresh: Path) -> list[str]:
    """Names every difference between two folders, of which `fresh` is the one that was just written.

    The other one is read in a process of its own. Bytes that no reader of this package tells apart are a difference,
    too, unless another version of Apple's package wrote them. Raises BundleError if the other one is damaged.
    """
    found, written = read_apart(path), read_here(fresh)
    writers = [each["metadata"].pop(_WRITER, None) for each in (found, written)]
    named = [
        *differences(written["program"], found["program"]),
        *unequal(_PROGRAM, "the attributes", written["rest"], found["rest"]),
        *unequal(_PROGRAM, "the metadata", written["metadata"], found["metadata"]),
    ]
    if not named and writers[0] == writers[1]:
        codes = [(each / CODE).read_bytes() for each in (fresh, path)]
        named += unequal(_PROGRAM, CODE, *codes)
    return named


def differences(requested: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Names every difference between two programs as plain data, with module paths."""
    asked, saved = (each["operations"] for each in (requested, found))
    for index, (one, other) in enumerate(zip(asked, saved, strict=False)):
        yield from unequal(one["path"], f"operation {index}, {one['kind']}", one, other)
    yield from unequal(_PROGRAM, "the number of operations", len(asked), len(saved))
    for part in ("inputs", "outputs"):
        yield from unequal(_PROGRAM, part, requested[part], found[part])
