"""ExecuTorch: the file says what the graph says, and computes what the reference computes, in every element."""

import copy
import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.against.stock_lowering import lower_by_stock
from mobile_sdk.errors import BundleError, CompileError
from mobile_sdk.graph.operators import (
    AvgPool2d,
    Clamp,
    Conv2d,
    Graph,
    Linear,
    Operator,
    Quantization,
)
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.aten.writer import to_exported
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.executorch.delegate_blob import decode_blob, encode_blob
from mobile_sdk.runtimes.executorch.export import write_model
from mobile_sdk.runtimes.executorch.pte_file import parse_pte, sealed
from mobile_sdk.runtimes.executorch.readback import differences
from mobile_sdk.runtimes.executorch.requested import request
from mobile_sdk.runtimes.executorch.structure import delegate_contents
from tests.support.graphs import GRAPHS, contract_for, float_graph, int8_graph, pictures
from tests.support.operators.made_up_operator import softmax

RUNTIME = ExecuTorchRuntime()


def scores(graph: Graph, images: np.ndarray[Any, Any], folder: Path, threads: int = 1) -> np.ndarray[Any, Any]:
    """Returns ExecuTorch's scores from the written file."""
    path = folder / "model.pte"
    interface = RUNTIME.export(graph, contract_for(graph), path)
    session = RUNTIME.load(path, interface, threads=threads)
    found = np.stack([session.run(image) for image in images])
    session.close()
    return found


def assert_zero_steps_apart(graph: Graph, folder: Path, count: int = 8, threads: int = 1) -> None:
    images = pictures(graph, count)
    expected = Reference(graph).run(images)
    assert len(np.unique(expected)) > 3, "the codes say nothing"
    np.testing.assert_array_equal(scores(graph, images, folder, threads), expected)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_output_element_is_the_references(name, threads, tmp_path):
    assert_zero_steps_apart(int8_graph(name), tmp_path, count=20, threads=threads)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_float_twin_computes_what_torch_computes(name, tmp_path):
    graph = float_graph(name)
    images = pictures(graph, 4)
    module = to_exported(graph).module()
    codes = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(torch.int16).sub(128).to(torch.int8)
    expected = np.concatenate([module(code[None]).numpy() for code in codes])
    np.testing.assert_allclose(scores(graph, images, tmp_path), expected, rtol=2e-4, atol=2e-4)


def test_the_net_is_one_delegate_call_and_nothing_else(tmp_path):
    graph = int8_graph("mobile block")
    RUNTIME.export(graph, contract_for(graph), tmp_path / "model.pte")
    found = RUNTIME.structure(tmp_path / "model.pte")
    assert found.partitions == 1 and found.not_delegated == ()
    assert found.int8_weight_share == 1.0 and found.float_convolutions == 0
    assert sum(found.operators.values()) == len(graph.operators)  # no transpose, no convert
    assert found.operators["DepthwiseConv2d"] == 2 and "StaticTranspose" not in found.operators
    assert sum(found.bytes_by_part.values()) == (tmp_path / "model.pte").stat().st_size
    weighted = [step for step in graph.operators if isinstance(step, Conv2d | Linear)]
    assert found.bytes_by_part["weights"] == sum(step.weight.nbytes for step in weighted)
    assert found.bytes_by_part["biases"] == sum(step.bias.nbytes for step in weighted)


def test_constants_that_layers_share_are_counted_once(tmp_path):
    graph = int8_graph("mobile block")
    without_biases = tuple(
        replace(step, bias=np.zeros_like(step.bias)) if isinstance(step, Conv2d | Linear) else step
        for step in graph.operators
    )
    graph = replace(graph, operators=without_biases)
    RUNTIME.export(graph, contract_for(graph), tmp_path / "model.pte")
    found = RUNTIME.structure(tmp_path / "model.pte").bytes_by_part
    lengths = {len(step.bias) for step in graph.operators if isinstance(step, Conv2d | Linear)}
    assert found["biases"] == 4 * sum(lengths)
    assert all(size >= 0 for size in found.values())
    assert sum(found.values()) == (tmp_path / "model.pte").stat().st_size


def test_a_float_file_says_that_its_convolutions_are_float(tmp_path):
    graph = float_graph("conv chain")
    RUNTIME.export(graph, contract_for(graph), tmp_path / "model.pte")
    found = RUNTIME.structure(tmp_path / "model.pte")
    assert found.int8_weight_share == 0.0 and found.float_convolutions == 5 and found.partitions == 1


def test_the_app_writes_bytes_minus_128_in_nhwc(tmp_path):
    graph = int8_graph("conv chain")
    interface = RUNTIME.export(graph, contract_for(graph), tmp_path / "model.pte")
    assert interface.input.dtype == "int8" and interface.input.layout == "NHWC"
    assert interface.input.byte_offset == -128 and interface.input.shape == (1, 16, 16, 3)
    grid = graph.output.quantization
    assert (interface.output.scale, interface.output.zero_point) == (grid.scale, grid.zero_point)


def changed(operator: Operator, **numbers: Any) -> Graph:
    """The conv chain with one operator's numbers replaced."""
    graph = int8_graph("conv chain")
    steps = [replace(step, **numbers) if step.path == operator.path else step for step in graph.operators]
    return Graph(input=graph.input, operators=tuple(steps))


