"""Reads program files of schema 2: the graph is parsed from the ATen program, and the seal is the program's digest."""

from mobile_sdk.document import Document, parse_json
from mobile_sdk.errors import BundleError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.program.archive import Members
from mobile_sdk.program.schema_2.aten_reader import read_graph
from mobile_sdk.program.schema_2.exported_program import read_exported
from mobile_sdk.program.schema_2.names import Names

_SEAL, NAMES_FILE = "extra/seal.json", "extra/names.json"


class _Seal(Document):
    """Holds the schema number and the digest of the program."""

    schema_number: int
    sha256: str


def read_old_graph(name: str, members: Members) -> Graph:
    """Returns the graph of the old program file `name`; it has no pairs.

    Raises BundleError, KeyError, TypeError, ValueError or IndexError if the file is not in the canonical form.
    """
    names = Names.model_validate_json(members[NAMES_FILE])
    return read_graph(read_exported(name, members), names)


def check_digest(name: str, members: Members, digest: str) -> None:
    """Raises BundleError if the program of the old file `name` has another digest than its seal says."""
    sealed = _Seal.model_validate(parse_json(members[_SEAL])).sha256
    if digest != sealed:
        reason = f"expected {name} with fingerprint {sealed[:12]}, found {digest[:12]}"
        raise BundleError(reason, hint="the file was changed after it was written: copy it again")
