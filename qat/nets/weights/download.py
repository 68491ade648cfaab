"""Fetches a published file of weights: it arrives whole, with the SHA-256 that was promised, or not at all."""

import hashlib
import http.client
import re
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlparse

from mobile_sdk.errors import DataError, MachineError
from mobile_sdk.system.atomic_files import replacing
from mobile_sdk.system.cache import cache_folder, locked
from mobile_sdk.system.progress import reported
from mobile_sdk.system.regular_file import MOST_WEIGHTS
from qat.distributed.torchrun import is_main_process
from qat.progress import Shown, say

PATIENCE_S = 30.0
"""A server sends something within this time."""
_PIECE_BYTES = 2**18
_MB = 10**6
_HASH = re.compile(r"-([0-9a-f]{8,64})\.\w+$")  # as torch.hub has it


def hash_in_name(url: str) -> str | None:
    """Returns the beginning of the SHA-256 in a file's name, such as b0353104; None if the name has none."""
    found = _HASH.search(_name(url))
    return found and found[1]


def weights_folder() -> Path:
    """Returns the folder of the cache that keeps published weights."""
    return cache_folder() / "weights"


def published_file(url: str, sha256: str) -> Path:
    """Returns the file of `url`, fetched if it is not in the cache yet; its SHA-256 begins with `sha256`.

    Of several processes one fetches it, and the others wait. Raises MachineError if the network does not give it, and
    DataError if it gives, or the cache holds, another file. What was interrupted leaves nothing.
    """
    file = weights_folder() / _name(url)
    by_hand = f"put the file there by hand: {file}"
    with locked(file.with_name(f"{file.name}.lock")):
        if not file.is_file():
            try:
                with replacing(file) as unfinished:
                    _fetch(url, unfinished)
                    check_hash(unfinished, sha256, hint=f"try again, or {by_hand}", name=url)
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, OSError) and not isinstance(error, urllib.error.URLError) and error.filename:
                    raise  # this disk's own error
                raise MachineError(f"expected to fetch {url}, found: {_why(error)}", hint=by_hand) from error
        check_hash(file, sha256, hint=f"remove it: {file}")
    return file


def check_hash(file: Path, sha256: str, *, hint: str, name: str | None = None) -> None:
    """Raises DataError unless the file's SHA-256 begins with `sha256`."""
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if not found.startswith(sha256):
        expected = f"expected a file whose SHA-256 begins with {sha256} at {name or file}"
        raise DataError(f"{expected}, found {found[: max(len(sha256), 8)]}…", hint=hint)


def _fetch(url: str, file: Path) -> None:
    """Writes what the server sends; raises OSError or HTTPException if that is not all of it."""
    request = urllib.request.Request(url, headers={"User-Agent": "mobile-sdk"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer, file.open("wb") as out:
        promised = int(answer.headers.get("Content-Length") or 0)
        if promised > MOST_WEIGHTS:
            raise http.client.HTTPException(f"{promised:,} bytes, more than weights have")
        size = f"{promised / _MB:.1f} MB" if promised else "a file of unknown size"
        say(f"fetching {size} from {url}")
        done = 0
        with reported(Shown.get() if is_main_process() else False, _name(url)) as report:
            while piece := answer.read(_PIECE_BYTES):
                out.write(piece)
                done += len(piece)
                if done > MOST_WEIGHTS:
                    raise http.client.HTTPException(f"more than {done:,} bytes")
                report(min(done / promised, 1.0) if promised else 0.0, f"{done / _MB:.1f} of {size}")
    if done < promised:
        raise http.client.HTTPException(f"{done:,} of {promised:,} bytes, then the end")


def _why(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server says {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"no way there: {error.reason}"
    if isinstance(error, TimeoutError):
        return f"nothing within {PATIENCE_S:.0f} s"
    return str(error) or type(error).__name__


def _name(url: str) -> str:
    return Path(urlparse(url).path).name
