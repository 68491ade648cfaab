"""Records a search, candidate by candidate, in the folder from which it continues."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from mobile_sdk.document import Document, FiniteJson
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.system.atomic_files import write_bytes
from mobile_sdk.system.seal import read_sealed, write_sealed
from qat.nets.architecture import Architecture
from qat.nets.sealed_tensors import header_entry, sealed_tensors

RECORD_FILE, WEIGHTS_FOLDER = "search.json", "weights"
_KEY = "mobile_sdk_search"

Share = Annotated[float, Field(ge=0, le=1)]
Milliseconds = Annotated[float, Field(ge=1e-9, le=1e9)]


class Candidate(Document):
    """Describes a net that was considered; number 0 is the start net.

    `round` is NetAdapt's step, or evolution's generation. `accuracy_share` is on pictures that were kept from its
    training; the method ranks by `score`. Both are None until it is evaluated.
    """

    number: int
    round: int
    parent: int | None
    change: str
    architecture: Architecture
    latency_ms: Milliseconds
    accuracy_share: Share | None = None
    score: float | None = None


class SearchResult(Document):
    """Describes the net that was found, trained from the beginning, by its accuracy on pictures new to the search.

    `is_met` says whether it meets the target: if latencies are measured, by a new measurement after the search,
    `measured_again_ms`. Records that are older than these fields have None.
    """

    number: int
    latency_ms: Milliseconds
    float_accuracy_share: Share
    pictures: Annotated[int, Field(ge=1)]
    target_ms: Milliseconds | None = None
    is_met: bool | None = None
    measured_again_ms: Milliseconds | None = None


class SearchRecord(Document):
    """Holds the file `search.json`: settings, every candidate in order, and the numbers of those taken, in order."""

    schema_number: Literal[1] = 1
    settings: dict[str, FiniteJson]
    candidates: tuple[Candidate, ...] = ()
    taken: tuple[int, ...] = ()
    result: SearchResult | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        count = len(self.candidates)
        if [each.number for each in self.candidates] != list(range(count)):
            raise ValueError("candidates that are not numbered in order")
        named = [*self.taken, *(each.parent for each in self.candidates if each.parent is not None)]
        if self.result is not None:
            named += [self.result.number, 0 if self.taken else -1]  # what was found was taken
        if not all(0 <= number < count for number in named):
            raise ValueError("the number of a candidate that is not there")
        return self

    def to_json(self) -> str:
        """Returns JSON with a candidate a line."""
        candidates = ",\n  ".join(candidate.model_dump_json() for candidate in self.candidates)
        rest = self.model_copy(update={"candidates": ()}).model_dump_json(indent=1)
        return rest.replace('"candidates": []', f'"candidates": [\n  {candidates}\n ]', 1) + "\n"


class SearchFolder:
    """Keeps the record of a search on disk, and the weights that its next candidates start from.

    A kill at any moment leaves a record of what was evaluated until then, and its weights. Raises SettingError if the
    folder holds a search with other settings, DataError if the record is damaged.
    """

    def __init__(self, folder: Path, settings: Mapping[str, FiniteJson]) -> None:
        self._file, self._weights = folder / RECORD_FILE, folder / WEIGHTS_FOLDER
        self.record = SearchRecord(settings=dict(settings))
        if self._file.exists():
            self.record = load_record(self._file)
            _check_settings(self._file, dict(settings), self.record.settings)

    def add(self, candidates: Sequence[Candidate], taken: tuple[int, ...]) -> None:
        """Adds a round that is still to be evaluated; of the weights, only those of the net taken last are kept."""
        self._write(candidates=(*self.record.candidates, *candidates), taken=taken)
        self._drop_weights()

    def evaluated(self, number: int, accuracy_share: float, score: float, state: Mapping[str, Tensor] | None) -> None:
        """Records a candidate's accuracy and score, its weights first."""
        if state is not None:
            write_bytes(self._path(number), sealed_tensors(state, _KEY, json.dumps({"candidate": number})))
        evaluated = self.record.candidates[number].model_copy(update={"accuracy_share": accuracy_share, "score": score})
        candidates = list(self.record.candidates)
        candidates[number] = evaluated
        self._write(candidates=tuple(candidates))

    def finish(self, taken: tuple[int, ...]) -> None:
        """Records the candidates taken at the end."""
        if taken != self.record.taken:
            self._write(taken=taken)
        self._drop_weights()

    def conclude(self, result: SearchResult) -> None:
        """Records the result of the net that was found, once it is trained."""
        self._write(result=result)

    def state_of(self, number: int) -> dict[str, Tensor]:
        """Returns the weights of a candidate that the next ones start from; raises DataError if they are damaged."""
        path = self._path(number)
        try:
            header_entry(path, _KEY)  # an earlier SDK wrote none
            return load_file(path)
        except (OSError, SafetensorError) as error:
            found = "none" if isinstance(error, FileNotFoundError) else "a damaged file"
            raise DataError(
                f"expected the weights of candidate {number} in {self._weights}, found {found}",
                hint="search anew: another --out",
            ) from error

    def _drop_weights(self) -> None:
        """Deletes the weights of all but the net taken last: nothing starts from them any more."""
        kept = self._path(self.record.taken[-1] if self.record.taken else 0)
        for file in self._weights.glob("*.safetensors"):
            if file != kept:
                file.unlink()

    def _path(self, number: int) -> Path:
        return self._weights / f"{number:05}.safetensors"

    def _write(self, **changes: object) -> None:
        self.record = self.record.model_copy(update=changes)
        write_sealed(self._file, self.record.to_json())


def load_record(path: Path) -> SearchRecord:
    """Returns the record in `path`; raises DataError if it is none."""
    try:
        return SearchRecord.model_validate_json(read_sealed(path))
    except (OSError, ValidationError) as error:
        found = error.strerror if isinstance(error, OSError) else "a file that is damaged or newer"
        raise DataError(
            f"expected the record of a search in {path}, found: {found}",
            hint="search anew: name another --out",
        ) from error


def _check_settings(file: Path, asked: dict[str, FiniteJson], found: dict[str, FiniteJson]) -> None:
    others = [name.replace("_", " ") for name in {**asked, **found} if asked.get(name) != found.get(name)]
    if others:
        raise SettingError(
            f"expected the same search to go on in {file.parent}, found one with other {', '.join(others)}",
            hint="name another --out, or ask for the same again",
        )
