"""Core ML's package: what is written down is the graph, and a damaged one is refused by name."""

import contextlib
import dataclasses
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import graphs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import BundleError, CompileError
from mobile_sdk.integer_graph import Conv2d, Graph, Linear, Operator
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.coreml import CoreML
from mobile_sdk.runtimes.coreml.manifest import MODEL_PATH
from mobile_sdk.runtimes.coreml.program_file import MilProgram, read_program
from mobile_sdk.runtimes.coreml.readback import check_copied
from mobile_sdk.runtimes.coreml.schema import model_class

ROOT = Path(__file__).parents[1]
MODEL = f"Data/{MODEL_PATH}"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"


def exported(graph: Graph, folder: Path) -> tuple[Path, Interface]:
    package = folder / CoreML.model_file
    return package, CoreML().export(graph, graphs.contract_for(graph), package)


def test_one_graph_gives_one_package_without_torch_and_without_a_word(tmp_path: Path) -> None:
    graph = graphs.int8_graph("squeeze excite")
    package, _ = exported(graph, tmp_path / "here")
    (tmp_path / "graph.pickle").write_bytes(pickle.dumps((graph, graphs.contract_for(graph))))
    script = (
        "import pickle, sys; from pathlib import Path; from mobile_sdk.runtimes.coreml import CoreML\n"
        "graph, contract = pickle.loads(Path(sys.argv[1]).read_bytes())\n"
        "CoreML().export(graph, contract, Path(sys.argv[2])); CoreML().structure(Path(sys.argv[2]))\n"
        "assert not {'torch', 'sklearn', 'executorch'} & set(sys.modules)"
    )
    other = tmp_path / "there" / "model.mlpackage"
    command = [sys.executable, "-W", "error", "-c", script, str(tmp_path / "graph.pickle"), str(other)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert _files(package) == _files(other)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_structure_counts_what_is_in_the_file(tmp_path: Path) -> None:
    graph = graphs.int8_graph("squeeze excite")
    package, _ = exported(graph, tmp_path)
    found = CoreML().structure(package)
    weighted = [operator for operator in graph.operators if isinstance(operator, Conv2d | Linear)]
    assert found.operators["quantize"] == found.operators["dequantize"] == 1 + len(graph.operators)
    assert found.operators["constexpr_affine_dequantize"] == len(weighted)
    assert (found.int8_weight_share, found.float_convolutions, found.partitions) == (1.0, 0, 1)
    assert found.bytes_by_part["weights"] == sum(operator.weight.size for operator in weighted)
    assert found.bytes_by_part["biases"] == sum(4 * operator.bias.size for operator in weighted)


def test_structure_sees_that_the_float_twin_has_float_convolutions(tmp_path: Path) -> None:
    graph = graphs.float_graph("conv chain")
    package, _ = exported(graph, tmp_path)
    found = CoreML().structure(package)
    assert found.int8_weight_share == 0.0
    assert found.float_convolutions == sum(isinstance(operator, Conv2d) for operator in graph.operators)


def test_the_package_names_its_labels_and_its_graph(tmp_path: Path) -> None:
    graph = graphs.int8_graph("linear head")
    package, _ = exported(graph, tmp_path)
    metadata = read_program(package).metadata
    assert json.loads(metadata["labels"]) == list(graphs.contract_for(graph).labels)
    assert metadata["graph_digest"] == graph.digest()


@pytest.mark.parametrize(
    ("kind", "parameter", "change"),
    [
        ("quantize", "scale", lambda x: np.nextafter(x, np.float32(1))),
        ("dequantize", "zero_point", lambda x: (x ^ 1).astype(np.int8)),
        ("constexpr_affine_dequantize", "quantized_data", lambda x: x ^ np.int8(1)),
        ("constexpr_affine_dequantize", "scale", lambda x: np.nextafter(x, np.float32(1))),
        ("conv", "bias", lambda x: x * np.float32(1.01)),
        ("add", "y", lambda x: np.nextafter(x, np.float32(9))),
    ],
)
def test_a_number_that_was_not_copied_is_refused(
    kind: str, parameter: str, change: Callable[[NDArray[np.generic]], object], tmp_path: Path
) -> None:
    graph = graphs.int8_graph("hard swish")
    package, _ = exported(graph, tmp_path)
    program = read_program(package)
    check_copied(graph, program)
    with pytest.raises(CompileError, match=r"expected .* at .* found"):
        check_copied(graph, _altered(program, kind, parameter, change))


def _altered(
    program: MilProgram, kind: str, parameter: str, change: Callable[[NDArray[np.generic]], object]
) -> MilProgram:
    operations = list(program.operations)
    index = max(index for index, operation in enumerate(operations) if operation.kind == kind)
    value = change(np.asarray(operations[index].values[parameter]))
    values = {**operations[index].values, parameter: np.asarray(value)}
    operations[index] = dataclasses.replace(operations[index], values=values)
    return dataclasses.replace(program, operations=tuple(operations))


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
    class Fold(Operator):
        pass

    graph = graphs.int8_graph("linear head")
    strange = dataclasses.replace(graph, operators=(*graph.operators, Fold(output=graph.output, path="net.fold")))
    with pytest.raises(CompileError, match=r"found Fold at net\.fold"):
        exported(strange, tmp_path)


def test_a_contract_of_another_size_is_refused(tmp_path: Path) -> None:
    graph = graphs.int8_graph("linear head")
    image = ImageSpec(size_px=32)
    other = graphs.contract_for(graph).model_copy(update={"image": image})
    with pytest.raises(CompileError, match="expected a graph from"):
        CoreML().export(graph, other, tmp_path / "model.mlpackage")


def test_a_package_that_is_not_what_the_bundle_promises_is_refused(tmp_path: Path) -> None:
    package, interface = exported(graphs.int8_graph("linear head"), tmp_path)
    output = interface.output.model_copy(update={"shape": (1, 11)})
    with pytest.raises(BundleError, match="where the bundle promises"):
        CoreML().load(package, interface.model_copy(update={"output": output}), threads=1)


def test_an_operator_that_the_interpreter_does_not_know_is_named(tmp_path: Path) -> None:
    package, interface = exported(graphs.float_graph("conv chain"), tmp_path)
    model = model_class()()
    model.ParseFromString((package / MODEL).read_bytes())
    block = model.mlProgram.functions["main"].block_specializations["CoreML7"]
    next(operation for operation in block.operations if operation.type == "relu").type = "softsign"
    (package / MODEL).write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match="found 'softsign'"):
        CoreML().load(package, interface, threads=1)


