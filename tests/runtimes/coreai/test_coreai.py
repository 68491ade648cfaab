"""The .aimodel that is written, read back and run by Apple's runtime, against the reference."""

import hashlib
import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk.errors import BundleError, CompileError, MachineError
from mobile_sdk.graph.operators import Conv2d, Graph, Head, Mean, Weighted
from mobile_sdk.graph.reference import Reference
from mobile_sdk.graph.settled_factors import divisors_of
from mobile_sdk.runtimes.base import PICTURE
from mobile_sdk.runtimes.coreai import CoreAIRuntime, export
from mobile_sdk.runtimes.coreai.asset.contents import CODE, DIGEST, METADATA
from mobile_sdk.runtimes.coreai.requested import request
from mobile_sdk.verification.verification import verify
from tests.support import bundles
from tests.support.graphs import contract_for, int8_graph, pictures
from tests.support.operators.made_up_operator import softmax
from tests.support.operators.one_operator import graph_of, tensor
from tests.support.repository import ROOT

RUNTIME = CoreAIRuntime()
pytestmark = pytest.mark.skipif(RUNTIME.unavailable() is not None, reason="Core AI has no package for this system")


def written(graph: Graph, folder: Path) -> tuple[Path, Any]:
    path = folder / RUNTIME.model_file
    return path, RUNTIME.export(graph, contract_for(graph), path)


