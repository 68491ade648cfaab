"""Seals a file by its own SHA-256: of all its bytes, with the 64 digits of that hash read as zeros.

A seal shows damage and edits by accident. It is no signature: whoever edits on purpose can seal again.
"""

import errno
import hashlib
import re
from pathlib import Path

from mobile_sdk.system.atomic_files import write_text
from mobile_sdk.system.regular_file import MOST_JSON, read_regular

FIELD, NO_SEAL = "sha256", "0" * 64
_LAST_FIELD = re.compile(rf',\s*"{FIELD}":\s*"([^"]*)"\s*}}\s*\Z'.encode())
_LONGEST_FIELD = 200


def true_seal(data: bytes, found: str) -> str:
    """Returns the seal that belongs into `data`, where `found` stands instead."""
    return hashlib.sha256(data.replace(found.encode(), NO_SEAL.encode())).hexdigest()


def with_seal(text: str, seal: str = NO_SEAL, *, field: str = FIELD) -> str:
    """Returns the JSON object `text` with the seal as its last field."""
    return f'{text.rstrip().removesuffix("}").rstrip()},\n "{field}": "{seal}"\n}}\n'


def sealed(text: str, *, field: str = FIELD) -> str:
    """Returns the JSON object `text`, sealed."""
    return with_seal(text, true_seal(with_seal(text, field=field).encode(), NO_SEAL), field=field)


def split_seal(data: bytes) -> tuple[bytes, str | None]:
    """Returns the JSON object without its seal, and the seal; None if it has none."""
    end = _LAST_FIELD.search(data, max(0, len(data) - _LONGEST_FIELD))
    return (data, None) if end is None else (data[: end.start()] + b"\n}\n", end[1].decode(errors="replace"))


def write_sealed(path: Path, text: str) -> None:
    """Writes the JSON object `text` to `path`, sealed, whole or not at all."""
    write_text(path, sealed(text))


def read_sealed(path: Path, *, at_most: int = MOST_JSON) -> bytes:
    """Reads the JSON object at `path` without its seal; one that was written by hand or long ago has none.

    Raises OSError like `read_regular`, and if the file is not as it was sealed.
    """
    data = read_regular(path, at_most=at_most)
    content, seal = split_seal(data)
    if seal is not None and seal != true_seal(data, seal):
        changed = f"a file that was changed after it was written: its last field, {FIELD!r}, is of another content"
        raise OSError(errno.EBADMSG, changed, str(path))
    return content
