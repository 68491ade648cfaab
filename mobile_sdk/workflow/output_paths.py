"""Checks, before any long work, that results can be written where the caller wants them."""

import tempfile
from pathlib import Path

from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.system.atomic_files import replaceable
from qat.distributed.torchrun import is_main_process


def folder_to_write(path: Path) -> Path:
    """Returns `path`, made if it is missing; raises SettingError or MachineError if nothing can be written there.

    Of several processes only the main one writes.
    """
    if not is_main_process():
        return path
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except (FileExistsError, NotADirectoryError) as error:
        raise SettingError(
            f"expected a folder or nothing at {path}, found a file", hint="name another --out"
        ) from error
    except OSError as error:
        raise MachineError(
            f"expected a folder that can be written at {path}, found: {error.strerror}", hint="name another --out"
        ) from error
    return path


def file_to_write(path: Path) -> Path:
    """Returns `path`, whose folder is made if it is missing; raises what `folder_to_write` and `replaceable` raise."""
    replaceable(path)
    folder_to_write(path.parent)
    return path
