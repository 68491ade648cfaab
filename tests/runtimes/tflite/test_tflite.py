"""The .tflite that is written, read back from its bytes and run by LiteRT, against the reference."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mobile_sdk.contract import Contract
from mobile_sdk.errors import BundleError, CompileError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import (
    Activation,
    ActivationKind,
    AvgPool2d,
    Conv2d,
    Graph,
    Linear,
    MaxPool2d,
)
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.base import Structure
from mobile_sdk.runtimes.tflite import TfliteRuntime
from mobile_sdk.runtimes.tflite.export import write_model
from mobile_sdk.runtimes.tflite.model_file import tensor_details
from tests.support.graphs import GRAPHS, Builder, float_graph, int8_graph, pictures
from tests.support.operators.made_up_operator import softmax
from tests.support.operators.random_cases import (
    grid,
    picture,
    tensor,
)

RUNTIME = TfliteRuntime()
CONTRACT = Contract(name="test", labels=("a", "b"))  # the file takes no more than its name


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tflite")


def scores(graph: Graph, images: np.ndarray[Any, Any], folder: Path, threads: int = 1) -> np.ndarray[Any, Any]:
    """Returns LiteRT's scores from the written file, (N, *shape), a map's channels last."""
    path = folder / "model.tflite"
    session = RUNTIME.load(path, RUNTIME.export(graph, CONTRACT, path), threads=threads)
    found = np.stack([session.run(image) for image in images])
    session.close()
    return found


def assert_zero_steps_apart(graph: Graph, folder: Path, images: np.ndarray[Any, Any] | None = None) -> Structure:
    images = pictures(graph, 3) if images is None else images
    np.testing.assert_array_equal(scores(graph, images, folder), Reference(graph).run(images))
    structure = RUNTIME.structure(folder / "model.tflite")
    assert structure.partitions == 1 and structure.not_delegated == ()
    return structure


# -- whole graphs


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_graph_is_one_partition_and_zero_steps_from_the_reference(name, seed, folder):
    graph = int8_graph(name, seed=seed)
    structure = assert_zero_steps_apart(graph, folder, pictures(graph, 10))
    assert structure.int8_weight_share == 1.0 and structure.float_convolutions == 0


@pytest.mark.parametrize("name", GRAPHS)
def test_every_float_twin_runs_and_is_close_to_the_float_reference(name, folder):
    graph = float_graph(name)
    images = pictures(graph, 3)
    found, expected = scores(graph, images, folder), FloatReference(graph).run(images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_two_threads_compute_what_one_does(folder):
    graph = int8_graph("mobile block")
    images = pictures(graph, 4)
    np.testing.assert_array_equal(scores(graph, images, folder, threads=2), Reference(graph).run(images))


# -- single operators, at random


def test_a_pooling_whose_stride_is_larger_than_its_window_is_refused_with_operator_and_path():
    source = picture(8, 8)
    window = {"kernel": (2, 2), "stride": (3, 3), "padding": (0, 0, 0, 0)}
    pool = MaxPool2d(output=tensor((3, 3, 3), grid(1 / 128)), path="net.pool", input=source, **window)
    assert "MaxPool2d at net.pool strides by (3, 3)" in refusal(Graph(input=source, operators=(pool,))).message


# -- what cannot be written


def refusal(graph: Graph) -> CompileError:
    with pytest.raises(CompileError) as caught:
        write_model(graph, CONTRACT)
    return caught.value


def test_an_average_pooling_with_padding_is_refused_with_operator_and_path():
    graph = float_graph("inverted residual")
    source = graph.operators[0].output
    window = {"kernel": (3, 3), "stride": (1, 1), "padding": (1, 1, 1, 1)}
    pool = AvgPool2d(output=replace(source, name="pooled"), path="net.pool", input=source, **window)
    error = refusal(Graph(input=graph.input, operators=(*graph.operators[:1], pool)))
    assert "AvgPool2d at net.pool pads" in error.message


def test_an_operator_that_the_writer_does_not_know_is_refused_with_its_path():
    graph = int8_graph("linear head")
    strange = softmax(graph.output)
    error = refusal(Graph(input=graph.input, operators=(*graph.operators, strange)))
    assert "expected an operator that LiteRT has, found Softmax at net.softmax" in error.message


@pytest.mark.parametrize("name", ["rgb", "rgb.values"])
def test_a_tensor_that_has_the_name_of_one_of_the_models_input_is_refused(name):
    graph = int8_graph("linear head")
    first = replace(graph.operators[0], output=replace(graph.operators[0].output, name=name))
    assert f"a tensor is named {name}," in refusal(Graph(input=graph.input, operators=(first,))).message


@pytest.mark.parametrize("pad_byte", [0, 1, 124, 128, 254, 255])
def test_every_byte_of_a_picture_becomes_its_code(folder, pad_byte):
    """Read through a pooling that keeps every code, at scales of a byte down to the smallest and up to the largest."""
    for scale in (2.0**-20, 1 / 58.395, 1 / 128, 1 / 3, 1.0, 255.0):
        x = picture(16, 16, grid(scale, pad_byte - 128))
        window = {"kernel": (1, 1), "stride": (1, 1), "padding": (0, 0, 0, 0)}
        pool = MaxPool2d(output=tensor((3, 16, 16), grid(scale, pad_byte - 128)), path="net.pool", input=x, **window)
        images = np.arange(768).astype(np.uint8).reshape(1, 16, 16, 3)
        codes = scores(Graph(input=x, operators=(pool,)), images, folder)
        np.testing.assert_array_equal(codes[0], images[0].astype(np.int16) - 128)


# -- float twins' own operators


@pytest.mark.parametrize("kind", ActivationKind)
def test_every_activation_that_stands_alone_runs_in_float(kind, folder):
    graph = float_graph("inverted residual")
    alone = Activation(output=replace(graph.output, name="alone"), path="net.a", input=graph.output, kind=kind)
    graph = Graph(input=graph.input, operators=(*graph.operators, alone))
    images = pictures(graph, 4)
    expected = FloatReference(graph).run(images)
    assert len(np.unique(expected)) > 3
    np.testing.assert_allclose(scores(graph, images, folder), expected, rtol=1e-4, atol=1e-5)


def test_float_average_pooling_runs(folder):
    graph = float_graph("inverted residual")
    source = graph.operators[0].output
    window = {"kernel": (4, 2), "stride": (4, 2), "padding": (0, 0, 0, 0)}
    pool = AvgPool2d(output=replace(source, name="pooled", shape=(3, 4, 8)), path="net.p", input=source, **window)
    graph = Graph(input=graph.input, operators=(graph.operators[0], pool))
    images = pictures(graph, 2)
    np.testing.assert_allclose(scores(graph, images, folder), FloatReference(graph).run(images), atol=1e-5)


# -- the file


def model_of(graph: Graph) -> tuple[bytes, Any]:
    data = write_model(graph, CONTRACT)
    return data, schema.ModelT.InitFromPackedBuf(data)


def test_the_same_graph_gives_the_same_bytes():
    assert write_model(int8_graph("mobile block"), CONTRACT) == write_model(int8_graph("mobile block"), CONTRACT)


def test_every_buffer_begins_at_a_multiple_of_16_bytes():
    data, _ = model_of(int8_graph("mobile block"))
    model = schema.Model.GetRootAs(data)
    starts = []
    for index in range(model.BuffersLength()):
        table = model.Buffers(index)._tab
        field = table.Offset(4)
        if field:
            starts.append(table.Vector(field))
    assert len(starts) > 20 and all(start % 16 == 0 for start in starts)
    assert flatbuffers.util.BufferHasIdentifier(data, 0, b"TFL3")


def test_the_files_numbers_are_the_graphs_own():
    graph = int8_graph("mobile block")
    _, model = model_of(graph)
    tensors = {tensor.name.decode(): tensor for tensor in model.subgraphs[0].tensors}
    for operator in graph.operators:
        found = tensors["scores" if operator.output is graph.output else operator.output.name].quantization
        expected = arithmetic.quantization_of(operator.output)
        assert (found.scale.tolist(), found.zeroPoint.tolist()) == ([expected.scale], [expected.zero_point])
        if isinstance(operator, Conv2d):
            stored = tensors[f"{operator.output.name}.weight"]
            codes = np.frombuffer(bytes(model.buffers[stored.buffer].data), np.int8).reshape(stored.shape)
            order = (1, 2, 3, 0) if operator.is_depthwise else (0, 2, 3, 1)
            np.testing.assert_array_equal(codes, operator.weight.transpose(order))
            np.testing.assert_array_equal(stored.quantization.scale, operator.weight_scales)
            biases = tensors[f"{operator.output.name}.bias"]
            np.testing.assert_array_equal(
                np.frombuffer(bytes(model.buffers[biases.buffer].data), np.int32), operator.bias
            )


def test_the_app_writes_bytes_as_they_are(folder):
    graph = int8_graph("linear head")
    interface = RUNTIME.export(graph, CONTRACT, folder / "model.tflite")
    found = interface.input
    assert (found.dtype, found.shape, found.layout, found.byte_offset) == ("uint8", (1, 16, 16, 3), "NHWC", 0)
    codes = arithmetic.quantization_of(graph.output)
    assert (interface.output.dtype, interface.output.scale, interface.output.zero_point) == (
        "int8",
        codes.scale,
        codes.zero_point,
    )
    details = tensor_details(folder / "model.tflite")
    assert details["scores"] == (codes.scale, codes.zero_point)


def test_padding_is_written_as_same_where_tensorflow_means_the_same():
    kinds = {}
    for padding in ((0, 0, 0, 0), (0, 1, 0, 1), (1, 1, 1, 1)):  # on 16 px with stride 2, SAME is (0, 1, 0, 1)
        build = Builder(int8=True, seed=0)
        build.conv(build.input, 4, 3, stride=2, padding=padding)
        _, model = model_of(build.graph())
        kinds[padding] = [code.builtinCode for code in model.operatorCodes].count(schema.BuiltinOperator.PAD)
    assert kinds == {(0, 0, 0, 0): 0, (0, 1, 0, 1): 0, (1, 1, 1, 1): 1}


def test_the_structure_says_what_every_byte_is(folder):
    graph = int8_graph("mobile block")
    RUNTIME.export(graph, CONTRACT, folder / "model.tflite")
    found = RUNTIME.structure(folder / "model.tflite")
    weighted = [operator for operator in graph.operators if isinstance(operator, Conv2d | Linear)]
    assert found.bytes_by_part["weights"] == sum(operator.weight.nbytes for operator in weighted)
    assert found.bytes_by_part["biases"] == sum(operator.bias.nbytes for operator in weighted)
    assert sum(found.bytes_by_part.values()) == (folder / "model.tflite").stat().st_size


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_file_that_was_cut_short_is_refused(folder, share):
    data = write_model(int8_graph("linear head"), CONTRACT)
    (folder / "cut.tflite").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BundleError, match=r"cut\.tflite"):
        RUNTIME.structure(folder / "cut.tflite")


def test_a_file_of_another_input_is_refused(folder):
    graph = int8_graph("linear head")
    interface = RUNTIME.export(graph, CONTRACT, folder / "model.tflite")
    other = interface.model_copy(update={"input": interface.input.model_copy(update={"shape": (1, 32, 32, 3)})})
    with pytest.raises(BundleError, match="expected the input"):
        RUNTIME.load(folder / "model.tflite", other, threads=1)
