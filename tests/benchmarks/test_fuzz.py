"""Mutated inputs of every cheap kind harm nothing and pass for nothing that they are not; the fuzzer itself is fair."""

import json
import os
import signal
from pathlib import Path
from random import Random

import pytest

from benchmarks.fuzz.__main__ import Keeper
from benchmarks.fuzz.inputs import Inputs
from benchmarks.fuzz.kinds import Kind, kinds
from benchmarks.fuzz.outcomes import ANOTHER, BAD, DEATH, EQUAL, EXCEPTION, HANG, REFUSED, WRONG, Outcome, Table
from benchmarks.fuzz.readers import DeceivedError, NotPassedError, stated
from benchmarks.fuzz.samples import write_samples
from benchmarks.fuzz.workers import Workers

CHEAP = ("classes", "shards", "coco", "voc", "yolo", "masks", "labels", "pictures", "programs", "learned", "made up")
INPUTS = 2000


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The samples of kinds that are read in a few milliseconds."""
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder, CHEAP)
    return folder


def cheap(samples: Path) -> list[Kind]:
    return [kind for kind in kinds(samples) if "verify" not in kind.name and not kind.name.startswith("weights")]


def read(found: list[Kind], samples: Path, folder: Path, indices: range) -> dict[int, Outcome]:
    """Returns the outcomes of the inputs, by their numbers; bad ones are kept in the folder."""
    workers = Workers(Inputs(found, samples, 0), folder / "work", count=2, keep=Keeper(folder / "kept", 0).keep)
    return {outcome.index: outcome for outcome in workers.read(iter(indices))}


def test_no_mutated_input_of_a_cheap_kind_does_harm_or_passes_for_what_it_is_not(samples: Path, tmp_path: Path) -> None:
    found = cheap(samples)
    outcomes = read(found, samples, tmp_path, range(INPUTS))
    assert sorted(outcomes) == list(range(INPUTS))
    assert not [outcome for outcome in outcomes.values() if outcome.outcome in BAD]
    assert {outcome.kind for outcome in outcomes.values()} == {kind.name for kind in found}
    assert {REFUSED, EQUAL, ANOTHER} <= {outcome.outcome for outcome in outcomes.values()}


def test_a_seed_and_a_number_make_the_same_input_again(samples: Path, tmp_path: Path) -> None:
    inputs, again = (Inputs(cheap(samples), samples, 3) for _ in range(2))
    for index in range(40):
        one, other = (each.make(index, tmp_path / f"{title} {index}") for title, each in (("a", inputs), ("b", again)))
        assert one.change == other.change
        if one.path.is_file() and one.path.stat().st_size < 2**30:
            assert one.path.read_bytes() == other.path.read_bytes()


def test_samples_stay_as_they_are_whatever_is_made_of_them(samples: Path, tmp_path: Path) -> None:
    def content() -> str:
        return stated({str(path): path.read_bytes() for path in sorted(samples.rglob("*")) if path.is_file()})

    before, inputs = content(), Inputs(kinds(samples), samples, 4)
    for index in range(200):
        inputs.make(index, tmp_path / str(index))
    assert content() == before


def reads_badly(path: Path) -> str:
    """Does what the first letter of the file says."""
    text = path.read_text(encoding="utf-8")
    match text[:1]:
        case "d":
            os.abort()
        case "e":
            raise KeyError(text)
        case "w":
            raise DeceivedError("a model passed that gives other scores")
        case "r":
            raise NotPassedError("a check failed")
    return text


def test_every_outcome_is_told_apart_and_bad_inputs_are_kept(tmp_path: Path) -> None:
    (tmp_path / "samples" / "one").mkdir(parents=True)
    (tmp_path / "samples" / "one" / "file").write_text("same", encoding="utf-8")

    def first_letter(data: bytes, draw: Random) -> bytes:
        return draw.choice(b"dewrso").to_bytes(1, "little") + data[1:]

    bad = Kind(
        name="bad",
        sample="one",
        changed="file",
        changes={"letter": first_letter},
        read=reads_badly,
        share=1,
    )
    outcomes = read([bad], tmp_path / "samples", tmp_path, range(24))
    found = {outcome.outcome for outcome in outcomes.values()}
    assert found == {REFUSED, EQUAL, ANOTHER, EXCEPTION, DEATH, WRONG}
    kept = [json.loads(line) for line in (tmp_path / "kept" / "failures.jsonl").read_text().splitlines()]
    assert {line["index"] for line in kept} == {index for index, each in outcomes.items() if each.outcome in BAD}
    assert all(
        (tmp_path / "kept" / str(line["index"]) / "file").exists() for line in kept if line["change"] == "letter"
    )
    table = Table()
    for outcome in outcomes.values():
        table.add(outcome)
    *rows, total = table.rows()
    assert total["inputs"] == sum(row["inputs"] for row in rows) == 24 and total["death"] == table.total((DEATH,)) > 0


def never_returns(path: Path) -> str:
    """Waits as a reader does that opens a FIFO."""
    if path.read_text(encoding="utf-8") == "same":
        return "same"
    while True:
        signal.pause()


def test_a_reader_that_never_returns_hangs_and_its_worker_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "samples" / "one").mkdir(parents=True)
    (tmp_path / "samples" / "one" / "file").write_text("same", encoding="utf-8")
    waiting = Kind(
        name="waiting",
        sample="one",
        changed="file",
        changes={"end": lambda data, draw: data + b"!"},
        read=never_returns,
        share=1,
        deadline_s=0,
    )
    indices = [index for index in range(9) if Inputs([waiting], tmp_path / "samples", 0).plan(index)[1] == "end"]
    outcomes = read([waiting], tmp_path / "samples", tmp_path, range(indices[0], indices[0] + 1))
    assert {outcome.outcome for outcome in outcomes.values()} == {HANG}


def test_what_is_sealed_and_accepted_but_different_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "samples" / "one").mkdir(parents=True)
    (tmp_path / "samples" / "one" / "file").write_text("same", encoding="utf-8")
    sealed = Kind(
        name="sealed",
        sample="one",
        changed="file",
        changes={"end": lambda data, draw: data + b"!"},
        read=lambda path: path.read_text(encoding="utf-8"),
        share=1,
        is_sealed=True,
    )
    outcomes = read([sealed], tmp_path / "samples", tmp_path, range(4))
    assert {outcome.outcome for outcome in outcomes.values() if outcome.change == "end"} == {WRONG}
