"""Folders that one process has for itself while it works, and that the next one clears away where it was killed.

Such a folder is locked for as long as its process lives: the system lets go of the lock, however the process ends. So
a folder without a lock is a dead process's, and nobody needs to know which process made it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = ".mobile-sdk-"
_DRAWN = "????????"  # what mkdtemp draws


@contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """Yields an empty folder in `parent` and removes it afterwards; what killed processes left there goes first."""
    _clear(parent)
    folder, handle = _make(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yields an empty folder in the system's folder of temporary files, like `own_folder`."""
    with own_folder(Path(tempfile.gettempdir())) as folder:
        yield folder


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Holds the lock of `folder`; raises BlockingIOError where somebody else does."""
    handle = _opened(folder)
    try:
        _lock(handle, wait=False)
        yield
    finally:
        os.close(handle)


def _clear(parent: Path) -> None:
    for folder in parent.glob(PREFIX + _DRAWN):
        with suppress(OSError):  # another user's, or another process's that is at work
            handle = _opened(folder)
            try:
                if _lock(handle, wait=False):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)


def _make(parent: Path) -> tuple[Path, int]:
    """Makes a folder and locks it; again, where another process cleared it away before it was locked."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        with suppress(FileNotFoundError):
            handle = _opened(folder)
            _lock(handle, wait=True)
            if folder.is_dir():
                return folder, handle
            os.close(handle)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _lock(handle: int, *, wait: bool) -> bool:
    """Locks, and tells whether it could: some file systems know no locks. BlockingIOError: another process holds it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True
