"""Puts something else in a file's place: nothing, a folder, a link, a FIFO, a device, a file of enormous size."""

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

ENORMOUS_BYTES = 2**40


def _folder(path: Path) -> None:
    path.mkdir()


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        folder = os.open(path.parent, os.O_RDONLY)  # a socket's path may have 107 letters
        try:
            listening.bind(f"/proc/self/fd/{folder}/{path.name}"[:107])
        finally:
            os.close(folder)


def _enormous(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(ENORMOUS_BYTES)


SPECIAL_FILES: Mapping[str, Callable[[Path], None]] = {
    "nothing": lambda path: None,
    "folder": _folder,
    "empty": lambda path: path.touch(),
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "link to /dev/null": lambda path: path.symlink_to("/dev/null"),
    "link to /proc": lambda path: path.symlink_to("/proc/self/maps"),
    "FIFO": os.mkfifo,
    "socket": _socket,
    "enormous": _enormous,
}
"""Makes something at a path where nothing is, by what it is."""
