"""Google's tools read more of a `.tflite` than its graph: signature, names, versions, metadata, and its labels."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]
from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]

from mobile_sdk.contract import Contract, ImageSpec, TensorSpec
from mobile_sdk.errors import BundleError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.flatbuffer.decoding import decode
from mobile_sdk.runtimes.tflite import TfliteRuntime, versions
from mobile_sdk.runtimes.tflite.description.labels_archive import appended, separated
from mobile_sdk.runtimes.tflite.description.metadata import encode_metadata, metadata_schema
from mobile_sdk.runtimes.tflite.file_format import from_bytes, to_bytes
from mobile_sdk.runtimes.tflite.requested import request
from tests.support.graphs import Builder, contract_for, int8_graph, pictures

RUNTIME, GRAPH = TfliteRuntime(), int8_graph("linear head")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("metadata") / "model.tflite"
    RUNTIME.export(GRAPH, contract_for(GRAPH), path)
    return path


def metadata_of(path: Path) -> dict[str, bytes]:
    model = from_bytes(path.read_bytes())
    return {entry.name.decode(): bytes(model.buffers[entry.buffer].data) for entry in model.metadata}


def test_the_signature_runs_the_model_by_the_names_of_its_ends(file: Path) -> None:
    interpreter, picture = Interpreter(str(file)), pictures(GRAPH, 1)
    assert interpreter.get_signature_list() == {"serving_default": {"inputs": ["rgb"], "outputs": ["scores"]}}
    found = interpreter.get_signature_runner()(rgb=picture)["scores"]
    session = RUNTIME.load(file, RUNTIME.interface(GRAPH), threads=1)
    np.testing.assert_array_equal(found[0], session.run(picture[0]))
    names = [each["name"] for each in (*interpreter.get_input_details(), *interpreter.get_output_details())]
    assert names == ["rgb", "scores"]


def test_the_metadata_names_maker_ends_normalization_and_labels(file: Path) -> None:
    found = decode(metadata_schema(), metadata_of(file)["TFLITE_METADATA"])
    assert (found["name"], found["author"]) == ("test", "mobile-sdk")
    assert found["description"] == f"test: int8 picture classification, {len(contract_for(GRAPH).labels)} labels"
    (ends,) = found["subgraph_metadata"]
    (source,), (scores,) = ends["input_tensor_metadata"], ends["output_tensor_metadata"]
    assert source["content"]["content_properties"] == ("ImageProperties", {"color_space": 1, "default_size": None})
    assert source["process_units"][0]["options"] == ("NormalizationOptions", {"mean": [128.0], "std": [128.0]})
    assert scores["associated_files"][0]["name"] == "labels.txt" and scores["name"] == "scores"


def test_the_contract_s_licence_is_the_model_s() -> None:
    for licence in (None, "Apache-2.0"):
        contract = Contract(name="a", labels=("x", "y"), image=ImageSpec(size_px=16), licence=licence)
        found = decode(metadata_schema(), encode_metadata(GRAPH, contract, RUNTIME.interface(GRAPH)))
        assert found["license"] == licence


def test_normalization_and_quantization_give_the_bytes_back() -> None:
    """So a tool that normalises first and then quantizes feeds what the app would."""
    image = ImageSpec.torchvision(16)
    build = Builder(int8=True, seed=0)
    build.head(build.conv(build.input, 4, 3, stride=2))
    graph = build.graph()
    contract = Contract(name="test", labels=("a", "b"), image=image)
    for dtype, offset in (("uint8", 0), ("int8", -128)):
        ends = TfliteRuntime({"input": dtype}).interface(graph)
        assert (ends.input.dtype, ends.input.byte_offset) == (dtype, offset)
        told = decode(metadata_schema(), encode_metadata(graph, contract, ends))
        unit = told["subgraph_metadata"][0]["input_tensor_metadata"][0]["process_units"][0]["options"][1]
        every = np.arange(256)
        real = (every - unit["mean"][0]) / unit["std"][0]
        assert (np.rint(real / image.scale + image.pad_byte + offset) == every + offset).all()


@pytest.mark.parametrize(
    ("contract", "kind"),
    [
        (Contract(name="a", labels=("x", "y"), image=ImageSpec(size_px=16, channels=1)), "ImageProperties"),
        (Contract(name="a", labels=("x", "y"), image=ImageSpec(size_px=16, channels=4)), "FeatureProperties"),
        (
            Contract(name="a", labels=("x", "y"), tensor=TensorSpec(shape=(8,), scale=0.5, zero_point=0)),
            "FeatureProperties",
        ),
        (Contract(name="a", task="features"), "ImageProperties"),
    ],
    ids=["grey", "with opacity", "array", "features"],
)
def test_other_inputs_and_tasks_are_described_too(contract: Contract, kind: str) -> None:
    ends = RUNTIME.interface(GRAPH)
    found = decode(metadata_schema(), encode_metadata(GRAPH, contract, ends))
    source = found["subgraph_metadata"][0]["input_tensor_metadata"][0]
    assert source["content"]["content_properties"][0] == kind
    files = found["subgraph_metadata"][0]["output_tensor_metadata"][0]["associated_files"]
    assert (files is None) == (contract.task == "features")


def test_any_zip_tool_opens_the_labels(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None and archive.namelist() == ["labels.txt"]
        assert archive.read("labels.txt").decode().splitlines() == list(contract_for(GRAPH).labels)
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED
    assert RUNTIME.structure(file).bytes_by_part["labels"] == len(file.read_bytes()) - len(
        separated(file.read_bytes())[0]
    )


def test_without_labels_nothing_stands_behind_the_model() -> None:
    assert appended(b"model", ()) == b"model" and separated(b"model") == (b"model", b"")


def refusal(path: Path, fresh: Path) -> str:
    """The first difference, or why the file is refused; nothing if it counts as equal."""
    try:
        return next(iter(RUNTIME.differences(path, fresh, GRAPH)), "")
    except BundleError as error:
        return error.message


@pytest.mark.parametrize("seed", range(3))
def test_any_changed_byte_of_the_labels_archive_is_found(file: Path, seed: int, tmp_path: Path) -> None:
    data, random = file.read_bytes(), np.random.default_rng(seed)
    start = len(separated(data)[0])
    for place in random.integers(start, len(data), 40):
        forged = bytearray(data)
        forged[place] ^= int(random.integers(1, 256))
        (tmp_path / "forged.tflite").write_bytes(forged)
        assert refusal(tmp_path / "forged.tflite", file), place


def test_other_labels_and_none_are_named(file: Path, tmp_path: Path) -> None:
    model, _ = separated(file.read_bytes())
    for labels in ((), ("one", "two")):
        (tmp_path / "other.tflite").write_bytes(appended(model, labels))
        (found,) = RUNTIME.differences(tmp_path / "other.tflite", file, GRAPH)
        assert "the labels" in found


# -- files of an earlier SDK


def earlier_file(graph: Graph, folder: Path) -> Path:
    """The file as it was written before there was anything beside the graph."""
    model = request(graph, contract_for(graph))
    model.buffers = model.buffers[:-2]
    model.metadata = model.signatureDefs = None
    model.subgraphs[0].tensors[model.subgraphs[0].outputs[0]].name = graph.output.name
    for code in model.operatorCodes:
        code.version = 3
    (folder / "earlier.tflite").write_bytes(to_bytes(model))
    return folder / "earlier.tflite"


def test_a_file_of_an_earlier_sdk_counts_as_equal_if_its_graph_is(file: Path, tmp_path: Path) -> None:
    assert RUNTIME.differences(earlier_file(GRAPH, tmp_path), file, GRAPH) == []
    other = int8_graph("linear head", seed=1)
    assert any("linear" in each for each in RUNTIME.differences(earlier_file(other, tmp_path), file, GRAPH))


def test_a_file_with_half_of_its_description_is_none_of_an_earlier_sdk(file: Path, tmp_path: Path) -> None:
    model = from_bytes(separated(file.read_bytes())[0])
    model.signatureDefs = None
    (tmp_path / "half.tflite").write_bytes(to_bytes(model))
    assert any("signature_defs" in each for each in RUNTIME.differences(tmp_path / "half.tflite", file, GRAPH))


# -- versions


def codes_of(graph: Graph, folder: Path) -> dict[str, int]:
    RUNTIME.export(graph, contract_for(graph), folder / "model.tflite")
    names: dict[int, str] = {number: name for name, number in vars(schema.BuiltinOperator).items() if name.isupper()}
    model: Any = from_bytes((folder / "model.tflite").read_bytes())
    return {names[code.builtinCode]: int(code.version) for code in model.operatorCodes}


def first_runtime_of(folder: Path) -> bytes:
    return metadata_of(folder / "model.tflite")["min_runtime_version"]


def test_only_a_convolution_in_groups_needs_a_younger_runtime(tmp_path: Path) -> None:
    for groups, version, first in ((1, 3, b"1.14.0"), (3, 6, b"2.9.0")):
        build = Builder(int8=True, seed=0)
        build.head(build.conv(build.conv(build.input, 12, 3, stride=2), 12, 3, groups=groups))
        found = codes_of(build.graph(), tmp_path)
        assert found["CONV_2D"] == (max(version, 3)) and found.get("FULLY_CONNECTED", 4) == 4
        assert first_runtime_of(tmp_path) == first.ljust(16, b"\0")


def test_every_version_that_a_rule_can_give_has_its_first_runtime() -> None:
    assert versions._RULES.keys() == versions._FIRST.keys()
    for kind, known in versions._FIRST.items():
        assert all(len(first.split(".")) == 3 for first in known.values()), kind
