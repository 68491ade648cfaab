"""Keeps what was fetched in a folder outside every checkout, which one process at a time makes whole or not at all."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Say = Callable[[str], None]
"""Takes one line of progress."""


def cache_folder() -> Path:
    """Returns `$XDG_CACHE_HOME/mobile-sdk`, or `~/.cache/mobile-sdk`; a user may delete it at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "mobile-sdk"


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Returns `folder`, filled by `make(unfinished)` if it does not exist yet.

    A second process waits for the first. Leftovers of an interrupted `make` are deleted, so it restarts clean.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name(f"{folder.name}.lock")):
        if not folder.is_dir():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file `path`; the system releases it when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
