"""The form for the Neural Engine: float16 and int8 in Apple's patterns, as near to the float net as the reference."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.errors import CompileError, SettingError
from mobile_sdk.graph.operators import Conv2d, Graph
from mobile_sdk.preprocess import to_bytes
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.runtimes.coreml import CoreMLRuntime
from mobile_sdk.runtimes.coreml.interpreter.half_arithmetic import ARITHMETICS, half
from mobile_sdk.runtimes.coreml.package.program_file import MilOperation, read_program
from mobile_sdk.runtimes.coreml.program_writer import build_program
from mobile_sdk.runtimes.coreml.readback import differences
from mobile_sdk.runtimes.coreml.toolbox import coremltools_quietly
from mobile_sdk.verification.scores.float_distance import float_distance
from mobile_sdk.verification.verdict import Verdict
from mobile_sdk.verification.verification import verify
from tests.support import bundles, graphs
from tests.support.operators.one_operator import graph_of

ENGINE = CoreMLRuntime({"compute": "neural-engine"})
ENDS = {"cast", "transpose", "identity"}  # what brings float16 values out of the file


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mobile block's package."""
    package = tmp_path_factory.mktemp("engine") / ENGINE.model_file
    program = bundles.program()
    ENGINE.export(program.graph, program.contract, package)
    return package


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("engine")
    choices = {"compute": "neural-engine"}
    return lower(bundles.program(), out, runtimes="coreml", pictures=bundles.pictures(), choices=choices)[0]


def verdict_of(bundle: Bundle, **options: Any) -> Verdict:
    return verify(bundle, bundles.program(), bundles.pictures(), progress=False, **options)


# What is in the file


def test_every_layer_stands_in_the_pattern_that_the_engine_computes_in_int8(written: Path) -> None:
    operations = {each.output: each for each in read_program(written).operations}
    readers: dict[str, list[MilOperation]] = {}
    for each in operations.values():
        for name in (name for names in each.arguments.values() for name in names):
            readers.setdefault(name, []).append(each)
    layers = [each for each in operations.values() if each.kind in ("conv", "linear", "add", "max_pool")]
    assert len(layers) > 20
    for layer in layers:
        for name in layer.arguments["x"] + layer.arguments.get("y", ()):
            assert operations[name].kind == "dequantize", layer.output
        follows = readers[layer.output]
        if follows[0].kind in ("relu", "relu6"):
            follows = readers[follows[0].output]
        assert {each.kind for each in follows} in ({"quantize"}, {"reshape"}, ENDS & {each.kind for each in follows})
        if layer.kind in ("conv", "linear"):
            weight = operations[layer.arguments["weight"][0]]
            assert weight.kind == "constexpr_affine_dequantize"
            assert np.asarray(weight.values["quantized_data"]).dtype == np.int8
            assert np.asarray(weight.values["scale"]).shape == np.asarray(layer.values["bias"]).shape


def test_all_real_values_are_float16_but_for_the_ends(written: Path) -> None:
    operations = read_program(written).operations
    assert Counter(each.dtype for each in operations if each.kind != "const") == {
        "float16": sum(each.dtype == "float16" for each in operations if each.kind != "const"),
        "int8": sum(each.kind == "quantize" for each in operations),
        "float32": 1,
    }
    assert {each.values["scale"].dtype.name for each in operations if each.kind == "quantize"} == {"float16"}


def test_an_output_is_not_quantized_as_in_apple_s_own_models(written: Path) -> None:
    *_, before, last = read_program(written).operations
    assert last.kind in ENDS and before.kind != "dequantize"


def test_the_file_is_small_and_its_weights_are_int8(written: Path, tmp_path: Path) -> None:
    program, exact = bundles.program(), CoreMLRuntime()
    exact.export(program.graph, program.contract, tmp_path / "exact.mlpackage")
    found, other = ENGINE.structure(written), exact.structure(tmp_path / "exact.mlpackage")
    assert found.int8_weight_share == other.int8_weight_share == 1
    assert found.float_convolutions == 0
    assert sum(found.operators.values()) < sum(other.operators.values())


@pytest.mark.parametrize("name", ["grouped and shuffled", "atrous pyramid", "concat pool"])
def test_nothing_may_differ_from_what_was_requested(name: str, tmp_path: Path) -> None:
    graph = graphs.int8_graph(name)
    ENGINE.export(graph, graphs.contract_for(graph), tmp_path / ENGINE.model_file)
    read = read_program(tmp_path / ENGINE.model_file)
    with coremltools_quietly() as tools:
        asked = build_program(tools, graph, "iOS17", in_float16=True)[1]
    assert list(differences(asked, read)) == []
    for index, operation in enumerate(read.operations):
        for key, value in operation.values.items():
            if operation.kind == "const" or isinstance(value, str) or not np.size(value):
                continue
            other = np.asarray(value) + np.asarray(value).dtype.type(1)
            wrong = replace(operation, values={**operation.values, key: other})
            others = (*read.operations[:index], wrong, *read.operations[index + 1 :])
            assert list(differences(asked, replace(read, operations=others))), f"{key} of {operation.output}"


def test_a_scale_that_float16_loses_is_refused_with_the_module_s_path(tmp_path: Path) -> None:
    graph = graph_of("convolution", 1.0, scale=1e-6)
    with pytest.raises(CompileError, match=r"expected a scale of 6\.1e-05 to .* at a, as float16 holds it") as caught:
        ENGINE.export(graph, graphs.contract_for(graph), tmp_path / ENGINE.model_file)
    assert "compute" in caught.value.hint


