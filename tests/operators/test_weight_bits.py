"""Layers of 4-bit weights: every runtime computes them as the reference does, and two files hold two codes a byte."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.devices import EmulatedCore
from mobile_sdk.errors import CompileError
from mobile_sdk.graph.checks.limits import check_graph
from mobile_sdk.graph.layout.nibbles import unpacked
from mobile_sdk.graph.operators import Clamp, Graph, Tensor, Weighted, sum_limit
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.base import Structure
from mobile_sdk.runtimes.executorch.pte_file import read_pte
from mobile_sdk.runtimes.executorch.structure import delegate_contents
from mobile_sdk.runtimes.tflite.file_format import read_model
from tests.support.graph_builder import Builder, Wire
from tests.support.graphs import contract_for, int8_graph, pictures
from tests.support.operators.emulated_arm import FACTORS, PAIRS, convolution, differing, on_arm
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.random_cases import GRIDS, SEEDS, grid, picture, random_pictures, tensor, weights
from tests.support.operators.runtimes import CORE_ML, EXECUTORCH, EXTRAS, LITERT, RUNTIMES, assert_exact, int8

Recipe = Callable[[Builder], Wire]


def residual(build: Builder) -> Wire:
    wide = build.conv(build.input, 8, 3, activation="relu6")
    narrow = build.conv(build.conv(wide, 22, activation="relu6", bits=4), 8, bits=4)
    return build.add(wide, narrow)


def of_tokens(build: Builder) -> Wire:
    wide = build.conv(build.input, 6, 3, stride=4)
    return build.linear(build.rearrange(wide, (6, 16), (1, 0), (16, 6)), 7, bits=4)


RECIPES: Mapping[str, Recipe] = {
    "pointwise": lambda build: build.conv(build.conv(build.input, 6, 3, activation="relu6"), 5, bits=4),
    "one output": lambda build: build.conv(build.conv(build.conv(build.input, 10, 3), 1, bits=4), 3),
    "two inputs": lambda build: build.conv(build.conv(build.input, 2, 3), 33, activation="relu6", bits=4),
    "clamped": lambda build: build.conv(build.conv(build.input, 46, 3), 67, activation="clamped relu", bits=4),
    "residual": residual,
    "one pixel": lambda build: build.conv(build.mean(build.conv(build.input, 38, 3)), 9, bits=4),
    "linear": lambda build: build.linear(
        build.reshape(build.mean(build.conv(build.input, 130, 3, activation="relu6"))), 11, bits=4
    ),
    "rows": of_tokens,
    "both bits": lambda build: build.linear(
        build.reshape(build.mean(build.conv(build.conv(build.input, 12, 3), 14, activation="relu", bits=4)))
    ),
}


def with_eight_bits(graph: Graph) -> Graph:
    layers = (replace(each, weight_bits=8) if isinstance(each, Weighted) else each for each in graph.operators)
    return Graph(input=graph.input, operators=tuple(layers))


def four_bit_layers(graph: Graph) -> list[Weighted]:
    return [each for each in graph.operators if isinstance(each, Weighted) and each.weight_bits == 4]


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("name", RECIPES)
def test_every_runtime_computes_the_references_codes(name: str, runtime: Any, tmp_path: Path) -> None:
    structure = assert_exact(runtime, int8(RECIPES[name]), tmp_path)
    assert (structure.int8_weight_share, structure.float_convolutions) == (1.0, 0)


def test_the_reference_is_the_integer_model_and_that_of_eight_bits() -> None:
    graph, given = int8(residual), random_pictures(16, 16)
    assert_modelled(graph, given)
    np.testing.assert_array_equal(Reference(graph).run(given), Reference(with_eight_bits(graph)).run(given))


@settings(max_examples=25)
@given(
    grids=st.tuples(GRIDS, GRIDS),
    clamp=st.sampled_from(list(Clamp)),
    inputs=st.integers(1, 12).map(lambda half: 2 * half),
    outputs=st.integers(1, 20),
    seed=SEEDS,
)
def test_any_four_bit_layer_is_exact_in_litert_and_the_extras(tmp_path, grids, clamp, inputs, outputs, seed):
    source, wide = picture(5, 5), tensor((inputs, 5, 5), grids[0], "wide")
    first = convolution(source, wide, **_numbers((inputs, 3), source.quantization, grids[0], seed, most=127))
    layer = convolution(wide, tensor((outputs, 5, 5), grids[1]), **_numbers((outputs, inputs), *grids, seed, most=7))
    graph = Graph(input=source, operators=(first, replace(layer, clamp=clamp, weight_bits=4)))
    for runtime in (LITERT, *EXTRAS):
        assert_exact(runtime, graph, tmp_path, random_pictures(5, 5, seed))


def _numbers(shape: tuple[int, int], x: Any, y: Any, seed: int, *, most: int) -> dict[str, Any]:
    """Weights within ±`most`, whose scales are larger by as much as they are smaller than int8's."""
    numbers = weights(shape, x, y, seed)
    numbers["weight"] = np.rint(numbers["weight"].astype(np.float64) * most / 127).astype(np.int8)
    numbers["weight_scales"] = numbers["weight_scales"] * np.float32(127 / most)
    return numbers


