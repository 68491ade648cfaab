"""Core ML: what is written is the graph, what is read back computes it, and a damaged package is refused."""

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
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.nn import functional

from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import BundleError, CompileError, MachineError
from mobile_sdk.integer_graph import (
    Activation,
    Add,
    Clamp,
    Constant,
    Conv2d,
    Dequantize,
    Graph,
    Linear,
    MaxPool2d,
    Mean,
    Mul,
    Operator,
    Reshape,
    Tensor,
)
from mobile_sdk.numerics import compare
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.coreml import CoreML
from mobile_sdk.runtimes.coreml.apple import AppleSession
from mobile_sdk.runtimes.coreml.export import _program as mil_program
from mobile_sdk.runtimes.coreml.interpreter import InterpreterSession
from mobile_sdk.runtimes.coreml.manifest import MODEL_PATH
from mobile_sdk.runtimes.coreml.mil_writer import labels
from mobile_sdk.runtimes.coreml.program_file import MilProgram, read_program
from mobile_sdk.runtimes.coreml.readback import check_copied
from mobile_sdk.runtimes.coreml.schema import model_class
from mobile_sdk.runtimes.coreml.toolbox import coremltools_quietly
from mobile_sdk.runtimes.reference import Reference

INTERPRETED_ONLY = pytest.mark.skipif(sys.platform == "darwin", reason="on a Mac Apple's own runtime computes")
ROOT = Path(__file__).parents[1]
MODEL = f"Data/{MODEL_PATH}"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"

# Float32 against integers: only a value within 1e-3 steps of a tie may round to the other side. Every graph of the
# factory comes out exact today; one step in one score is what a tie in the last layer would cost.
MAX_STEPS = 1
MIN_SQNR_DB = 40.0
TIE_WIDTH_STEPS = 1e-3


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def exported(graph: Graph, folder: Path) -> tuple[Path, Interface]:
    package = folder / CoreML.model_file
    return package, CoreML().export(graph, graphs.contract_for(graph), package)


def interpreted(graph: Graph, folder: Path) -> InterpreterSession:
    package, interface = exported(graph, folder)
    return InterpreterSession(package, interface, threads=1)


