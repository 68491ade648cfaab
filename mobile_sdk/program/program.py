"""The program: what learning hands to deploying, as one file `program.pt2`.

The file is an ordinary `torch.export` archive (`torch.export.load` opens and runs it) with the contract, the record of
how the program came about and its fingerprint beside the graph. Reading it runs no code from the file, needs no torch.
"""

import hashlib
import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from mobile_sdk.arguments import expect_path
from mobile_sdk.contract import Contract
from mobile_sdk.document import Document
from mobile_sdk.errors import BundleError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.program.earlier_documents import digest_texts, read_contract, read_record
from mobile_sdk.program.record import Record
from mobile_sdk.program.wrong_path import check_program_path, mistaken_program
from mobile_sdk.system.atomic_files import write_bytes

if TYPE_CHECKING:
    from mobile_sdk.program.archive import Archive

SCHEMA, EARLIER_SCHEMA = 3, 2
LOAD_IT = "load it: Program.load(path); or freeze a net"
_HINT = "write the program again with this SDK, or copy it again"


class _Seal(Document):
    """The file's own schema number and the fingerprint of all that it says."""

    schema_number: int
    sha256: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """A graph, the contract it fulfils, and the record of how it came about."""

    graph: Graph
    contract: Contract
    record: Record

    def __repr__(self) -> str:
        """What it is, in one line."""
        return f"Program({self.contract.name!r}, {self.record.net}, {self.record.quantized}, {self.graph!r})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the `.pt2` file `path`, whole or not at all; the same program always gives an equal graph back."""
        import torch

        expect_path("path", path)
        from mobile_sdk.program.aten_writer import to_exported
        from mobile_sdk.program.names import names_of

        extra = {
            "contract.json": self.contract.model_dump_json(indent=1),
            "record.json": self.record.model_dump_json(indent=1),
            "names.json": names_of(self.graph).model_dump_json(),
            "seal.json": _Seal(schema_number=SCHEMA, sha256=self.digest()).model_dump_json(),
        }
        archive = BytesIO()  # torch's own writer ends the process where a disk is full
        torch.export.save(to_exported(self.graph), archive, extra_files=extra)
        write_bytes(Path(path), archive.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Program":
        """Reads the `.pt2` file `path`; raises BundleError where it is damaged, changed or newer.

        DataError where there is no file, or one of another kind.
        """
        from mobile_sdk.program.archive import read_archive

        expect_path("path", path)
        file = Path(path)
        check_program_path(file)
        try:
            archive = read_archive(file)
        except BundleError as error:
            raise (mistaken_program(file) or error) from error
        missing = [
            name for name in ("contract.json", "record.json", "names.json", "seal.json") if name not in archive.extra
        ]
        if missing:
            reason = f"expected a program of this SDK in {file.name}, found a .pt2 without {missing[0]}"
            raise BundleError(reason, hint="make one with `mobile-sdk quantize`")
        try:
            return cls._open(file, archive)
        except ValidationError as error:
            problem = error.errors()[0]
            reason = f"{error.title}.{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            raise BundleError(f"expected valid records in {file.name}, found {reason}", hint=_HINT) from error
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise BundleError(
                f"expected a program in canonical form in {file.name}, found {reason}", hint=_HINT
            ) from error

    def digest(self) -> str:
        """Returns a SHA-256 over graph, contract and record: the program's identity in bundles."""
        parts = (self.graph.digest(), *digest_texts(self.contract, self.record))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @classmethod
    def _open(cls, file: Path, archive: "Archive") -> "Program":
        from mobile_sdk.program.aten_reader import read_graph
        from mobile_sdk.program.names import Names

        seal = _Seal.model_validate_json(archive.extra["seal.json"])
        if seal.schema_number not in (EARLIER_SCHEMA, SCHEMA):
            reason = f"expected program schema {SCHEMA} or {EARLIER_SCHEMA}, found {seal.schema_number} in {file.name}"
            raise BundleError(reason, hint="update this SDK, or write the program again with this one")
        is_earlier = seal.schema_number == EARLIER_SCHEMA
        contract = read_contract(archive.extra["contract.json"], is_earlier=is_earlier)
        program = cls(
            graph=read_graph(archive, Names.model_validate_json(archive.extra["names.json"])),
            contract=contract,
            record=read_record(archive.extra["record.json"], contract, is_earlier=is_earlier),
        )
        if program.digest() != seal.sha256:
            reason = f"expected {file.name} with fingerprint {seal.sha256[:12]}, found {program.digest()[:12]}"
            raise BundleError(reason, hint="the file was changed after it was written: copy it again")
        return program
