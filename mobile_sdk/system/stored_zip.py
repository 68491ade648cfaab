"""Accepts zip files whose members are stored uncompressed: reading them takes no more than the file's size."""

import zipfile
from pathlib import Path


def check_plain(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Raises BadZipFile if a member is compressed, encrypted or duplicate, or if members overlap.

    Otherwise a small file could expand to a huge one: by compression, or by members that share their bytes.
    """
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise zipfile.BadZipFile(f"{member.filename} is packed or locked")
    if len({member.filename for member in members}) < len(members):
        raise zipfile.BadZipFile("a record is there twice")
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise zipfile.BadZipFile("records lie over each other")


def check_plain_if_zip(path: Path) -> None:
    """Raises BadZipFile like `check_plain` if `path` is a zip file; any other file passes."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            check_plain(path, file.infolist())
