"""Regular files, told from everything else that may have a path, and read up to a size."""

import errno
import os
import stat
from pathlib import Path

MIB, GIB = 2**20, 2**30
MOST_JSON = 256 * MIB
"""Of what this SDK writes as JSON; a report with all its pictures takes a few MiB."""

MOST_WEIGHTS = 8 * GIB
"""Of a net's weights and of a training's state; those of nets for phones take tens of MiB."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def other_kind(path: Path) -> str | None:
    """Says what `path` is, behind links, where it is anything but a regular file; None where it is one, or nothing."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "something else")


def check_regular(path: Path, *, at_most: int) -> None:
    """Raises OSError, whose `strerror` says what was found, where `path` is no regular file of `at_most` bytes.

    It looks before anything is opened: a FIFO would wait for a writer, and a device may never end.
    """
    if kind := other_kind(path):
        raise OSError(errno.EINVAL, f"{kind} instead of a file", str(path))
    size = path.stat().st_size
    if size > at_most:
        raise _too_large(path, f"{size:,}", at_most)


def read_regular(path: Path, *, at_most: int = MOST_JSON) -> bytes:
    """Reads the regular file `path`; raises OSError like `check_regular`, and where there is none."""
    check_regular(path, at_most=at_most)
    with path.open("rb") as file:
        data = file.read(at_most + 1)
    if len(data) > at_most:  # files of /proc have no size until they are read
        raise _too_large(path, "more", at_most)
    return data


def _too_large(path: Path, found: str, at_most: int) -> OSError:
    return OSError(errno.EFBIG, f"{found} bytes where at most {at_most:,} are read", os.fspath(path))