# How it is computed


def test_every_arithmetic_is_as_near_to_the_float_net_as_the_reference(written: Path) -> None:
    program, twin = bundles.program(), bundles.program(int8=False)
    pixels = np.stack([to_bytes(picture, program.contract.input) for picture, _ in bundles.pictures()])
    reference, wanted = expected_scores(program, pixels), expected_scores(twin, pixels)
    found = {}
    for way in ENGINE.arithmetics(program.graph):
        session = way.load(written, way.interface(program.graph), threads=1)
        assert way.arithmetic is not None
        found[way.arithmetic] = np.stack([session.run(each) for each in pixels])
        assert float_distance(found[way.arithmetic], reference, wanted, program).loss_db < 1, way.arithmetic
    assert list(found) == list(ARITHMETICS)
    assert len({each.tobytes() for each in found.values()}) == len(ARITHMETICS), "two arithmetics are one"


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_a_float32_net_becomes_a_float16_one(name: str, tmp_path: Path) -> None:
    graph = graphs.float_graph(name)
    ENGINE.export(graph, graphs.contract_for(graph), tmp_path / ENGINE.model_file)
    assert ENGINE.requirement(graph).min_sqnr_db == 40
    structure = ENGINE.structure(tmp_path / ENGINE.model_file)
    assert structure.operators["quantize"] == 1  # the picture's codes


def test_sums_of_channels_are_rounded_to_float16_after_every_group() -> None:
    import torch

    from mobile_sdk.runtimes.coreml.interpreter.half_arithmetic import HalfArithmetic, summed

    values = torch.full((4096,), 1.0)
    parts = HalfArithmetic(name="of one", channels_a_sum=1)
    assert summed(lambda part: values[part].sum(), 4096, None, parts) == 2048  # 2048 + 1 is no float16
    assert summed(lambda part: values[part].sum(), 4096, None, HalfArithmetic(name="of all")) == 4096
    assert half(torch.tensor(2049.0)) == 2048


# As a bundle


def test_a_bundle_remembers_its_form_and_passes_beside_its_twin(bundle: Bundle) -> None:
    assert bundle.path.name == "test-neural-engine.coreml"
    assert bundle.manifest.form == {"compute": "neural-engine"}
    assert bundle.manifest.processors == ("cpu", "gpu", "npu")
    verdict = verdict_of(bundle, twin=bundles.program(int8=False))
    outcomes = {check.name: check.outcome for check in verdict.checks}
    assert verdict.status == "pass"
    assert outcomes["distance from float"] == outcomes["golden"] == outcomes["model file"] == "pass"
    assert outcomes["apple's own runtime"] == "not_run"
    (distance,) = (check for check in verdict.checks if check.name == "distance from float")
    assert re.search(r"the worst of 4 arithmetics, the best is [\d.]+ dB", distance.reason)


def test_every_arithmetic_is_within_the_golden_tolerance_which_is_no_more_than_some_steps(bundle: Bundle) -> None:
    program, grid = bundles.program(), bundles.program().graph.output.quantization
    assert grid is not None
    expected, tolerance = bundle.golden_outputs(), bundle.manifest.golden.tolerance
    for way in ENGINE.arithmetics(program.graph):
        session = way.load(bundle.model_path, bundle.interface, threads=1)
        found = np.stack([session.run(each) for each in bundle.golden_pictures()])
        assert np.abs(found - expected).max() <= tolerance, way.arithmetic
    assert tolerance < 16 * grid.scale
    assert tolerance <= 0.25 * np.abs(expected).max()


def test_without_its_twin_a_bundle_of_the_form_is_not_green(bundle: Bundle) -> None:
    assert verdict_of(bundle).status == "not_run"


def test_an_exact_bundle_computes_on_the_cpu_alone_and_is_held_to_its_codes(tmp_path: Path) -> None:
    exact = bundles.lowered(tmp_path, "coreml")
    assert exact.manifest.processors == ("cpu",)
    scale = bundles.program().graph.output.quantization
    assert scale is not None and exact.manifest.golden.tolerance <= scale.scale / 4


def test_weights_that_are_another_net_s_fail_though_every_hash_is_right(bundle: Bundle, tmp_path: Path) -> None:
    other = replace(bundles.program(), graph=scrambled(bundles.program().graph))
    choices = {"compute": "neural-engine"}
    forged = lower(other, tmp_path, runtimes="coreml", pictures=bundles.pictures(), choices=choices)[0]
    verdict = verdict_of(open_bundle(forged.path), twin=bundles.program(int8=False))
    assert {"distance from float", "model file"} <= {check.name for check in verdict.checks if check.outcome == "fail"}


def scrambled(graph: Graph) -> Graph:
    """The graph with the channels of one layer in another order."""
    index, layer = next((at, each) for at, each in enumerate(graph.operators) if isinstance(each, Conv2d))
    changed = replace(layer, weight=np.ascontiguousarray(layer.weight[::-1]))
    return replace(graph, operators=(*graph.operators[:index], changed, *graph.operators[index + 1 :]))


def test_the_choice_is_told_by_its_values() -> None:
    with pytest.raises(SettingError, match="exact or neural-engine"):
        runtimes.get("coreml", {"compute": "fast"})