@pytest.mark.parametrize("runtime", [LITERT, EXECUTORCH], ids=lambda runtime: runtime.name)
def test_litert_and_executorch_hold_two_codes_a_byte_and_nothing_else_grows(runtime: Any, tmp_path: Path) -> None:
    graph = int8_graph("four-bit weights")
    four, eight = (assert_exact(runtime, each, tmp_path) for each in (graph, with_eight_bits(graph)))
    layers = four_bit_layers(graph)
    saved = eight.bytes_by_part["weights"] - four.bytes_by_part["weights"]
    assert saved == sum(layer.weight.size for layer in layers) // 2
    assert sum(four.bytes_by_part.values()) < sum(eight.bytes_by_part.values())
    kind = {"tflite": "FULLY_CONNECTED", "executorch": "FullyConnected"}[runtime.name]
    assert four.operators[f"{kind}, int4 weights"] == len(layers)
    assert not any("int4" in name for name in eight.operators)


@pytest.mark.parametrize("runtime", [CORE_ML, *EXTRAS], ids=lambda runtime: runtime.name)
def test_other_runtimes_hold_the_codes_as_int8(runtime: Any, tmp_path: Path) -> None:
    def structure(graph: Graph) -> Structure:
        runtime.export(graph, contract_for(graph), tmp_path / runtime.model_file)
        found: Structure = runtime.structure(tmp_path / runtime.model_file)
        return found

    graph = int8_graph("four-bit weights")
    four, eight = structure(graph), structure(with_eight_bits(graph))
    assert four.operators == eight.operators
    assert four.bytes_by_part["weights"] == eight.bytes_by_part["weights"]


def test_a_tflite_holds_int4_rows_of_fully_connected_layers_that_keep_the_map(tmp_path: Path) -> None:
    graph = int8_graph("four-bit weights")
    assert_exact(LITERT, graph, tmp_path)
    model = read_model(tmp_path / LITERT.model_file)
    subgraph, int4 = model.subgraphs[0], 17
    written = {tensor.name.decode(): tensor for tensor in subgraph.tensors}
    for layer in four_bit_layers(graph):
        weight, bias = (written[f"{layer.output.name}.{role}"] for role in ("weight", "bias"))
        assert (weight.type, list(weight.shape)) == (int4, list(layer.weight.shape[:2]))
        codes = unpacked(model.buffers[weight.buffer].data, layer.weight.size)
        np.testing.assert_array_equal(codes, layer.weight.ravel())
        np.testing.assert_array_equal(weight.quantization.scale, layer.weight_scales)
        np.testing.assert_array_equal(model.buffers[bias.buffer].data.view(np.int32), layer.bias)
        (writer,) = [
            each for each in subgraph.operators if weight is subgraph.tensors[each.inputs[min(1, len(each.inputs) - 1)]]
        ]
        code = model.operatorCodes[writer.opcodeIndex]
        assert (code.builtinCode, code.version) == (9, 10)
        assert writer.builtinOptions.keepNumDims == (len(layer.output.shape) > 1)
        assert bool(writer.builtinOptions.fusedActivationFunction) == (layer.clamp is not Clamp.NONE)


