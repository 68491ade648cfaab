"""The .onnx that is written, read back from its bytes and run by ONNX Runtime, against the reference."""

import dataclasses
import importlib.util
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from mobile_sdk.errors import BundleError, CompileError, MachineError
from mobile_sdk.graph.operators import Add, Conv2d, Graph, Linear, Mean, Mul, Tensor
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.base import PICTURE
from mobile_sdk.runtimes.onnx import OnnxRuntime, session
from tests.support.graphs import GRAPHS, contract_for, int8_graph, pictures
from tests.support.operators.made_up_operator import softmax
from tests.support.operators.one_operator import graph_of, tensor

RUNTIME = OnnxRuntime()
KERNELS = {
    Conv2d: "QLinearConv",
    Linear: "QGemm",
    Add: "QLinearAdd",
    Mul: "QLinearMul",
    Mean: "QLinearGlobalAveragePool",
}


def written(graph: Graph, folder: Path) -> tuple[Path, Any]:
    path = folder / "model.onnx"
    return path, RUNTIME.export(graph, contract_for(graph), path)


def scores(graph: Graph, folder: Path, images: np.ndarray[Any, Any], threads: int = 1) -> np.ndarray[Any, Any]:
    path, interface = written(graph, folder)
    opened = RUNTIME.load(path, interface, threads=threads)
    found = np.stack([opened.run(image) for image in images])
    opened.close()
    return found


@pytest.mark.parametrize("name", GRAPHS)
def test_integer_kernels_execute_every_product_and_nearly_all_else(name: str, tmp_path: Path) -> None:
    graph = int8_graph(name)
    path, _ = written(graph, tmp_path)
    structure, kinds = RUNTIME.structure(path), Counter(type(operator) for operator in graph.operators)
    for kind in (Conv2d, Linear):
        assert structure.operators.get(KERNELS[kind], 0) == kinds[kind]
    assert not {"Conv", "Gemm", "FusedConv"} & set(structure.operators)
    fused = sum(structure.operators.get(KERNELS[kind], 0) for kind in (Add, Mul, Mean))
    assert fused >= 0.8 * (kinds[Add] + kinds[Mul] + kinds[Mean])
    assert (structure.int8_weight_share, structure.float_convolutions) == (1.0, 0)
    assert sum(structure.bytes_by_part.values()) == path.stat().st_size


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_no_score(threads: int, tmp_path: Path) -> None:
    graph = int8_graph("mobile block")
    images = pictures(graph, 4)
    np.testing.assert_array_equal(scores(graph, tmp_path, images, threads), Reference(graph).run(images))


@pytest.mark.parametrize("entry", [None, session.EXACT_PRODUCTS, "session.qdqisint8allowed"])
def test_sessions_of_an_app_s_own_options_give_the_same_scores(entry: str | None, tmp_path: Path) -> None:
    graph = int8_graph("mobile block")
    path, _ = written(graph, tmp_path)
    options = onnxruntime.SessionOptions()
    needed = {session.EXACT_PRODUCTS} if session.products_saturate() else set()
    for each in needed | ({entry} if entry else set()):
        options.add_session_config_entry(each, "1")
    opened, images = onnxruntime.InferenceSession(str(path), options), pictures(graph, 8)
    found = np.concatenate([opened.run(None, {PICTURE: image[np.newaxis]})[0] for image in images])
    np.testing.assert_array_equal(found, Reference(graph).run(images))


def test_a_processor_whose_products_saturate_gets_the_exact_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "products_saturate", lambda: True)
    assert session.options(threads=1).get_session_config_entry(session.EXACT_PRODUCTS) == "1"
    graph = int8_graph("concat pool")
    images = pictures(graph, 4)
    np.testing.assert_array_equal(scores(graph, tmp_path, images), Reference(graph).run(images))


