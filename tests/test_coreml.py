"""Core ML: the saved program, interpreted, computes what the integer reference computes."""

import dataclasses
import sys
from pathlib import Path

import graphs
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.nn import functional

from mobile_sdk.errors import CompileError, MachineError
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
from mobile_sdk.runtimes.coreml.mil_writer import labels
from mobile_sdk.runtimes.coreml.program_file import read_program
from mobile_sdk.runtimes.coreml.readback import check_copied
from mobile_sdk.runtimes.coreml.toolbox import coremltools_quietly
from mobile_sdk.runtimes.reference import Reference

INTERPRETED_ONLY = pytest.mark.skipif(sys.platform == "darwin", reason="on a Mac Apple's own runtime computes")

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