def test_a_pte_holds_qcint4_as_numbers_around_8(tmp_path: Path) -> None:
    graph = int8_graph("four-bit weights")
    assert_exact(EXECUTORCH, graph, tmp_path)
    (content,) = delegate_contents(read_pte(tmp_path / EXECUTORCH.model_file))
    nodes = {node.operator: node for node in content.nodes}
    for index, layer in enumerate(graph.operators):
        if not isinstance(layer, Weighted) or layer.weight_bits == 8:
            continue
        weight, bias = (content.values[nodes[index].fields[role]] for role in ("filter_id", "bias_id"))
        assert (nodes[index].kind, weight.datatype, weight.channel) == ("XNNFullyConnected", "xnn_datatype_qcint4", 0)
        assert weight.dims == layer.weight.shape[:2] and weight.data is not None and bias.data is not None
        codes = unpacked(np.frombuffer(weight.data, np.uint8), layer.weight.size, zero_point=8)
        np.testing.assert_array_equal(codes, layer.weight.ravel())
        np.testing.assert_array_equal(weight.scales, layer.weight_scales)
        np.testing.assert_array_equal(np.frombuffer(bias.data, np.int32), layer.bias)


# -- sums: Arm's kernels hold them times 16


def at_its_limit(beyond: int) -> Graph:
    """A layer whose largest sum is `beyond` the limit; its other channel's least sum is as far out."""
    x = Tensor(name="x", shape=(64, 16, 16), quantization=grid(1 / 128, -128))
    y = Tensor(name="y", shape=(2, 16, 16), quantization=grid(1.0))
    bias = sum_limit(4) + beyond - 255 * 7 * 64
    rows = np.stack([np.full(64, 7, np.int8), np.full(64, -7, np.int8)])
    layer = convolution(x, y, rows, np.full(2, 128 * 100 / sum_limit(4)), np.array([bias, -bias]))
    return Graph(input=x, operators=(replace(layer, weight_bits=4),))


def test_a_sum_that_arm_does_not_hold_times_16_is_refused() -> None:
    check_graph(at_its_limit(0))
    check_graph(with_eight_bits(at_its_limit(1)))
    with pytest.raises(
        CompileError, match=r"sums that 28 bits hold beside 4-bit weights at y, found .* to 134,217,728"
    ):
        check_graph(at_its_limit(1))


@pytest.mark.slow
@pytest.mark.parametrize("runtime", [LITERT, EXECUTORCH], ids=lambda runtime: runtime.name)
def test_an_arm_core_holds_the_largest_sum_and_wraps_beyond(
    runtime: Any, cortex_a76: EmulatedCore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = np.repeat(np.array([[0], [255]], np.uint8), 16 * 16 * 64, 1).reshape(2, 16, 16, 64)
    graph, wrong = at_its_limit(0), at_its_limit(64)
    np.testing.assert_array_equal(on_arm(runtime, graph, given, cortex_a76, tmp_path), Reference(graph).run(given))
    for module in (f"runtimes.{runtime.name}.requested", "graph.reference"):
        monkeypatch.setattr(f"mobile_sdk.{module}.check_graph", lambda graph: None)
    found = on_arm(runtime, wrong, given, cortex_a76, tmp_path)
    assert (found != Reference(wrong).run(given)).any(), "the sum no longer wraps: the limit can go"


@pytest.mark.slow
def test_every_arm_core_computes_a_net_and_all_sums_under_many_factors(arm_core: EmulatedCore, tmp_path: Path) -> None:
    graph = int8_graph("four-bit weights")
    assert differing(graph, pictures(graph, 8), arm_core, tmp_path) == {}
    count = len(FACTORS)
    x = Tensor(name="x", shape=(2, *PAIRS.shape[1:3]), quantization=grid(0.0173, -19))
    y = Tensor(name="y", shape=(count, *PAIRS.shape[1:3]), quantization=grid(0.0173, 21))
    rows = np.stack([np.arange(count) % 7 + 1, 7 - np.arange(count) % 15], 1).astype(np.int8)
    layer = convolution(x, y, rows, FACTORS / 4, np.arange(count) % 9 - 4)
    all_pairs = Graph(input=x, operators=(replace(layer, weight_bits=4),))
    assert differing(all_pairs, PAIRS, arm_core, tmp_path) == {}