def scores(graph: Graph, folder: Path, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    path, interface = written(graph, folder)
    opened = RUNTIME.load(path, interface, threads=1)
    found = np.stack([opened.run(image) for image in images])
    opened.close()
    return found


def sealed(path: Path, code: bytes) -> None:
    """Puts other bytecode into the folder, and its digest."""
    (path / CODE).write_bytes(code)
    (path / DIGEST).write_bytes(hashlib.sha256(code).digest())


def unsettled_convolution() -> Graph:
    """A layer whose sums are divided by no number as they are multiplied by theirs."""
    graph = int8_graph("conv chain")
    first = next(each for each in graph.operators if isinstance(each, Conv2d))
    assert first.weight_scales is not None
    scales = first.weight_scales.copy()
    while not np.isnan(divisors_of(replace(first, weight_scales=scales))).any():
        scales = np.nextafter(scales, np.float32(1))
    moved = replace(first, weight_scales=scales)
    return replace(graph, operators=tuple(moved if each is first else each for each in graph.operators))


def test_weights_stay_int8_in_the_file(tmp_path: Path) -> None:
    graph = int8_graph("mobile block")
    path, _ = written(graph, tmp_path)
    structure = RUNTIME.structure(path)
    layers = [each for each in graph.operators if hasattr(each, "weight")]
    assert (structure.int8_weight_share, structure.float_convolutions, structure.partitions) == (1.0, 0, 1)
    assert structure.bytes_by_part["weights"] == sum(each.weight.nbytes for each in layers)
    for layer in layers:
        if layer.weight.nbytes >= 256 and not hasattr(layer, "groups"):
            assert layer.weight.T.tobytes() in (path / CODE).read_bytes()


@pytest.mark.parametrize("kind", ["sum", "product", "mean"])
@pytest.mark.parametrize("ratio", [0.25, 0.7])
def test_what_is_not_settled_is_spelled_in_whole_numbers(kind: str, ratio: float, tmp_path: Path) -> None:
    graph = graph_of(kind, ratio)
    images = pictures(graph, 8)
    np.testing.assert_array_equal(scores(graph, tmp_path, images), Reference(graph).run(images))


@pytest.mark.parametrize("name", ["mobile block", "concat pool", "unsettled"])
def test_apple_s_rewriting_of_the_program_changes_no_code(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It folds factors and addends; a device's compiler may run it, too."""
    graph = unsettled_convolution() if name == "unsettled" else int8_graph(name)
    monkeypatch.setattr(export, "_opened", lambda module: module)  # leaving it rewrites the program
    images = pictures(graph, 8)
    np.testing.assert_array_equal(scores(graph, tmp_path, images), Reference(graph).run(images))


def test_a_factor_that_no_divisor_replaces_stands_behind_a_rounding(tmp_path: Path) -> None:
    graph = unsettled_convolution()
    kinds = [each.kind for each in request(graph).operations]
    assert kinds[kinds.index("round") : kinds.index("round") + 3] == ["round", "broadcasting_mul", "quantize"]
    layers = [each for each in graph.operators if isinstance(each, Weighted)]
    assert kinds.count("round") == sum(np.isnan(divisors_of(each)).any() for each in layers)
    images = pictures(graph, 8)
    np.testing.assert_array_equal(scores(graph, tmp_path, images), Reference(graph).run(images))


def test_a_mean_of_more_codes_than_float32_holds_is_exact(tmp_path: Path) -> None:
    source = tensor("x", (2, 300, 300), 1 / 128)
    mean = Mean(input=source, output=tensor("y", (2,), 1 / 300), path="net.mean")
    graph = Graph(input=source, operators=(mean,))
    images = np.random.default_rng(0).integers(0, 256, (3, 300, 300, 2)) // np.arange(1, 4).reshape(-1, 1, 1, 1)
    given = images.astype(np.uint8)
    np.testing.assert_array_equal(scores(graph, tmp_path, given), Reference(graph).run(given))


def test_one_graph_gives_one_folder_in_any_process(tmp_path: Path) -> None:
    path, _ = written(int8_graph("mobile block"), tmp_path)
    there = tmp_path / "there" / path.name
    write = (
        "import sys, pathlib; from tests.runtimes.coreai.test_coreai import int8_graph, written; "
        "written(int8_graph('mobile block'), pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", write, str(there.parent)], check=True, capture_output=True, cwd=ROOT)
    for file in (CODE, DIGEST, METADATA):
        assert (there / file).read_bytes() == (path / file).read_bytes()


def test_the_file_names_the_modules_that_its_operations_come_from(tmp_path: Path) -> None:
    graph = int8_graph("conv chain")
    path, _ = written(graph, tmp_path)
    code = (path / CODE).read_bytes()
    assert all(each.path.encode() in code for each in graph.operators if each.path)


def test_what_a_graph_computes_twice_is_written_once() -> None:
    graph = int8_graph("conv chain")
    *others, last = graph.operators
    again = replace(last, output=replace(last.output, name="again"))
    twice = replace(graph, operators=(*others, last, again))
    assert len(request(twice).operations) == len(request(graph).operations)


def test_an_operator_that_nobody_knows_is_refused_by_name_and_place(tmp_path: Path) -> None:
    graph = int8_graph("linear head")
    with pytest.raises(CompileError, match=r"an operator that Core AI, in int8, has, found Softmax at net\.softmax"):
        written(Graph(input=graph.input, operators=(*graph.operators, softmax(graph.output))), tmp_path)


def test_an_output_that_is_called_as_the_input_is_refused() -> None:
    graph = int8_graph("linear head")
    heads = (Head(name=PICTURE, tensor=graph.output),)
    with pytest.raises(CompileError, match=f"two of {PICTURE}"):
        request(replace(graph, heads=heads))


def test_without_its_package_one_line_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = int8_graph("linear head")
    path, interface = written(graph, tmp_path)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "coreai" else find(name))
    assert RUNTIME.unavailable() == "the package coreai-core is not installed"
    assert RUNTIME.finding().status == "missing"
    for call in (
        lambda: written(graph, tmp_path),
        lambda: RUNTIME.load(path, interface, threads=1),
        lambda: RUNTIME.structure(path),
        lambda: RUNTIME.differences(path, path, graph),
    ):
        with pytest.raises(MachineError, match="expected the package coreai-core for Core AI bundles") as error:
            call()
        assert error.value.hint == "pip install '.[coreai]'"


