"""Seals a program file by its schema number and the SHA-256 of every other member of the archive.

A seal shows damage and later changes; it is no signature, for whoever changes a file can seal it again.
"""

import hashlib

from mobile_sdk.document import Document, parse_json
from mobile_sdk.errors import BundleError
from mobile_sdk.program.archive import Members

SEAL_FILE = "extra/seal.json"
SCHEMA, EARLIER_SCHEMA = 3, 2


class Seal(Document):
    """Holds the hash that every member of one archive must have: `sha256` by their names."""

    schema_number: int
    sha256: dict[str, str]


def seal(members: Members) -> bytes:
    """Returns the seal of `members`."""
    hashes = {name: _sha256(data) for name, data in sorted(members.items())}
    return Seal(schema_number=SCHEMA, sha256=hashes).model_dump_json(indent=1).encode()


def schema_of(members: Members) -> int:
    """Returns the schema number of a program file; raises ValueError or KeyError if its seal has none."""
    number = parse_json(members[SEAL_FILE])["schema_number"]
    if not isinstance(number, int):
        raise ValueError(f"the schema number {number!r}")
    return number


def check_seal(name: str, members: Members) -> None:
    """Raises BundleError if the archive `name` has a member other than its seal says, or lacks one."""
    expected = Seal.model_validate_json(members[SEAL_FILE]).sha256
    found = {member: _sha256(data) for member, data in members.items() if member != SEAL_FILE}
    for member in sorted(expected.keys() | found.keys()):
        wanted, there = expected.get(member), found.get(member)
        if wanted != there:
            reason = f"expected {member!r} in {name} {_in_words(wanted)}, found it {_in_words(there)}"
            raise BundleError(reason, hint="the file was changed after it was written: copy it again")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _in_words(sha256: str | None) -> str:
    return "absent" if sha256 is None else f"with fingerprint {sha256[:12]}"