def codes(graph: Graph, scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """The centred codes that real scores stand for."""
    assert graph.output.quantization is not None
    return np.rint(scores / graph.output.quantization.scale).astype(np.int64)


def reference_codes(graph: Graph, pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
    assert graph.output.quantization is not None
    found = Reference(graph).run(pictures).reshape(len(pictures), -1)
    return found.astype(np.int64) - graph.output.quantization.zero_point


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_the_interpreted_program_agrees_with_the_integer_reference(name: str, tmp_path: Path) -> None:
    graph = graphs.int8_graph(name)
    session, pictures = interpreted(graph, tmp_path), graphs.pictures(graph, 32)
    found = np.stack([codes(graph, session.run(picture)) for picture in pictures])
    comparison = compare(found, reference_codes(graph, pictures))
    assert comparison.elements == 320
    assert comparison.max_steps <= MAX_STEPS
    assert comparison.reaches_db(MIN_SQNR_DB)
    assert comparison.top1_agreement_share == 1.0


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_fed_the_same_codes_an_operator_differs_from_the_integers_only_at_ties(name: str, tmp_path: Path) -> None:
    graph = graphs.int8_graph(name, seed=1)
    session, pictures = interpreted(graph, tmp_path), graphs.pictures(graph, 8)
    expected = Reference(graph).trace(pictures)
    checked = 0
    for index, picture in enumerate(pictures):
        found = session.trace(picture)
        mine = {graph.input.name: found["input_code"]}
        for label, operator in zip(labels(graph), graph.operators, strict=True):
            mine[operator.output.name] = found[f"{label}_code"]
            if all(_equal(mine[x.name], expected[x.name][index]) for x in operator.inputs if isinstance(x, Tensor)):
                checked += 1
                before = found.get(f"{label}_clamp", found[label])
                _check_ties(operator, before, found[f"{label}_code"], expected[operator.output.name][index])
    assert checked >= len(graph.operators)


def _equal(a: NDArray[np.generic], b: NDArray[np.generic]) -> bool:
    return np.array_equal(np.ravel(a), np.ravel(b))


def _check_ties(
    operator: Operator, real: NDArray[np.generic], found: NDArray[np.generic], expected: NDArray[np.generic]
) -> None:
    assert operator.output.quantization is not None
    steps = np.ravel(found).astype(int) - np.ravel(expected).astype(int)
    position = np.ravel(real).astype(np.float64) / operator.output.quantization.scale
    from_tie = np.abs(position - np.floor(position) - 0.5)
    assert np.abs(steps).max() <= 1
    assert not steps.any() or from_tie[steps != 0].max() <= TIE_WIDTH_STEPS


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.tuples(*[st.integers(0, 3)] * 4),
    groups=st.sampled_from([1, 3]),
    activation=st.sampled_from(["none", "relu", "relu6", "clamped relu"]),
)
def test_a_convolution_of_any_geometry_agrees_with_the_reference(
    tmp_path: Path,
    kernel: int,
    stride: int,
    dilation: int,
    padding: tuple[int, int, int, int],
    groups: int,
    activation: str,
) -> None:
    build = graphs.Builder(int8=True, seed=kernel)
    x = build.conv(
        build.input, 6, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups, activation=activation
    )
    build.head(x)
    graph = build.graph()
    session, pictures = interpreted(graph, tmp_path), graphs.pictures(graph, 3)
    found = np.stack([codes(graph, session.run(picture)) for picture in pictures])
    assert compare(found, reference_codes(graph, pictures)).max_steps <= MAX_STEPS


def test_every_byte_becomes_the_code_that_the_graph_expects(tmp_path: Path) -> None:
    graph = graphs.int8_graph("linear head")
    picture = np.resize(np.arange(256, dtype=np.uint8), (16, 16, 3))
    found = interpreted(graph, tmp_path).trace(picture)["input_code"]
    assert np.array_equal(found[0], picture.transpose(2, 0, 1).astype(int) - 128)


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_the_float_twin_computes_what_torch_computes(name: str, tmp_path: Path) -> None:
    graph = graphs.float_graph(name)
    session = interpreted(graph, tmp_path)
    for picture in graphs.pictures(graph, 4):
        expected = torch_scores(graph, picture)
        assert np.abs(session.run(picture) - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())


def torch_scores(graph: Graph, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The float32 graph in float64, written for this test alone."""
    values = {graph.input.name: torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float64)) - 128}
    for operator in graph.operators:
        operands = [values[x.name] for x in operator.inputs if isinstance(x, Tensor)]
        values[operator.output.name] = _clamped(operator, _in_float64(operator, *operands))
    return values[graph.output.name].numpy().reshape(-1)


def _in_float64(operator: Operator, *operands: torch.Tensor) -> torch.Tensor:
    x = operands[0]
    match operator:
        case Dequantize():
            assert operator.input.quantization is not None
            return (x - operator.input.quantization.zero_point) * operator.input.quantization.scale
        case Conv2d(weight=weight, bias=bias, padding=(top, bottom, left, right)):
            padded = functional.pad(x, (left, right, top, bottom))
            parameters = torch.from_numpy(weight).double(), torch.from_numpy(bias).double()
            return functional.conv2d(padded, *parameters, operator.stride, 0, operator.dilation, operator.groups)
        case Linear(weight=weight, bias=bias):
            return functional.linear(x, torch.from_numpy(weight).double(), torch.from_numpy(bias).double())
        case Add(b=b):
            return x + (b.value if isinstance(b, Constant) else operands[1])
        case Mul(b=b):
            return x * (b.value if isinstance(b, Constant) else operands[1])
        case Mean():
            return x.mean((2, 3)).reshape(1, *operator.output.shape)
        case MaxPool2d(padding=(top, bottom, left, right)):
            padded = functional.pad(x, (left, right, top, bottom), value=float("-inf"))
            return functional.max_pool2d(padded, operator.kernel, operator.stride)
        case Reshape():
            return x.reshape(1, *operator.output.shape)
        case Activation(kind=kind):
            return getattr(functional, str(kind).replace("_", ""))(x)
    return torch.cat(operands, 1)


def _clamped(operator: Operator, x: torch.Tensor) -> torch.Tensor:
    clamp = getattr(operator, "clamp", Clamp.NONE)
    return x if clamp is Clamp.NONE else x.clamp(0, 6 if clamp is Clamp.RELU6 else None)


def test_a_float16_program_is_computed_in_float16_and_is_further_away(tmp_path: Path) -> None:
    graph = graphs.int8_graph("mobile block")
    _, interface = exported(graph, tmp_path)
    half = tmp_path / "half.mlpackage"
    _write_in_float16(graph, half)
    session, pictures = InterpreterSession(half, interface, threads=1), graphs.pictures(graph, 16)
    convolved = session.trace(pictures[0])[f"{labels(graph)[0]}_cast_fp16"]
    assert np.array_equal(convolved, convolved.astype(np.float16).astype(np.float32))
    expected = reference_codes(graph, pictures)
    found = np.stack([codes(graph, session.run(picture)) for picture in pictures])
    comparison = compare(found, expected)
    assert comparison.differing > 0
    assert comparison.reaches_db(25.0)
    with pytest.raises(CompileError, match="expected scale of input"):
        check_copied(graph, dataclasses.replace(read_program(half), metadata={"graph_digest": graph.digest()}))


def _write_in_float16(graph: Graph, package: Path) -> None:
    """What coremltools makes of the same program by default."""
    with coremltools_quietly() as tools:
        program = mil_program(tools, graph)
        picture = tools.ImageType(name="image", shape=(1, *graph.input.shape), color_layout=tools.colorlayout.RGB)
        model = tools.convert(
            program,
            source="milinternal",
            inputs=[picture],
            minimum_deployment_target=tools.target.iOS17,
            compute_precision=tools.precision.FLOAT16,
            skip_model_load=True,
        )
        model.save(str(package))


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


@INTERPRETED_ONLY
def test_off_a_mac_the_session_says_that_it_is_interpreted_and_why(tmp_path: Path) -> None:
    package, interface = exported(graphs.int8_graph("linear head"), tmp_path)
    runtime = CoreML()
    assert runtime.unavailable() is None
    assert "Apple" in (runtime.apple_runtime_not_run() or "")
    session = runtime.load(package, interface, threads=1)
    assert session.arithmetic == "interpreter"
    session.close()
    with pytest.raises(MachineError, match="expected macOS"):
        AppleSession(package, interface)


@pytest.mark.skipif(sys.platform != "darwin", reason="Core ML itself runs on a Mac only")
def test_on_a_mac_apples_runtime_agrees_with_the_reference(tmp_path: Path) -> None:
    graph = graphs.int8_graph("mobile block")
    package, interface = exported(graph, tmp_path)
    session, pictures = CoreML().load(package, interface, threads=1), graphs.pictures(graph, 16)
    assert session.arithmetic == "apple"
    found = np.stack([codes(graph, session.run(picture)) for picture in pictures])
    assert compare(found, reference_codes(graph, pictures)).reaches_db(25.0)


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
