"""Defines the program, which learning hands to deploying as one file `program.pt2`.

The file holds the integer graph, the contract, the record of the program's making, and a seal over all of it. It is an
ordinary `torch.export` archive too, which `torch.export.load` opens and runs (docs/reference/program-format.md).
Reading a program runs no code from the file and needs no torch.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from mobile_sdk.arguments import expect_path
from mobile_sdk.contract import Contract, ImageSpec, TensorSpec
from mobile_sdk.document import html_table
from mobile_sdk.errors import BundleError
from mobile_sdk.graph.checks.shape_check import check_shapes
from mobile_sdk.graph.operators import Graph, Quantization
from mobile_sdk.program.archive import HINT, Members, read_members
from mobile_sdk.program.earlier_documents import digest_texts, read_contract, read_record
from mobile_sdk.program.graph_file import GRAPH_FILE, read_graph
from mobile_sdk.program.pickles import check_runs_nothing
from mobile_sdk.program.record import Record
from mobile_sdk.program.schema_2.reader import NAMES_FILE, check_digest, read_old_graph
from mobile_sdk.program.seal import EARLIER_SCHEMA, SCHEMA, SEAL_FILE, check_seal, schema_of
from mobile_sdk.program.wrong_path import check_program_path, mistaken_program
from mobile_sdk.system.atomic_files import write_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mobile_sdk.prediction.predicting import Given
    from mobile_sdk.prediction.predictions import Prediction

LOAD_IT = "load it: Program.load(path); or freeze a net"
_CONTRACT, _RECORD = "extra/contract.json", "extra/record.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """Holds a graph, the contract it fulfils, and the record of its making."""

    graph: Graph
    contract: Contract
    record: Record

    def __repr__(self) -> str:
        """Returns a description in one line."""
        return f"Program({self.contract.name!r}, {self.record.net}, {self.record.quantized}, {self.graph!r})"

    def _repr_html_(self) -> str:
        """Returns a table of what the program is and how good it is, as notebooks show it."""
        record, contract = self.record, self.contract
        both = {"Float net": record.float_quality, "Int8 reference": record.reference_quality}
        rows = [
            ("Net", record.net),
            ("Quantized by", record.quantized),
            ("Precision", f"{self.graph.precision}, {len(self.graph.operators)} operators"),
            ("Input", str(contract.input)),
            (
                "Labels",
                f"{len(contract.labels):,}: {', '.join(contract.labels[:5])}{' …' if contract.labels[5:] else ''}",
            ),
        ]
        told = [(name, each) for name, each in both.items() if each]
        rows += [(name, f"{each.measure} {each.value:.2%} of {each.images:,} images") for name, each in told]
        return html_table(f"Program {contract.name}, for {contract.task}", ("", ""), rows)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the `.pt2` file `path`, whole or not at all; one program always gives the same bytes."""
        expect_path("path", path)
        from mobile_sdk.program.archive_writer import write_archive

        documents = {
            _CONTRACT: self.contract.model_dump_json(indent=1),
            _RECORD: self.record.model_dump_json(indent=1),
        }
        write_bytes(Path(path), write_archive(self.graph, documents))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Program":
        """Reads the `.pt2` file `path`; raises BundleError if it is damaged, changed or newer.

        Raises DataError if there is no file, or one of another kind.
        """
        expect_path("path", path)
        file = Path(path)
        check_program_path(file)
        try:
            members = read_members(file)
        except BundleError as error:
            raise (mistaken_program(file) or error) from error
        try:
            return cls._open(file.name, members)
        except ValidationError as error:
            problem = error.errors()[0]
            reason = f"{error.title}.{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            raise BundleError(f"expected valid records in {file.name}, found {reason}", hint=HINT) from error
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise BundleError(f"expected a whole program in {file.name}, found {reason}", hint=HINT) from error

    def predict(self, picture: "Given") -> "Prediction":
        """Returns what the net says of one picture, or array, computed by the reference: what a phone gives.

        Takes and raises what `Bundle.predict` does.
        """
        (found,) = self.predict_each([picture])
        return found

    def predict_each(self, pictures: Iterable["Given"]) -> Iterator["Prediction"]:
        """Yields the prediction of each picture, as `predict` does."""
        from mobile_sdk.graph.float_reference import runner_of
        from mobile_sdk.graph.score_steps import real_values
        from mobile_sdk.prediction.predicting import predict

        graph, run = self.graph, runner_of(self.graph)

        def outputs(pixels: "NDArray[np.uint8]") -> "dict[str, NDArray[np.float64]]":
            values = real_values(run(pixels), graph)
            return {name: value[0] for name, value in zip(graph.output_names, values, strict=True)}

        for picture in pictures:
            yield predict(picture, self.contract, outputs)

    def digest(self) -> str:
        """Returns a SHA-256 over graph, contract and record: the program's identity in bundles."""
        parts = (self.graph.digest(), *digest_texts(self.contract, self.record))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @classmethod
    def _open(cls, name: str, members: Members) -> "Program":
        _check_there(name, members, (SEAL_FILE,))
        schema = schema_of(members)
        if schema not in (SCHEMA, EARLIER_SCHEMA):  # such a file may lack whatever else this SDK looks for
            reason = f"expected program schema {SCHEMA} or {EARLIER_SCHEMA}, found {schema} in {name}"
            raise BundleError(reason, hint="update this SDK, or write the program again with this one")
        _check_there(name, members, (_CONTRACT, _RECORD))
        if schema == SCHEMA:
            check_seal(name, members)
        check_runs_nothing(name, members)
        if schema == EARLIER_SCHEMA:
            return cls._open_earlier(name, members)
        _check_there(name, members, (GRAPH_FILE,))
        return cls._of(read_graph(members), members, is_earlier=False)

    @classmethod
    def _open_earlier(cls, name: str, members: Members) -> "Program":
        _check_there(name, members, (NAMES_FILE,))
        program = cls._of(read_old_graph(name, members), members, is_earlier=True)
        check_digest(name, members, program.digest())
        return program

    @classmethod
    def _of(cls, graph: Graph, members: Members, *, is_earlier: bool) -> "Program":
        check_shapes(graph)
        contract = read_contract(members[_CONTRACT].decode(), is_earlier=is_earlier)
        _check_input(graph, contract)
        record = read_record(members[_RECORD].decode(), contract, is_earlier=is_earlier)
        return cls(graph=graph, contract=contract, record=record)


def _check_input(graph: Graph, contract: Contract) -> None:
    """Raises BundleError unless the graph takes the contract's input."""
    spec = contract.input
    if graph.input.shape != spec.shape or graph.reads_picture != isinstance(spec, ImageSpec):
        reason = f"expected a graph of the contract's {spec.kind} {spec.shape}, found {graph.input.shape}"
        raise BundleError(reason, hint=HINT)
    if isinstance(spec, TensorSpec):
        wanted, found = Quantization(scale=spec.scale, zero_point=spec.zero_point), graph.input.quantization
        if found != wanted:
            raise BundleError(f"expected a graph of the contract's {wanted}, found {found}", hint=HINT)


def _check_there(name: str, members: Members, wanted: Iterable[str]) -> None:
    missing = [member.rpartition("/")[2] for member in wanted if member not in members]
    if missing:
        reason = f"expected a program of this SDK in {name}, found a .pt2 without {missing[0]}"
        raise BundleError(reason, hint="make one with `mobile-sdk quantize`")
