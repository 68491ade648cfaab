"""JSON that the SDK writes and reads again holds its own hash: damage and edits by accident are named."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mobile_sdk.benchmarking.benchmark import write_numbers
from mobile_sdk.benchmarking.measurements import Numbers, Plan, read_numbers
from mobile_sdk.errors import SdkError
from mobile_sdk.latency.model import LatencyModels
from mobile_sdk.latency.published import published_models
from mobile_sdk.report.write import redraw_report, write_report
from mobile_sdk.system.environment import describe_environment
from mobile_sdk.system.seal import NO_SEAL, read_sealed, sealed, split_seal, true_seal, write_sealed
from mobile_sdk.verification.verdict import Check, Verdict, read_verdicts, write_verdicts
from qat.data.shards.index import INDEX_FILE, read_index
from qat.data.shards.shards import write_shards
from qat.search.netadapt import NetAdapt
from qat.search.record import load_record
from tests.support.nets.search_space import START, latency_ms, searched
from tests.support.training.small_task import pictures

VERDICT = Verdict(
    bundle="fruit.tflite",
    manifest_sha256="0" * 64,
    program_sha256="1" * 64,
    name="fruit",
    status="pass",
    comparison=None,
    quality=None,
    reference_quality=None,
    structure=None,
    golden=(),
    versions={},
    runtime="tflite",
    precision="int8",
    device="host",
    model_bytes=3,
    pictures=2,
    checks=(Check(name="steps apart", outcome="pass", measured=0, required="0"),),
)
SEARCH = NetAdapt(judge=latency_ms, target_ms=0.97 * latency_ms(START), step_share=0.02)
NUMBERS = Numbers(
    device="host",
    environment=describe_environment(),
    load_average_before=None,
    load_average_after=None,
    plan=Plan(),
    measurements=(),
    comparisons=(),
)


DOCUMENTS: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "verify.json": (lambda path: write_verdicts([VERDICT], path), read_verdicts),
    "bench.json": (lambda path: write_numbers(NUMBERS, path), read_numbers),
    "report.json": (
        lambda path: write_report(path.with_suffix(".html"), [VERDICT]),
        lambda path: redraw_report(path, path.with_name("again.html")),
    ),
    "phone.json": (lambda path: LatencyModels(models=tuple(published_models()[:1])).save(path), LatencyModels.load),
    "search.json": (lambda path: searched(SEARCH, path.parent), load_record),
    INDEX_FILE: (lambda path: write_shards(pictures(6, 3), path.parent), lambda path: read_index(path.parent)),
}


@pytest.fixture(scope="module", params=DOCUMENTS)
def document(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("documents") / request.param
    DOCUMENTS[path.name][0](path)
    return path


@pytest.fixture
def intact(document: Path) -> Iterator[bytes]:
    """The document's bytes, which are put back after the test."""
    data = document.read_bytes()
    yield data
    document.write_bytes(data)


def read(path: Path) -> object:
    return DOCUMENTS[path.name][1](path)


def test_the_seal_is_the_hash_of_the_file_with_zeros_in_its_place(document: Path) -> None:
    data = document.read_bytes()
    content, seal = split_seal(data)
    assert seal is not None and seal == true_seal(data, seal) == json.loads(data)["sha256"]
    assert json.loads(content) == {name: value for name, value in json.loads(data).items() if name != "sha256"}


def test_one_flipped_bit_anywhere_is_refused(document: Path, intact: bytes) -> None:
    draw = random.Random(document.name)
    places = [*draw.sample(range(len(intact)), min(40, len(intact))), *range(len(intact) - 84, len(intact) - 3)]
    for place in places:
        damaged = bytearray(intact)
        damaged[place] ^= 1 << draw.randrange(8)
        document.write_bytes(damaged)
        with pytest.raises(SdkError):
            read(document)


def test_an_edit_by_accident_is_named(document: Path, intact: bytes) -> None:
    document.write_bytes(intact.replace(b": 1", b": 2").replace(b"}", b" }", 1))
    with pytest.raises(SdkError, match="a file that was changed after it was written: its last field, 'sha256'"):
        read(document)


def test_a_document_without_a_seal_is_read_as_it_is(document: Path, intact: bytes) -> None:
    before = read(document)
    content = json.loads(intact)
    del content["sha256"]
    document.write_text(json.dumps(content), encoding="utf-8")
    assert read(document) == before


@pytest.mark.parametrize("text", ['{"a": 1}', '{\n "a": {"sha256": "x"}\n}\n', json.dumps({"a": NO_SEAL})])
def test_any_object_is_sealed_and_comes_back(text: str, tmp_path: Path) -> None:
    write_sealed(tmp_path / "a.json", text)
    assert json.loads(read_sealed(tmp_path / "a.json")) == json.loads(text)
    again = sealed(text)
    assert again == (tmp_path / "a.json").read_text(encoding="utf-8"), "equal content gives equal bytes"


def test_a_field_inside_is_no_seal() -> None:
    data = b'{"files": {"sha256": "1"}}'
    assert split_seal(data) == (data, None)
