"""The program file: read back exactly, opened by torch.export too, sealed whole, and safe against what it holds."""

import copy
import json
import os
import pickle
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.errors import BundleError, DataError
from mobile_sdk.graph.operators import AvgPool2d, Conv2d, Graph
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.aten.writer import to_exported
from mobile_sdk.program.program import Program
from tests.support.child_process import run
from tests.support.graphs import GRAPHS, float_graph, int8_graph, pictures
from tests.support.program_files import Trap, content, members, program_of, rewritten


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "program.pt2"
    program_of(int8_graph("squeeze excite")).save(path)
    return path


@pytest.mark.parametrize("make", [int8_graph, float_graph])
@pytest.mark.parametrize("name", GRAPHS)
def test_a_program_is_read_back_number_for_number(name, make, tmp_path):
    program = program_of(make(name))
    program.save(tmp_path / "program.pt2")
    found = Program.load(tmp_path / "program.pt2")
    assert found.graph.digest() == program.graph.digest()
    assert found.contract == program.contract and found.record == program.record
    assert found.digest() == program.digest()
    assert [path.name for path in tmp_path.iterdir()] == ["program.pt2"]


def test_one_program_saved_twice_gives_equal_files(saved, tmp_path):
    program_of(int8_graph("squeeze excite")).save(tmp_path / "again.pt2")
    Program.load(saved).save(tmp_path / "loaded.pt2")
    assert (tmp_path / "again.pt2").read_bytes() == (tmp_path / "loaded.pt2").read_bytes() == saved.read_bytes()


def test_the_file_holds_no_weights_twice(saved):
    names = members(saved).keys()
    used = {each["member"] for each in _arrays(content(saved, "extra/graph.json"))}
    assert used and all(name.startswith("data/weights/weight_") for name in used)
    assert used < names and not any(name.startswith("arrays/") for name in names)


def test_a_float_graphs_average_pooling_is_read_back(tmp_path):
    graph = float_graph("conv chain")
    source = graph.operators[1].output
    shape = (source.shape[0], source.shape[1] // 2, source.shape[2] // 2)
    window = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0, 0, 0)}
    pool = AvgPool2d(input=source, output=replace(source, name="pooled", shape=shape), path="net.pool", **window)
    program = program_of(Graph(input=graph.input, operators=(*graph.operators[:2], pool)))
    program.save(tmp_path / "program.pt2")
    assert Program.load(tmp_path / "program.pt2").graph.digest() == program.graph.digest()


@pytest.mark.parametrize("name", GRAPHS)
def test_torch_runs_the_exported_program_and_stays_close_to_the_reference(name, tmp_path):
    graph = int8_graph(name)
    program_of(graph).save(tmp_path / "program.pt2")
    module = torch.export.load(tmp_path / "program.pt2").module()
    images = pictures(graph, 8)
    codes = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(torch.int16).sub(128).to(torch.int8)
    found = np.concatenate([module(code[None]).numpy() for code in codes])
    steps = np.abs(found.astype(int) - Reference(graph).run(images).reshape(found.shape).astype(int))
    assert steps.max() <= 12 and steps.mean() < 1.0  # torch rounds after every operator in its own way


def test_the_exported_program_begins_and_ends_in_int8():
    exported = to_exported(int8_graph("conv chain"))
    calls = [node for node in exported.graph.nodes if node.op == "call_function"]
    assert calls[0].target is torch.ops.quantized_decomposed.dequantize_per_tensor.default
    assert calls[-1].target is torch.ops.quantized_decomposed.quantize_per_tensor.default
    biases = [tensor for name, tensor in exported.state_dict.items() if name.endswith(".bias")]
    assert biases and all(tensor.dtype == torch.int32 for tensor in biases)


def test_reading_a_program_needs_no_torch(saved):
    code = (
        "import sys; from mobile_sdk.program.program import Program; Program.load(sys.argv[1]); "
        "assert not any(name.split('.')[0] == 'torch' for name in sys.modules)"
    )
    done = run([sys.executable, "-c", code, str(saved)])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99, 0.9999])
def test_a_truncated_program_is_refused(saved, tmp_path, share):
    data = saved.read_bytes()
    (tmp_path / "cut.pt2").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BundleError) as error:
        Program.load(tmp_path / "cut.pt2")
    assert error.value.exit_code == 6


def test_a_missing_program_is_refused(tmp_path):
    with pytest.raises(DataError, match="found nothing"):
        Program.load(tmp_path / "absent.pt2")


def test_another_tools_pt2_is_refused(tmp_path):
    torch.export.save(torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),)), tmp_path / "other.pt2")
    with pytest.raises(BundleError, match="a program of this SDK"):
        Program.load(tmp_path / "other.pt2")


def test_a_newer_schema_is_refused_by_its_number(saved, tmp_path):
    newer = json.dumps({"schema_number": 4, "something": "else"}).encode()
    with pytest.raises(BundleError, match="expected program schema 3 or 2, found 4"):
        Program.load(rewritten(saved, tmp_path, {"extra/seal.json": newer}))
    others = dict.fromkeys(("extra/contract.json", "extra/record.json", "extra/graph.json"))
    with pytest.raises(BundleError, match="expected program schema 3 or 2, found 4"):
        Program.load(rewritten(saved, tmp_path, {"extra/seal.json": newer, **others}))


