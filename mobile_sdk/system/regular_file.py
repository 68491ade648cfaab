"""Tells regular files from everything else that may have a path, and reads them up to a size."""

import errno
import os
import stat
from pathlib import Path

KIB, MIB, GIB = 2**10, 2**20, 2**30
MOST_JSON = 256 * MIB
"""This bounds every JSON file that this SDK writes; a report with all its pictures takes a few MiB."""

MOST_WEIGHTS = 8 * GIB
"""This bounds a net's weights and a training's state; those of nets for phones take tens of MiB."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def other_kind(path: Path) -> str | None:
    """Returns a description of `path`, behind links, if it is not a regular file; None if it is one or is missing."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "something else")


def check_regular(path: Path, *, at_most: int) -> None:
    """Raises OSError unless `path` is a regular file of at most `at_most` bytes; `strerror` says what was found.

    It checks before it opens anything: a FIFO would wait for a writer, and a device may never end.
    """
    if kind := other_kind(path):
        raise OSError(errno.EINVAL, f"{kind} instead of a file", str(path))
    size = path.stat().st_size
    if size > at_most:
        raise _too_large(path, f"{size:,}", at_most)


def read_regular(path: Path, *, at_most: int = MOST_JSON) -> bytes:
    """Reads the regular file `path`; raises OSError like `check_regular`, and if there is none."""
    check_regular(path, at_most=at_most)
    with path.open("rb") as file:
        data = file.read(path.stat().st_size)  # not `at_most`: Python allocates as much as it is asked to read
        while len(data) <= at_most and (more := file.read(MIB)):  # files in /proc report no size
            data += more
    if len(data) > at_most:
        raise _too_large(path, "more", at_most)
    return data


def _too_large(path: Path, found: str, at_most: int) -> OSError:
    return OSError(errno.EFBIG, f"{found} bytes where at most {at_most:,} are read", os.fspath(path))