@pytest.mark.parametrize("kind", ["sum", "product", "mean"])
@pytest.mark.parametrize("ratio", [0.25, 0.5, 1.0, 0.7])
def test_what_no_kernel_computes_exactly_is_spelled_in_whole_numbers(kind: str, ratio: float, tmp_path: Path) -> None:
    """Ratios of two are ties for many pairs of codes, which kernels round otherwise than the reference."""
    graph = graph_of(kind, ratio)
    images = pictures(graph, 8)
    np.testing.assert_array_equal(scores(graph, tmp_path, images), Reference(graph).run(images))


def test_a_mean_of_more_codes_than_float32_holds_is_exact(tmp_path: Path) -> None:
    source = tensor("x", (2, 300, 300), 1 / 128)
    mean = Mean(input=source, output=tensor("y", (2,), 1 / 300), path="net.mean")
    graph = Graph(input=source, operators=(mean,))
    images = np.random.default_rng(0).integers(0, 256, (6, 300, 300, 2)) // np.arange(1, 7).reshape(-1, 1, 1, 1)
    given = images.astype(np.uint8)
    np.testing.assert_array_equal(scores(graph, tmp_path, given), Reference(graph).run(given))


def test_one_graph_gives_one_file(tmp_path: Path) -> None:
    graph = int8_graph("mobile block")
    first, _ = written(graph, tmp_path)
    data = first.read_bytes()
    assert written(graph, tmp_path)[0].read_bytes() == data


def test_an_operator_that_nobody_knows_is_refused_by_name_and_place(tmp_path: Path) -> None:
    graph = int8_graph("linear head")
    with pytest.raises(CompileError, match=r"an operator that ONNX, in int8, has, found Softmax at net\.softmax"):
        written(Graph(input=graph.input, operators=(*graph.operators, softmax(graph.output))), tmp_path)


def test_a_tensor_that_is_called_as_the_input_is_refused(tmp_path: Path) -> None:
    graph = int8_graph("linear head")
    output = Tensor(name=PICTURE, shape=graph.output.shape, quantization=graph.output.quantization)
    last = dataclasses.replace(graph.operators[-1], output=output)
    with pytest.raises(CompileError, match=f"two of {PICTURE}"):
        written(Graph(input=graph.input, operators=(*graph.operators[:-1], last)), tmp_path)


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_its_packages_one_line_names_the_extra(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, interface = written(int8_graph("linear head"), tmp_path)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    assert RUNTIME.unavailable() == f"the package {missing} is not installed"
    assert RUNTIME.not_timed(on_host=True) == RUNTIME.unavailable()
    calls = (
        lambda: written(int8_graph("linear head"), tmp_path),
        lambda: RUNTIME.load(path, interface, threads=1),
        lambda: RUNTIME.structure(path),
        lambda: RUNTIME.differences(path, path, int8_graph("linear head")),
    )
    for call in calls:
        with pytest.raises(MachineError, match=f"expected the package {missing} for ONNX bundles, found none") as error:
            call()
        assert error.value.hint == "pip install '.[onnx]'"


@pytest.mark.parametrize("damage", ["nothing", "text", "half", "another model"])
def test_a_file_that_is_no_such_model_is_refused_in_one_line(damage: str, tmp_path: Path) -> None:
    path, interface = written(int8_graph("linear head"), tmp_path)
    data = path.read_bytes()
    if damage == "another model":
        data = written(int8_graph("conv chain"), tmp_path)[0].read_bytes()
        interface = interface.model_copy(update={"input": interface.input.model_copy(update={"shape": (1, 8, 8, 3)})})
    path.write_bytes({"nothing": b"", "text": b"not a model", "half": data[: len(data) // 2]}.get(damage, data))
    with pytest.raises(BundleError, match=r"model\.onnx") as error:
        RUNTIME.load(path, interface, threads=1)
    assert "\n" not in str(error.value)
    if damage != "another model":
        with pytest.raises(BundleError, match=r"model\.onnx"):
            RUNTIME.structure(path)
