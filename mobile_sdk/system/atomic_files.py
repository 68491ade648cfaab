"""Writes files and folders whole or not at all, and never replaces anything of another kind."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mobile_sdk.errors import SettingError
from mobile_sdk.system.regular_file import other_kind
from mobile_sdk.system.temporary_folder import own_folder

_OF_A_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields the path of a file to write; it takes `path`'s place when the block ends without error.

    A link stays, and its target is replaced. Raises SettingError if a folder, a device or another special file stands
    at `path`.
    """
    target = replaceable(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _naming(path), own_folder(target.parent) as folder:
        unfinished = folder / target.name
        yield unfinished
        _flush(unfinished)
        unfinished.replace(target)
        _flush(target.parent)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yields the path of a folder to make; it takes the place of `folder` when the block ends without error.

    If several processes do this at once, one whole folder is left. Raises SettingError if a link or anything but a
    folder stands there.
    """
    if folder.is_symlink() or other_kind(folder) not in (None, "a folder") or folder.is_file():
        raise SettingError(f"expected a folder or nothing at {folder}, found a file", hint="choose another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _naming(folder), own_folder(folder.parent) as own:
        unfinished = own / "new" / folder.name
        unfinished.parent.mkdir()
        yield unfinished
        for path in (*unfinished.rglob("*"), unfinished):
            _flush(path)  # first, so that a power cut leaves the old folder or the new one
        _swap(folder, unfinished, own / "old")
        _flush(folder.parent)


def replaceable(path: Path) -> Path:
    """Returns the file that `path` names after following links, whether it exists or not.

    Raises SettingError for a folder or a special file: renaming a file over a device would end the device.
    """
    target = Path(os.path.realpath(path))
    if kind := other_kind(target):
        raise SettingError(f"expected a file or nothing at {path}, found {kind}", hint="name another file to write")
    return target


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data` to `path`, whole or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path` in UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Makes the error of a full disk name the file that was to be written, not a draft or the source of a copy."""
    try:
        yield
    except OSError as error:
        if error.errno in _OF_A_DISK:
            error.filename, error.filename2 = str(path), None
        raise


def _swap(folder: Path, new: Path, old: Path) -> None:
    """Replaces the folder `old` by `new`; a folder cannot be renamed over a full one, so `old` moves aside first.

    If the second renaming fails, `old` comes back. If another process has put its own folder there in between, that one
    moves aside next. Nothing is locked, because this process, or a training, may hold a lock on a parent of `folder`.
    """
    while True:
        shutil.rmtree(old, ignore_errors=True)
        with suppress(FileNotFoundError):
            folder.rename(old)
        try:
            new.rename(folder)
            return
        except BaseException as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                continue
            if old.exists():
                old.rename(folder)
            raise


def _flush(path: Path) -> None:
    """Waits until a file's content, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
