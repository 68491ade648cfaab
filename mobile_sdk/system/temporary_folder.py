"""Gives a process a folder of its own while it works; the next process deletes it if the first was killed.

Such a folder is locked while its process lives, and the system releases the lock however the process ends. A folder
without a lock is therefore left over from a dead process; it does not matter which one made it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = ".mobile-sdk-"
_DRAWN = "????????"  # mkdtemp's random letters


@contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """Yields an empty folder in `parent` and removes it afterwards; first removes those that killed processes left."""
    remove_left_folders(parent)
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
    """Holds the lock of `folder`; raises BlockingIOError if another process holds it."""
    handle = _opened(folder)
    try:
        _lock(handle, wait=False)
        yield
    finally:
        os.close(handle)


def remove_left_folders(parent: Path) -> None:
    """Removes the folders in `parent` that killed processes left."""
    for folder in parent.glob(PREFIX + _DRAWN):
        with suppress(OSError):  # it belongs to another user, or to a running process
            handle = _opened(folder)
            try:
                if _lock(handle, wait=False):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)


def _make(parent: Path) -> tuple[Path, int]:
    """Makes a folder and locks it; retries if another process removed it before it was locked."""
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
    """Locks, and returns whether it could: some file systems have no locks.

    Raises BlockingIOError if another process holds the lock and `wait` is false.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True