def test_a_number_that_differs_from_the_graph_is_named():
    graph = int8_graph("conv chain")
    file = parse_pte(write_model(graph))
    assert list(differences(request(graph), file)) == []
    conv = graph.operators[1]
    assert isinstance(conv, Conv2d)
    output = replace(conv.output, quantization=Quantization(scale=0.5, zero_point=3))
    for what, numbers in {
        "data of the filter": {"weight": -conv.weight},
        "data of the bias": {"bias": conv.bias + np.eye(1, len(conv.bias), 2, np.int32)[0]},
        "scales of the filter": {"weight_scales": np.nextafter(conv.weight_scales, np.float32(1))},
        "scales of the bias": {"weight_scales": np.nextafter(conv.weight_scales, np.float32(1))},
        "scale of the output": {"output": output},
        "zero_point of the output": {"output": output},
        "output_min_max of XNNDepthwiseConv2d": {"clamp": Clamp.RELU6},
        "padding_bottom of XNNDepthwiseConv2d": {"padding": (1, 0, 1, 0)},
        "subsampling_height of XNNDepthwiseConv2d": {"stride": (2, 2)},
    }.items():
        found = list(differences(request(changed(conv, **numbers)), file))
        assert any(text.startswith(f"expected {what}") and conv.path in text for text in found), what


@pytest.mark.parametrize(("name", "every"), [("conv chain", 2), ("concat pool", 5), ("grouped and shuffled", 11)])
def test_anything_in_the_delegate_that_differs_is_named(name, every):
    graph = int8_graph(name)
    requested, file = request(graph), parse_pte(write_model(graph))
    decoded = decode_blob(file.delegates[0])
    tried = 0
    for places in islice(leaves(decoded), 0, None, every):
        wrong = copy.deepcopy(decoded)
        alter(wrong, places)
        blob = encode_blob(wrong)
        if decode_blob(blob) == decoded:
            continue
        found = list(differences(requested, replace(file, delegates=(blob,))))
        assert found and all(text.startswith("expected ") for text in found), places
        tried += 1
    assert tried > 4 * len(graph.operators)


def leaves(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every number in a delegate's graph: keys and indices."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, item in items:
        yield from leaves(item, (*before, key))
    if isinstance(value, int | float):
        yield before


def alter(tree: Any, places: tuple[Any, ...]) -> None:
    """The number at that place becomes another one."""
    for key in places[:-1]:
        tree = tree[key]
    tree[places[-1]] = tree[places[-1]] ^ 1 if isinstance(tree[places[-1]], int) else tree[places[-1]] / 2 + 1


def test_a_node_too_many_or_too_few_a_lost_constant_and_another_graph_are_named():
    graph = int8_graph("conv chain")
    requested, file = request(graph), parse_pte(write_model(graph))
    nodes = decode_blob(file.delegates[0])["xnodes"]
    for wrong in ([*nodes, nodes[-1]], nodes[:-1], nodes[1:]):
        blob = encode_blob({**decode_blob(file.delegates[0]), "xnodes": wrong})
        assert list(differences(requested, replace(file, delegates=(blob,))))
    for key in file.named:
        assert list(differences(requested, replace(file, named={**file.named, key: b"other"})))
    assert any("digest" in text for text in differences(request(int8_graph("conv chain", seed=1)), file))


def test_average_pooling_in_float_is_delegated(tmp_path):
    graph = float_graph("conv chain")
    source = graph.operators[1].output
    output = replace(source, name="pooled", shape=(source.shape[0], source.shape[1] // 2, source.shape[2] // 2))
    window = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0, 0, 0)}
    pool = AvgPool2d(input=source, output=output, path="net.pool", **window)
    graph = Graph(input=graph.input, operators=(*graph.operators[:2], pool))
    images = pictures(graph, 1)
    codes = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.int16) - 128).to(torch.int8)
    expected = to_exported(graph).module()(codes).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(scores(graph, images, tmp_path), expected, rtol=1e-4, atol=1e-5)


def test_a_scale_that_xnnpack_refuses_is_named_with_its_module():
    graph = int8_graph("conv chain")
    conv = graph.operators[0]
    tiny = replace(conv.output, quantization=Quantization(scale=float(np.float32(1e-9)), zero_point=0))
    with pytest.raises(CompileError, match=conv.path):
        write_model(Graph(input=graph.input, operators=(replace(conv, output=tiny),)))


def test_an_operator_that_xnnpack_lacks_is_named_with_its_module():
    graph = int8_graph("conv chain")
    strange = softmax(graph.output)
    with pytest.raises(CompileError, match=r"Softmax at net\.softmax"):
        write_model(Graph(input=graph.input, operators=(*graph.operators, strange)))


@pytest.mark.slow
def test_executorchs_own_partitioner_lowers_the_program_to_the_same_numbers(tmp_path):
    graph = int8_graph("mobile block")
    stock = lower_by_stock(graph)
    (tmp_path / "stock.pte").write_bytes(stock)
    with pytest.raises(BundleError, match="another tool's"):
        RUNTIME.structure(tmp_path / "stock.pte")
    assert numbers(sealed(stock)) == numbers(write_model(graph))
    images = pictures(graph, 4)
    with warnings.catch_warnings(action="ignore"):  # it announces itself
        from executorch.runtime import Runtime

    program = Runtime.get().load_program(tmp_path / "stock.pte")
    method = program.load_method("forward")
    codes = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.int16) - 128).to(torch.int8)
    found = np.concatenate([method.execute([code[None].contiguous()])[0].numpy().copy() for code in codes])
    np.testing.assert_array_equal(found, scores(graph, images, tmp_path))


def numbers(pte: bytes) -> list[Any]:
    """All filters, biases and scales of the one delegate, in order."""
    (content,) = delegate_contents(parse_pte(pte))
    weighted = [node for node in content.nodes if "filter_id" in node.fields]
    pairs = [[content.values[node.fields[name]] for name in ("filter_id", "bias_id")] for node in weighted]
    return [
        (value.datatype, value.dims, value.channel, value.data, value.scales.tobytes())
        for pair in pairs
        for value in pair
    ]
