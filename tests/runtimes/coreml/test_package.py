"""Core ML's package: what is written down is the graph, and a damaged one is refused by name."""

import contextlib
import dataclasses
import json
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import BundleError, CompileError
from mobile_sdk.graph.operators import Conv2d, Graph, Linear, Mul
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.coreml import CoreMLRuntime, export
from mobile_sdk.runtimes.coreml.export import request
from mobile_sdk.runtimes.coreml.package.manifest import MODEL_PATH
from mobile_sdk.runtimes.coreml.package.program_file import MilOperation, MilProgram, read_program
from mobile_sdk.runtimes.coreml.package.schema import model_class
from mobile_sdk.runtimes.coreml.readback import differences
from tests.support import graphs
from tests.support.operators.made_up_operator import softmax
from tests.support.repository import ROOT

MODEL = f"Data/{MODEL_PATH}"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"


def exported(graph: Graph, folder: Path) -> tuple[Path, Interface]:
    package = folder / CoreMLRuntime.model_file
    return package, CoreMLRuntime().export(graph, graphs.contract_for(graph), package)


def test_one_graph_gives_one_package_without_torch_and_without_a_word(tmp_path: Path) -> None:
    graph = graphs.int8_graph("squeeze excite")
    package, _ = exported(graph, tmp_path / "here")
    (tmp_path / "graph.pickle").write_bytes(pickle.dumps((graph, graphs.contract_for(graph))))
    script = (
        "import pickle, sys; from pathlib import Path; from mobile_sdk.runtimes.coreml import CoreMLRuntime\n"
        "graph, contract = pickle.loads(Path(sys.argv[1]).read_bytes())\n"
        "CoreMLRuntime().export(graph, contract, Path(sys.argv[2])); CoreMLRuntime().structure(Path(sys.argv[2]))\n"
        "assert not {'torch', 'sklearn', 'executorch'} & set(sys.modules)"
    )
    other = tmp_path / "there" / "model.mlpackage"
    command = [sys.executable, "-W", "error", "-c", script, str(tmp_path / "graph.pickle"), str(other)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert _files(package) == _files(other)


def test_a_package_does_not_depend_on_programs_that_were_built_and_never_saved(tmp_path: Path) -> None:
    graph = graphs.int8_graph("linear head")
    first, _ = exported(graph, tmp_path / "first")
    request(graph, "iOS17")
    second, _ = exported(graph, tmp_path / "second")
    assert _files(first) == _files(second)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_structure_counts_what_is_in_the_file(tmp_path: Path) -> None:
    graph = graphs.int8_graph("squeeze excite")
    package, _ = exported(graph, tmp_path)
    found = CoreMLRuntime().structure(package)
    weighted = [operator for operator in graph.operators if isinstance(operator, Conv2d | Linear)]
    assert found.operators["quantize"] == found.operators["dequantize"] == 1 + len(graph.operators)
    assert found.operators["constexpr_affine_dequantize"] == len(weighted)
    assert (found.int8_weight_share, found.float_convolutions, found.partitions) == (1.0, 0, 1)
    assert found.bytes_by_part["weights"] == sum(operator.weight.size for operator in weighted)
    channels = sum(operator.bias.size for operator in weighted)
    products = sum(isinstance(operator, Mul) for operator in graph.operators)
    assert found.bytes_by_part["factors"] >= 4 * (channels + products)
    assert found.bytes_by_part["biases"] == sum(4 * operator.bias.size for operator in weighted)


def test_structure_sees_that_the_float_twin_has_float_convolutions(tmp_path: Path) -> None:
    graph = graphs.float_graph("conv chain")
    package, _ = exported(graph, tmp_path)
    found = CoreMLRuntime().structure(package)
    assert found.int8_weight_share == 0.0
    assert found.float_convolutions == sum(isinstance(operator, Conv2d) for operator in graph.operators)


def test_the_package_names_its_labels_and_its_graph(tmp_path: Path) -> None:
    graph = graphs.int8_graph("linear head")
    package, _ = exported(graph, tmp_path)
    metadata = read_program(package).metadata
    assert json.loads(metadata["labels"]) == list(graphs.contract_for(graph).labels)
    assert metadata["graph_digest"] == graph.digest()


NAMES = ["squeeze excite", "inverted residual", "concat pool", "conv chain", "linear head"]


@pytest.mark.parametrize("name", [*NAMES, "float conv chain", "float hard swish"])
def test_every_number_and_option_that_was_not_copied_is_named(name: str, tmp_path: Path) -> None:
    graph = graphs.float_graph(name.removeprefix("float ")) if name.startswith("float ") else graphs.int8_graph(name)
    package, _ = exported(graph, tmp_path)
    requested, program = request(graph, "iOS17"), read_program(package)
    assert list(differences(requested, program)) == []
    tried = 0
    for index, operation in enumerate(program.operations):
        for parameter, value in operation.values.items():
            if operation.kind == "const":
                continue
            altered = f"{value}?" if isinstance(value, str) else _altered(np.asarray(value))
            wrong = dataclasses.replace(operation, values={**operation.values, parameter: altered})
            found = list(differences(requested, _with(program, index, wrong)))
            assert len(found) == 1
            assert re.match(rf"expected {parameter} of {operation.output} at .* found", found[0])
            tried += 1
    assert tried > 4 * len(graph.operators)


def _with(program: MilProgram, index: int, operation: MilOperation) -> MilProgram:
    operations = (*program.operations[:index], operation, *program.operations[index + 1 :])
    return dataclasses.replace(program, operations=operations)


@pytest.mark.parametrize("name", NAMES)
def test_every_connection_shape_and_type_that_was_not_kept_is_named(name: str, tmp_path: Path) -> None:
    graph = graphs.int8_graph(name)
    package, _ = exported(graph, tmp_path)
    requested, program = request(graph, "iOS17"), read_program(package)
    for index, operation in enumerate(program.operations):
        if operation.kind == "const":
            continue
        changes: list[dict[str, Any]] = [
            {"arguments": {**operation.arguments, parameter: (*names[:-1], "input_code_")}}
            for parameter, names in operation.arguments.items()
        ]
        changes += [{"arguments": {**operation.arguments, "stranger": ("image",)}}]
        changes += [{"shape": (*operation.shape, 1)}, {"dtype": "float16"}, {"kind": "relu"}]
        for change in changes:
            (found,) = differences(requested, _with(program, index, dataclasses.replace(operation, **change)))
            assert operation.output in found


def test_a_picture_of_other_colours_and_a_file_of_another_graph_are_named(tmp_path: Path) -> None:
    graph, other = graphs.int8_graph("linear head"), graphs.int8_graph("linear head", seed=2)
    package, _ = exported(graph, tmp_path)
    model = model_class()()
    model.ParseFromString((package / MODEL).read_bytes())
    image = model.description.input[0].type.imageType
    image.colorSpace = image.ColorSpace.Value("BGR")
    (package / MODEL).write_bytes(model.SerializeToString())
    (found,) = differences(request(graph, "iOS17"), read_program(package))
    assert "expected colours at the whole program to be RGB" in found
    assert any("graph_digest" in each for each in differences(request(other, "iOS17"), read_program(package)))


def _altered(value: NDArray[np.generic]) -> NDArray[np.generic]:
    """Its last element moved by the least that its type knows."""
    changed = np.array(value)
    last = changed.reshape(-1)[-1]
    if changed.dtype.kind == "f":
        changed.reshape(-1)[-1] = np.nextafter(last, np.float32(np.inf))
    else:
        changed.reshape(-1)[-1] = last ^ 1
    return changed


@pytest.mark.parametrize("index", [0, 7, -1])
def test_an_operation_too_many_or_too_few_is_named(index: int, tmp_path: Path) -> None:
    graph = graphs.int8_graph("hard swish")
    package, _ = exported(graph, tmp_path)
    requested, program = request(graph, "iOS17"), read_program(package)
    computing = [operation for operation in program.operations if operation.kind != "const"]
    clone = dataclasses.replace(computing[index], output="stranger")
    dropped = [operation for operation in program.operations if operation is not computing[index]]
    for operations in ((*program.operations, clone), tuple(dropped)):
        (found,) = differences(requested, dataclasses.replace(program, operations=operations))
        assert found.startswith("expected the operation")


def test_a_file_that_differs_from_what_was_asked_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graphs.int8_graph("linear head")

    def read_wrongly(package: Path) -> MilProgram:
        program = read_program(package)
        return dataclasses.replace(program, operations=program.operations[:-1])

    monkeypatch.setattr(export, "read_program", read_wrongly)
    with pytest.raises(CompileError, match="expected the operation scores"):
        exported(graph, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_sum_that_float32_may_round_is_named_in_the_metadata(tmp_path: Path) -> None:
    graph = graphs.int8_graph("linear head")
    package, _ = exported(graph, tmp_path)
    assert json.loads(read_program(package).metadata["rounded_sums"]) == []
    linear = graph.operators[-1]
    assert isinstance(linear, Linear)
    wide = dataclasses.replace(linear, bias=np.full_like(linear.bias, 2**24))
    package, _ = exported(dataclasses.replace(graph, operators=(*graph.operators[:-1], wide)), tmp_path)
    assert json.loads(read_program(package).metadata["rounded_sums"]) == [linear.path]


def test_a_bias_beyond_float32_is_refused_with_its_path_and_the_old_package_stays(tmp_path: Path) -> None:
    graph = graphs.int8_graph("linear head")
    package, _ = exported(graph, tmp_path)
    before = _files(package)
    linear = graph.operators[-1]
    assert isinstance(linear, Linear)
    wide = dataclasses.replace(linear, bias=np.full_like(linear.bias, 2**25 + 1))
    with pytest.raises(CompileError, match=f"bias .* at {linear.path}"):
        exported(dataclasses.replace(graph, operators=(*graph.operators[:-1], wide)), tmp_path)
    assert _files(package) == before
    assert list(tmp_path.iterdir()) == [package]


def test_exporting_again_replaces_the_package_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    exported(graphs.int8_graph("linear head", seed=1), tmp_path)
    package, _ = exported(graphs.int8_graph("linear head", seed=2), tmp_path)
    assert read_program(package).metadata["graph_digest"] == graphs.int8_graph("linear head", seed=2).digest()
    assert list(tmp_path.iterdir()) == [package]


def test_an_operator_that_core_ml_has_no_form_for_is_named_with_its_path(tmp_path: Path) -> None:
    graph = graphs.int8_graph("linear head")
    strange = dataclasses.replace(graph, operators=(*graph.operators, softmax(graph.output)))
    with pytest.raises(CompileError, match=r"found Softmax at net\.softmax"):
        exported(strange, tmp_path)


def test_a_contract_of_another_size_is_refused(tmp_path: Path) -> None:
    graph = graphs.int8_graph("linear head")
    image = ImageSpec(size_px=32)
    other = graphs.contract_for(graph).model_copy(update={"inputs": (image,)})
    with pytest.raises(CompileError, match="expected a graph from"):
        CoreMLRuntime().export(graph, other, tmp_path / "model.mlpackage")


def test_a_package_that_is_not_what_the_bundle_promises_is_refused(tmp_path: Path) -> None:
    package, interface = exported(graphs.int8_graph("linear head"), tmp_path)
    output = interface.output.model_copy(update={"shape": (1, 11)})
    with pytest.raises(BundleError, match="where the bundle promises"):
        CoreMLRuntime().load(package, interface.model_copy(update={"outputs": (output,)}), threads=1)


def test_an_operator_that_the_interpreter_does_not_know_is_named(tmp_path: Path) -> None:
    package, interface = exported(graphs.float_graph("conv chain"), tmp_path)
    model = model_class()()
    model.ParseFromString((package / MODEL).read_bytes())
    block = model.mlProgram.functions["main"].block_specializations["CoreML7"]
    next(operation for operation in block.operations if operation.type == "relu").type = "softsign"
    (package / MODEL).write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match="found 'softsign'"):
        CoreMLRuntime().load(package, interface, threads=1)


@pytest.mark.parametrize("file", ["Manifest.json", MODEL, WEIGHTS])
@pytest.mark.parametrize("damage", ["missing", "empty", "half"])
def test_a_missing_or_truncated_file_is_refused(file: str, damage: str, tmp_path: Path) -> None:
    package, interface = exported(graphs.int8_graph("mobile block"), tmp_path)
    content = (package / file).read_bytes()
    (package / file).unlink()
    if damage != "missing":
        (package / file).write_bytes(content[: len(content) // 2 if damage == "half" else 0])
    for use in (CoreMLRuntime().structure, lambda path: CoreMLRuntime().load(path, interface, threads=1)):
        with pytest.raises(BundleError, match="expected a whole Core ML package"):
            use(package)


@pytest.mark.parametrize("path", ["../../../outside.mlmodel", "/outside.mlmodel"])
def test_a_manifest_that_leaves_the_package_is_refused(path: str, tmp_path: Path) -> None:
    package, _ = exported(graphs.int8_graph("linear head"), tmp_path)
    shutil.copy(package / MODEL, tmp_path / "outside.mlmodel")
    manifest = (package / "Manifest.json").read_text().replace(MODEL_PATH, path)
    (package / "Manifest.json").write_text(manifest)
    with pytest.raises(BundleError, match="leaves the package"):
        CoreMLRuntime().structure(package)


@settings(max_examples=150)
@given(data=st.data())
def test_a_flipped_bit_anywhere_never_ends_in_anything_but_a_bundle_error(
    data: st.DataObject, whole_package: tuple[Path, Interface], tmp_path: Path
) -> None:
    whole, interface = whole_package
    package = tmp_path / "damaged.mlpackage"
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(whole, package)
    file = package / data.draw(st.sampled_from(["Manifest.json", MODEL, WEIGHTS]))
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(content)
    picture = np.zeros((16, 16, 3), np.uint8)
    for use in (CoreMLRuntime().structure, lambda path: CoreMLRuntime().load(path, interface, threads=1).run(picture)):
        with contextlib.suppress(BundleError):  # anything else, a traceback's cause above all, fails the test
            use(package)


@pytest.fixture(scope="module")
def whole_package(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Interface]:
    return exported(graphs.int8_graph("hard swish"), tmp_path_factory.mktemp("whole"))
