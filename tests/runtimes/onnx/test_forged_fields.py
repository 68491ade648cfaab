"""An `.onnx` says nothing beside what is asked for: every field of ONNX's format is compared, others are refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onnx import ModelProto, TensorProto, helper

from mobile_sdk.errors import BundleError
from mobile_sdk.runtimes.onnx import OnnxRuntime
from mobile_sdk.runtimes.onnx.model_file import to_bytes
from mobile_sdk.runtimes.onnx.requested import request
from tests.support.graphs import contract_for, int8_graph

GRAPH = int8_graph("conv chain")
RUNTIME = OnnxRuntime()


def found(data: bytes, folder: Path) -> str:
    """The first difference or refusal of a file; nothing if it counts as equal."""
    RUNTIME.export(GRAPH, contract_for(GRAPH), folder / "fresh.onnx")
    (folder / "forged.onnx").write_bytes(data)
    try:
        differences = RUNTIME.differences(folder / "forged.onnx", folder / "fresh.onnx", GRAPH)
    except BundleError as error:
        return error.message
    return differences[0] if differences else ""


def honest() -> ModelProto:
    """The model that is requested, to be changed."""
    return request(GRAPH, f"{contract_for(GRAPH).name} {GRAPH.digest()}")


def test_the_request_itself_counts_as_equal(tmp_path: Path) -> None:
    assert found(to_bytes(honest()), tmp_path) == ""


def weight(model: ModelProto) -> Any:
    """The first convolution's weights."""
    return next(each for each in model.graph.initializer if each.name.endswith(":weight"))


def convolution(model: ModelProto) -> Any:
    return next(node for node in model.graph.node if node.op_type == "Conv")


def outside(model: ModelProto) -> None:
    """The weights lie in another file."""
    weight(model).data_location = TensorProto.EXTERNAL
    entry = weight(model).external_data.add()
    entry.key, entry.value = "location", "weights.bin"


def swapped(model: ModelProto) -> None:
    """A node takes its operands in another order."""
    node = convolution(model)
    node.input[1], node.input[2] = node.input[2], node.input[1]


def sparse(model: ModelProto) -> None:
    model.graph.sparse_initializer.add().dims.append(4)


FORGERIES: dict[str, Callable[[ModelProto], Any]] = {
    "weights in another file": outside,
    "another type of the same bytes": lambda model: setattr(weight(model), "data_type", TensorProto.UINT8),
    "another shape of the same bytes": lambda model: weight(model).dims.reverse(),
    "data in a second field": lambda model: weight(model).int32_data.append(1),
    "a note on a constant": lambda model: setattr(weight(model), "doc_string", "a note"),
    "a segment": lambda model: setattr(weight(model).segment, "begin", 1),
    "a constant that nothing reads": lambda model: model.graph.initializer.append(weight(model)),
    "a sparse constant": sparse,
    "another stride": lambda model: convolution(model).attribute[0].ints.append(1),
    "another attribute": lambda model: convolution(model).attribute.append(helper.make_attribute("auto_pad", "VALID")),
    "operands in another order": swapped,
    "another operator": lambda model: setattr(convolution(model), "op_type", "ConvTranspose"),
    "an operator of another domain": lambda model: setattr(convolution(model), "domain", "com.microsoft"),
    "an overload": lambda model: setattr(convolution(model), "overload", "other"),
    "a note on a node": lambda model: setattr(convolution(model), "doc_string", "a note"),
    "metadata of a node": lambda model: convolution(model).metadata_props.add(key="a", value="b"),
    "another name of a node": lambda model: setattr(convolution(model), "name", "other"),
    "a node that nothing reads": lambda model: model.graph.node.append(model.graph.node[-1]),
    "nodes in another order": lambda model: model.graph.node.reverse(),
    "a missing node": lambda model: model.graph.node.pop(),
    "another output": lambda model: setattr(model.graph.output[0], "name", "picture"),
    "a second output": lambda model: model.graph.output.append(model.graph.output[0]),
    "an output of another shape": lambda model: model.graph.output[0].type.tensor_type.shape.dim.add(dim_value=1),
    "an input of another type": lambda model: setattr(model.graph.input[0].type.tensor_type, "elem_type", 3),
    "a second input": lambda model: model.graph.input.append(model.graph.input[0]),
    "a shape of a tensor inside": lambda model: model.graph.value_info.append(model.graph.output[0]),
    "quantization beside the nodes": lambda model: model.graph.quantization_annotation.add(tensor_name="conv_0"),
    "another name of the graph": lambda model: setattr(model.graph, "name", "other"),
    "a function": lambda model: model.functions.add(name="Conv"),
    "another operator set": lambda model: setattr(model.opset_import[0], "version", 18),
    "a second operator set": lambda model: model.opset_import.append(helper.make_opsetid("com.microsoft", 1)),
    "another version of the format": lambda model: setattr(model, "ir_version", 9),
    "another description": lambda model: setattr(model, "doc_string", f"another {GRAPH.digest()}"),
    "metadata of the model": lambda model: model.metadata_props.add(key="a", value="b"),
    "training": lambda model: model.training_info.add(),
    "another producer": lambda model: setattr(model, "producer_name", "another"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_whatever_else_the_file_says_is_found(name: str, tmp_path: Path) -> None:
    model = honest()
    FORGERIES[name](model)
    assert to_bytes(model) != to_bytes(honest())
    assert found(to_bytes(model), tmp_path)


def test_a_field_that_the_format_does_not_know_is_refused(tmp_path: Path) -> None:
    field_1000 = bytes([0xC0, 0x3E, 0x01])  # a varint
    assert "no part of the model" in found(to_bytes(honest()) + field_1000, tmp_path)


def test_a_graph_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    """Readers of protobuf merge both: their lists follow each other."""
    model = honest()
    hidden = ModelProto()
    hidden.graph.node.append(model.graph.node[-1])
    assert found(to_bytes(model) + to_bytes(hidden), tmp_path)


def test_a_number_in_more_bytes_than_it_needs_is_refused(tmp_path: Path) -> None:
    data = to_bytes(honest())
    assert data[:2] == bytes([0x08, 0x08])  # ir_version
    assert "no part of the model" in found(bytes([0x08, 0x88, 0x00]) + data[2:], tmp_path)
