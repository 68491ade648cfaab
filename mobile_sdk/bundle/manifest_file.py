"""Reads and writes `bundle.json`, and the seal that shows damage.

The seal is a SHA-256 over the file's own bytes with the seal's 64 digits read as zeros. It detects damage and edits by
accident. It is no signature: whoever edits on purpose can seal again, and `verify` finds that.
"""

import json
import stat
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from mobile_sdk.bundle.earlier_manifest import Schema1Manifest, Schema2Manifest
from mobile_sdk.bundle.manifest import MOST_OUTPUTS, Manifest
from mobile_sdk.contract import ContractError, check_one_input, plain_place
from mobile_sdk.document import parse_json
from mobile_sdk.errors import BundleError
from mobile_sdk.system.seal import NO_SEAL, sealed, true_seal

SCHEMA: Final = 3
MANIFEST_FILE = "bundle.json"
MAX_MANIFEST_BYTES = 8 * 2**20  # 100,000 labels of 60 letters; real manifests take a few KiB
UPDATE = "update this SDK, or export the bundle again with this one"
_SEAL = "manifest_sha256"
_AnyManifest = TypeVar("_AnyManifest", Manifest, Schema1Manifest, Schema2Manifest)


_HINT = "export the bundle again, or copy it again"


class BundleRefusalError(BundleError):
    """A bundle failed a check on opening; `check` is its name, as docs/reference/bundle-format.md lists them."""

    def __init__(self, check: str, message: str, *, hint: str = _HINT) -> None:
        super().__init__(f"{check}: {message}", hint=hint)
        self.check = check


def plain_bytes(file: Path, *, at_most: int, check: str, hint: str = _HINT) -> bytes:
    """Returns the content of a file of the bundle; raises BundleRefusalError for links, special and larger files."""
    status = file.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise BundleRefusalError("paths", f"expected {file.name} to be a plain file, found a link or a special file")
    if status.st_size > at_most:
        found = f"{status.st_size:,} bytes"
        raise BundleRefusalError(check, f"expected at most {at_most:,} bytes of {file.name}, found {found}", hint=hint)
    return file.read_bytes()


def seal(content: dict[str, Any]) -> bytes:
    """Returns the bytes of a sealed `bundle.json` with this `content`."""
    unsealed = {name: value for name, value in content.items() if name != _SEAL}
    return sealed(json.dumps(unsealed, indent=1, ensure_ascii=False, allow_nan=False), field=_SEAL).encode()


def read_manifest(data: bytes) -> Manifest:
    """Reads a `bundle.json`; raises BundleRefusalError with check "manifest", "schema", "seal" or "fields"."""
    content = _parse(data)
    _check_schema(content)
    _check_seal(data, content)
    try:
        if content["schema_number"] == 1:
            return _complete(Schema1Manifest, data, content).manifest()
        _check_ends(content)
        if content["schema_number"] == 2:
            return _complete(Schema2Manifest, data, content).manifest()
        return _complete(Manifest, data, content)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, plain_place(problem["loc"]))) or MANIFEST_FILE
        raise BundleRefusalError("fields", f"{where!r}: {problem['msg'].removeprefix('Value error, ')}") from error
    except ContractError as error:
        raise BundleRefusalError("fields", error.message) from error


def _check_ends(content: dict[str, Any]) -> None:
    outputs = content.get("outputs")
    if isinstance(outputs, list) and not 0 < len(outputs) <= MOST_OUTPUTS:
        found = len(outputs) or "none"
        raise BundleRefusalError("fields", f"expected 1 to {MOST_OUTPUTS} outputs, found {found}", hint=UPDATE)
    try:
        check_one_input(content.get("inputs"))
    except ValueError as error:
        raise BundleRefusalError("fields", str(error), hint=UPDATE) from error


def is_safe_path(path: str) -> bool:
    """Tells whether a path of a manifest stays inside the bundle on every system, whatever case its letters have."""
    parts = PurePosixPath(path).parts
    plain = all(part.isascii() and part.replace("_", "").replace("-", "").replace(".", "").isalnum() for part in parts)
    return path != "" and plain and "/".join(parts) == path


def _complete(schema: type[_AnyManifest], data: bytes, content: dict[str, Any]) -> _AnyManifest:
    """Returns the manifest by that schema, in which no field is missing."""
    found = schema.model_validate_json(data, strict=True)
    _check_complete(found.model_dump(mode="json"), content)
    return found


def _check_complete(expected: Any, content: Any, place: str = "") -> None:
    """Refuses a missing field, and an optional one that is null.

    A contract made in Python has defaults, its readers elsewhere have none. `detection` alone may be null, of a task
    without boxes.
    """
    if isinstance(expected, dict):
        for name in content.keys() - expected.keys() - {"detection"}:
            if content[name] is None:
                raise BundleRefusalError("fields", f"expected no field {place + name!r} or a value, found null")
        for name, value in expected.items():
            if name not in content:
                raise BundleRefusalError("fields", f"expected the field {place + name!r}, found none")
            _check_complete(value, content[name], f"{place}{name}.")
    elif isinstance(expected, list):
        for index, value in enumerate(expected):
            _check_complete(value, content[index], f"{place}{index}.")


def _parse(data: bytes) -> dict[str, Any]:
    try:
        content = parse_json(data)
    except ValueError as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BundleRefusalError("manifest", f"expected JSON in {MANIFEST_FILE}, found {reason[:200]!r}") from error
    if not isinstance(content, dict):
        raise BundleRefusalError("manifest", f"expected an object in {MANIFEST_FILE}, found {type(content).__name__}")
    return content


def _check_schema(content: dict[str, Any]) -> None:
    found = content.get("schema_number")
    if type(found) is not int or found < 1:
        raise BundleRefusalError("schema", f"expected schema_number {SCHEMA}, found {str(found)[:40]!r}")
    if found > SCHEMA:
        raise BundleRefusalError(
            "schema",
            f"expected schema_number {SCHEMA} or lower, found {str(found)[:40]}: a newer SDK wrote this bundle",
            hint=UPDATE,
        )


def _check_seal(data: bytes, content: dict[str, Any]) -> None:
    found = content.get(_SEAL)
    if not isinstance(found, str) or len(found) != len(NO_SEAL) or not found.isascii():
        raise BundleRefusalError("seal", f"expected {_SEAL} of 64 digits in {MANIFEST_FILE}, found {str(found)[:80]!r}")
    expected = true_seal(data, found)
    if found != expected:
        raise BundleRefusalError(
            "seal",
            f"expected {_SEAL} {expected[:12]}…, found {found[:12]}…: {MANIFEST_FILE} was changed after it was written",
        )
