"""Core ML: the saved program, interpreted, computes what the integer reference computes."""

import dataclasses
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from mobile_sdk.comparison import compare
from mobile_sdk.errors import MachineError
from mobile_sdk.graph.operators import (
    Activation,
    Add,
    ChannelShuffle,
    ChannelSlice,
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
    ResizeBilinear,
    Tensor,
)
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.coreml import CoreMLRuntime
from mobile_sdk.runtimes.coreml.apple import AppleSession
from mobile_sdk.runtimes.coreml.interpreter.interpreter import InterpreterSession
from mobile_sdk.runtimes.coreml.mil_writer import labels
from mobile_sdk.runtimes.coreml.package.program_file import read_program
from mobile_sdk.runtimes.coreml.program_writer import build_program
from mobile_sdk.runtimes.coreml.readback import differences
from mobile_sdk.runtimes.coreml.requested import RequestedProgram
from mobile_sdk.runtimes.coreml.toolbox import coremltools_quietly
from tests.support import graphs

INTERPRETED_ONLY = pytest.mark.skipif(sys.platform == "darwin", reason="on a Mac Apple's own runtime computes")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def exported(graph: Graph, folder: Path) -> tuple[Path, Interface]:
    package = folder / CoreMLRuntime.model_file
    return package, CoreMLRuntime().export(graph, graphs.contract_for(graph), package)


def interpreted(graph: Graph, folder: Path) -> InterpreterSession:
    package, interface = exported(graph, folder)
    return InterpreterSession(package, interface, threads=1)


def reference_scores(graph: Graph, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns the integer reference's codes as real scores, as a float32 `scale * (q - zero_point)`."""
    assert graph.output.quantization is not None
    codes = Reference(graph).run(pictures).astype(np.float32)
    return (codes - np.float32(graph.output.quantization.zero_point)) * np.float32(graph.output.quantization.scale)


def scores(session: InterpreterSession | AppleSession, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.stack([session.run(picture) for picture in pictures])


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_every_score_of_the_interpreted_program_is_the_reference_s_to_the_last_bit(name: str, tmp_path: Path) -> None:
    graph = graphs.int8_graph(name)
    pictures = graphs.pictures(graph, 32)
    found = scores(interpreted(graph, tmp_path), pictures)
    assert found.size == 320
    assert np.unique(found).size > 10
    assert np.array_equal(found, reference_scores(graph, pictures))


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_every_element_of_every_tensor_is_the_reference_s(name: str, tmp_path: Path) -> None:
    graph = graphs.int8_graph(name, seed=1)
    session, pictures = interpreted(graph, tmp_path), graphs.pictures(graph, 8)
    expected = Reference(graph).trace(pictures)
    for index, picture in enumerate(pictures):
        found = session.trace(picture)
        assert np.array_equal(found["input_code"][0], expected[graph.input.name][index])
        for label, operator in zip(labels(graph), graph.operators, strict=True):
            assert np.array_equal(found[f"{label}_code"][0], expected[operator.output.name][index]), label


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
        case Activation(kind=kind):
            return getattr(functional, str(kind).replace("_", ""))(x)
    return _rearranged(operator, *operands)


def _rearranged(operator: Operator, *operands: torch.Tensor) -> torch.Tensor:
    x = operands[0]
    match operator:
        case ChannelSlice(start=start, stop=stop):
            return x[:, start:stop]
        case ChannelShuffle(groups=groups):
            return x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)
        case Reshape():
            return x.reshape(1, *operator.output.shape)
        case ResizeBilinear(output=output):
            return functional.interpolate(x, output.shape[1:], mode="bilinear", align_corners=False)
    return torch.cat(operands, 1)


def _clamped(operator: Operator, x: torch.Tensor) -> torch.Tensor:
    clamp = getattr(operator, "clamp", Clamp.NONE)
    return x if clamp is Clamp.NONE else x.clamp(0, 6 if clamp is Clamp.RELU6 else None)


def test_what_coremltools_makes_of_it_by_default_is_another_program_and_is_refused(tmp_path: Path) -> None:
    graph = graphs.int8_graph("mobile block")
    _, interface = exported(graph, tmp_path)
    half = tmp_path / "half.mlpackage"
    requested = _write_in_float16(graph, half)
    session, pictures = InterpreterSession(half, interface, threads=1), graphs.pictures(graph, 16)
    assert any(operation.dtype == "float16" for operation in read_program(half).operations)
    comparison = compare(scores(session, pictures), reference_scores(graph, pictures))
    assert comparison.differing > 0
    found = list(differences(requested, dataclasses.replace(read_program(half), metadata={})))
    assert len(found) > len(graph.operators)
    assert all(re.match(r"expected .* in the saved program, found", each) for each in found)


def _write_in_float16(graph: Graph, package: Path) -> RequestedProgram:
    """Writes a program as coremltools does by default."""
    with coremltools_quietly() as tools:
        program, requested = build_program(tools, graph, "iOS17")
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
    return requested


@INTERPRETED_ONLY
def test_off_a_mac_the_session_says_that_it_is_interpreted_and_why(tmp_path: Path) -> None:
    package, interface = exported(graphs.int8_graph("linear head"), tmp_path)
    runtime = CoreMLRuntime()
    assert runtime.unavailable() is None
    assert "Apple" in (runtime.native_check().not_run or "")
    session = runtime.load(package, interface, threads=1)
    assert session.arithmetic == "interpreter"
    session.close()
    with pytest.raises(MachineError, match="expected macOS"):
        AppleSession(package, interface, cpu_only=True)


@pytest.mark.skipif(sys.platform != "darwin", reason="Core ML itself runs on a Mac only")
def test_on_a_mac_apples_runtime_agrees_with_the_reference(tmp_path: Path) -> None:
    graph = graphs.int8_graph("mobile block")
    package, interface = exported(graph, tmp_path)
    session, pictures = CoreMLRuntime().load(package, interface, threads=1), graphs.pictures(graph, 16)
    assert session.arithmetic == "apple"
    np.testing.assert_array_equal(scores(session, pictures), reference_scores(graph, pictures))


@INTERPRETED_ONLY
def test_the_interpreter_and_apple_s_cpu_are_held_to_exactness(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graphs.int8_graph("linear head")
    assert CoreMLRuntime().requirement(graph).exact
    monkeypatch.setattr(sys, "platform", "darwin")
    assert CoreMLRuntime().requirement(graph).exact and CoreMLRuntime().processors == ("cpu",)
    assert not CoreMLRuntime().requirement(graphs.float_graph("linear head")).exact