def test_one_weight_that_differs_is_named_by_its_layer(tmp_path: Path) -> None:
    graph = int8_graph("mobile block")
    path, _ = written(graph, tmp_path)
    fresh, _ = written(graph, tmp_path / "fresh")
    layer = max((each for each in graph.operators if isinstance(each, Conv2d)), key=lambda each: each.weight.nbytes)
    code = bytearray((path / CODE).read_bytes())
    place = code.index(layer.weight.tobytes())
    code[place + 5] ^= 1
    sealed(path, bytes(code))
    (found,) = RUNTIME.differences(path, fresh, graph)
    assert f"at {layer.path} " in found


@pytest.mark.parametrize("damage", ["half", "digest", "another file", "no metadata", "not an object"])
def test_a_damaged_folder_is_refused_in_one_line(damage: str, tmp_path: Path) -> None:
    graph = int8_graph("linear head")
    path, interface = written(graph, tmp_path)
    fresh, _ = written(graph, tmp_path / "fresh")
    code = (path / CODE).read_bytes()
    match damage:
        case "half":
            sealed(path, code[: len(code) // 2])  # ends the process that reads it
        case "digest":
            (path / CODE).write_bytes(code + b" ")
        case "another file":
            (path / "more").write_text("")
        case "no metadata":
            (path / METADATA).unlink()
        case _:
            (path / METADATA).write_text("[]")
    with pytest.raises(BundleError, match=r"model\.aimodel") as error:
        RUNTIME.differences(path, fresh, graph)
    assert "\n" not in str(error.value)
    if damage != "half":
        with pytest.raises(BundleError, match=r"model\.aimodel"):
            RUNTIME.load(path, interface, threads=1)


def test_the_folder_states_the_licence_that_the_contract_has(tmp_path: Path) -> None:
    graph = int8_graph("linear head")
    path, _ = written(graph, tmp_path)
    assert "license" not in json.loads((path / METADATA).read_text())
    RUNTIME.export(graph, contract_for(graph).model_copy(update={"licence": "Apache-2.0"}), path)
    assert json.loads((path / METADATA).read_text())["license"] == "Apache-2.0"


def test_metadata_that_differs_is_named_and_another_version_is_not(tmp_path: Path) -> None:
    graph = int8_graph("linear head")
    path, _ = written(graph, tmp_path)
    fresh, _ = written(graph, tmp_path / "fresh")
    stated = json.loads((path / METADATA).read_text())
    (path / METADATA).write_text(json.dumps(stated | {"producer": "coreai-core 1.0.0"}))
    assert RUNTIME.differences(path, fresh, graph) == []
    (path / METADATA).write_text(json.dumps(stated | {"author": "somebody"}))
    (found,) = RUNTIME.differences(path, fresh, graph)
    assert "the metadata" in found


def test_bytes_that_end_apple_s_reader_fail_a_check_and_nothing_else(tmp_path: Path) -> None:
    bundle = bundles.lowered(tmp_path, "coreai")
    code = (bundle.model_path / CODE).read_bytes()[:-2000]
    files = {f"model.aimodel/{CODE}": code, f"model.aimodel/{DIGEST}": hashlib.sha256(code).digest()}
    bundles.forge(bundle.path, bundles.nothing, **files)
    verdict = verify(bundle, bundles.program(), bundles.pictures())
    assert verdict.status == "fail"
    assert next(check for check in verdict.checks if check.name == "structure").outcome == "fail"


def test_an_interface_that_the_model_does_not_have_is_refused(tmp_path: Path) -> None:
    path, interface = written(int8_graph("conv chain"), tmp_path)
    other = interface.model_copy(update={"input": interface.input.model_copy(update={"shape": (1, 8, 8, 3)})})
    with pytest.raises(BundleError, match="expected the tensors"):
        RUNTIME.load(path, other, threads=1)