@pytest.mark.parametrize("file", ["Manifest.json", MODEL, WEIGHTS])
@pytest.mark.parametrize("damage", ["missing", "empty", "half"])
def test_a_missing_or_truncated_file_is_refused(file: str, damage: str, tmp_path: Path) -> None:
    package, interface = exported(graphs.int8_graph("mobile block"), tmp_path)
    content = (package / file).read_bytes()
    (package / file).unlink()
    if damage != "missing":
        (package / file).write_bytes(content[: len(content) // 2 if damage == "half" else 0])
    for use in (CoreML().structure, lambda path: CoreML().load(path, interface, threads=1)):
        with pytest.raises(BundleError, match="expected a whole Core ML package"):
            use(package)


@pytest.mark.parametrize("path", ["../../../outside.mlmodel", "/outside.mlmodel"])
def test_a_manifest_that_leaves_the_package_is_refused(path: str, tmp_path: Path) -> None:
    package, _ = exported(graphs.int8_graph("linear head"), tmp_path)
    shutil.copy(package / MODEL, tmp_path / "outside.mlmodel")
    manifest = (package / "Manifest.json").read_text().replace(MODEL_PATH, path)
    (package / "Manifest.json").write_text(manifest)
    with pytest.raises(BundleError, match="leaves the package"):
        CoreML().structure(package)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    for use in (CoreML().structure, lambda path: CoreML().load(path, interface, threads=1).run(picture)):
        with contextlib.suppress(BundleError):  # anything else, a traceback's cause above all, fails the test
            use(package)


@pytest.fixture(scope="module")
def whole_package(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Interface]:
    return exported(graphs.int8_graph("hard swish"), tmp_path_factory.mktemp("whole"))