def test_a_flipped_byte_in_any_member_is_refused_in_one_line(saved, tmp_path):
    """In those too that PyTorch alone reads."""
    names = members(saved)
    assert {"models/model.json", "data/sample_inputs/model.pt", ".data/serialization_id"} < names.keys()
    for name, data in names.items():
        for place in sorted({0, len(data) // 2, len(data) - 1}):
            changed = bytearray(data)
            changed[place] ^= 1
            with pytest.raises(BundleError) as error:
                Program.load(rewritten(saved, tmp_path, {name: bytes(changed)}))
            assert "\n" not in str(error.value) and error.value.exit_code == 6, name


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("data/aotinductor/model/run.so", b"a library", "'data/aotinductor/model/run.so' in rewritten.pt2 absent"),
        ("data/sample_inputs/model.pt", None, "found it absent"),
        ("models/model.json", b"{}", "expected 'models/model.json' in rewritten.pt2 with fingerprint"),
        ("extra/seal.json", None, "found a .pt2 without seal.json"),
        ("extra/contract.json", None, "found a .pt2 without contract.json"),
    ],
)
def test_a_member_added_removed_or_changed_is_named(name, data, said, saved, tmp_path):
    with pytest.raises(BundleError, match=re.escape(said)):
        Program.load(rewritten(saved, tmp_path, {name: data}))


def test_a_second_folder_in_the_archive_is_refused(saved, tmp_path):
    """PyTorch reads one folder of a file, and which one is its own affair."""
    path = rewritten(saved, tmp_path, {})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/models/model.json", b"{}")
    with pytest.raises(BundleError, match="2 folders where one holds every record"):
        Program.load(path)


def test_a_swapped_label_is_refused(saved, tmp_path):
    contract = members(saved)["extra/contract.json"].replace(b"label 0", b"label X")
    with pytest.raises(BundleError, match="fingerprint"):
        Program.load(rewritten(saved, tmp_path, {"extra/contract.json": contract}))


def test_an_unknown_field_is_refused_by_name(saved, tmp_path):
    record = content(saved, "extra/record.json") | {"surprise": 1}
    with pytest.raises(BundleError, match="surprise"):
        Program.load(rewritten(saved, tmp_path, {"extra/record.json": json.dumps(record).encode()}, resealed=True))


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_a_number_in_the_record_that_is_not_finite_is_refused(number, saved, tmp_path):
    record = json.dumps(content(saved, "extra/record.json") | {"settings": {"width": [0.25]}}).replace("0.25", number)
    with pytest.raises(BundleError, match="a number beyond double precision"):
        Program.load(rewritten(saved, tmp_path, {"extra/record.json": record.encode()}, resealed=True))


def test_a_changed_weight_is_refused_even_with_a_fresh_checksum(saved, tmp_path):
    weights = bytearray(members(saved)["data/weights/weight_0"])
    weights[3] ^= 1
    with pytest.raises(BundleError, match="data/weights/weight_0"):
        Program.load(rewritten(saved, tmp_path, {"data/weights/weight_0": bytes(weights)}))


def test_a_pickle_in_the_file_is_never_run(saved, tmp_path):
    """Not even where it is sealed."""
    trap = {"data/sample_inputs/model.pt": pickle.dumps(Trap(tmp_path / "sprung"))}
    with pytest.raises(BundleError, match=re.escape("data/sample_inputs/model.pt")):
        Program.load(rewritten(saved, tmp_path, trap))
    with pytest.raises(BundleError, match=r"expected a tensor as data/sample_inputs/model.pt in .*, found a pickle"):
        Program.load(rewritten(saved, tmp_path, trap, resealed=True))
    assert not (tmp_path / "sprung").exists()


def test_records_that_lie_over_each_other_are_refused_before_they_are_read(saved, tmp_path):
    """A small file would unfold to a huge one: every entry of the directory names the same bytes."""
    path = tmp_path / "program.pt2"
    directory = []
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("p/0", bytes(2**16))
        for number in range(1000):
            entry = copy.copy(archive.infolist()[0])
            entry.filename = f"p/{number + 1}"
            directory.append(entry)
        archive.filelist += directory
    with pytest.raises(BundleError, match="records lie over each other"):
        Program.load(path)


def test_a_program_that_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "program.pt2")
    with pytest.raises(DataError, match=r"program.pt2, found a FIFO"):
        Program.load(tmp_path / "program.pt2")


def test_packed_records_are_refused(saved, tmp_path):
    with pytest.raises(BundleError, match="packed"):
        Program.load(rewritten(saved, tmp_path, {}, compression=zipfile.ZIP_DEFLATED))


@settings(max_examples=150)
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_changes_nothing(saved, tmp_path, place, value):
    data = bytearray(saved.read_bytes())
    data[int(place * len(data))] = value
    path = tmp_path / "changed.pt2"
    path.write_bytes(data)
    try:
        found = Program.load(path)
    except BundleError:
        return
    assert found.digest() == Program.load(saved).digest()


def test_a_wrong_shape_is_named_when_the_program_is_built():
    graph = int8_graph("conv chain")
    first = graph.operators[0]
    assert isinstance(first, Conv2d)
    wrong = replace(first, output=replace(first.output, shape=(1, 2, 3)))
    with pytest.raises(ValueError, match=first.output.name):
        to_exported(Graph(input=graph.input, operators=(wrong, *graph.operators[1:])))


def _arrays(value: Any) -> Iterator[dict[str, Any]]:
    """Every array that the JSON names."""
    if isinstance(value, dict) and "member" in value:
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _arrays(item)
