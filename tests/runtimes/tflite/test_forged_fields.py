"""A `.tflite` says nothing beside what is asked for: every field that LiteRT knows is compared, others are refused."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.errors import BundleError
from mobile_sdk.runtimes.flatbuffer.decoding import decode
from mobile_sdk.runtimes.flatbuffer.encoding import encode
from mobile_sdk.runtimes.flatbuffer.schema import read_schema
from mobile_sdk.runtimes.tflite import TfliteRuntime
from mobile_sdk.runtimes.tflite.description.labels_archive import appended
from mobile_sdk.runtimes.tflite.description.metadata import encode_metadata, metadata_schema
from mobile_sdk.runtimes.tflite.file_format import from_bytes, to_bytes
from mobile_sdk.runtimes.tflite.readback import WRITTEN
from mobile_sdk.runtimes.tflite.requested import request
from tests.support.graphs import contract_for, int8_graph

GRAPH = int8_graph("conv chain")
RUNTIME = TfliteRuntime()


def found(data: bytes, folder: Path) -> str:
    """The first difference or refusal of a model with its labels behind it; nothing if it counts as equal."""
    RUNTIME.export(GRAPH, contract_for(GRAPH), folder / "fresh.tflite")
    (folder / "forged.tflite").write_bytes(appended(data, contract_for(GRAPH).labels))
    try:
        differences = RUNTIME.differences(folder / "forged.tflite", folder / "fresh.tflite", GRAPH)
    except BundleError as error:
        return error.message
    return differences[0] if differences else ""


def honest() -> Any:
    """The model that is requested, to be changed."""
    return request(GRAPH, contract_for(GRAPH))


def test_the_request_itself_counts_as_equal(tmp_path: Path) -> None:
    assert found(to_bytes(honest()), tmp_path) == ""


def weights(model: Any, **others: Any) -> None:
    """The first constant's buffer gets other fields beside its data."""
    model.buffers[1] = filled(schema.BufferT, data=np.frombuffer(model.buffers[1].data, np.uint8), **others)


def filled(kind: Any, **fields: Any) -> Any:
    """An object of the schema with these fields."""
    made = kind()
    for name, value in fields.items():
        assert hasattr(made, name)
        setattr(made, name, value)
    return made


def outside(model: Any) -> None:
    """The weights lie behind the flatbuffer, where LiteRT reads what is larger than 2 GiB."""
    model.buffers[1] = filled(schema.BufferT, offset=4096, size=64)


def shared(model: Any) -> None:
    """Two tensors take one buffer."""
    with_data = [each for each in model.subgraphs[0].tensors if each.buffer]
    with_data[2].buffer = with_data[0].buffer


def held(model: Any, name: str, data: bytes) -> None:
    """The metadata of that name holds other bytes."""
    (entry,) = (each for each in model.metadata if each.name == name)
    model.buffers[entry.buffer].data = data


def honest_metadata(**others: str) -> bytes:
    """The metadata that is written, with other fields."""
    ends = RUNTIME.interface(GRAPH)
    written = decode(metadata_schema(), encode_metadata(GRAPH, contract_for(GRAPH), ends))
    return encode(metadata_schema(), {**written, **others})


def custom(model: Any) -> None:
    """An operator becomes one that the app registers."""
    model.operatorCodes[0].builtinCode = schema.BuiltinOperator.CUSTOM
    model.operatorCodes[0].customCode = "anything"


FORGERIES: dict[str, Callable[[Any], Any]] = {
    "data outside the flatbuffer": outside,
    "a place beside the data": lambda model: weights(model, offset=2),
    "a size beside the data": lambda model: weights(model, size=2),
    "a buffer that nothing takes": lambda model: model.buffers.append(filled(schema.BufferT, data=[1, 2, 3])),
    "a buffer that two tensors take": shared,
    "metadata": lambda model: setattr(model, "metadata", [filled(schema.MetadataT, name="min_runtime", buffer=1)]),
    "more metadata": lambda model: model.metadata.append(filled(schema.MetadataT, name="more", buffer=1)),
    "another runtime's version": lambda model: held(model, "min_runtime_version", b"9.9.9".ljust(16, b"\0")),
    "other metadata": lambda model: held(model, "TFLITE_METADATA", honest_metadata(license="anything")),
    "a metadata buffer": lambda model: setattr(model, "metadataBuffer", [1]),
    "a second signature": lambda model: model.signatureDefs.append(filled(schema.SignatureDefT, signatureKey="other")),
    "another signature's name": lambda model: setattr(model.signatureDefs[0], "signatureKey", "other"),
    "another input's name": lambda model: setattr(model.signatureDefs[0].inputs[0], "name", "picture"),
    "another output": lambda model: setattr(model.signatureDefs[0].outputs[0], "tensorIndex", 3),
    "an external buffer": lambda model: setattr(
        model, "externalBuffers", [filled(schema.ExternalBufferT, id=1, offset=0, length=16)]
    ),
    "an external group": lambda model: setattr(
        model, "externalBufferGroups", [filled(schema.ExternalBufferGroupT, name="/etc/passwd")]
    ),
    "a tensor's external buffer": lambda model: setattr(model.subgraphs[0].tensors[2], "externalBuffer", 1),
    "a second subgraph": lambda model: model.subgraphs.append(model.subgraphs[0]),
    "another subgraph's name": lambda model: setattr(model.subgraphs[0], "name", "other"),
    "another description": lambda model: setattr(model, "description", f"another {GRAPH.digest()}"),
    "another version": lambda model: setattr(model, "version", 2),
    "another deprecated code": lambda model: setattr(model.operatorCodes[0], "deprecatedBuiltinCode", 7),
    "another operator's version": lambda model: setattr(model.operatorCodes[0], "version", 9),
    "an operator code that nothing uses": lambda model: model.operatorCodes.append(schema.OperatorCodeT()),
    "a custom operator": custom,
    "custom options": lambda model: setattr(model.subgraphs[0].operators[0], "customOptions", [1, 2]),
    "large custom options": lambda model: setattr(model.subgraphs[0].operators[0], "largeCustomOptionsOffset", 64),
    "intermediates": lambda model: setattr(model.subgraphs[0].operators[2], "intermediates", [1]),
    "options of the second kind": lambda model: (
        setattr(model.subgraphs[0].operators[2], "builtinOptions2Type", 18),
        setattr(model.subgraphs[0].operators[2], "builtinOptions2", schema.DilateOptionsT()),
    ),
    "a variable": lambda model: setattr(model.subgraphs[0].tensors[3], "isVariable", True),
    "a shape signature": lambda model: setattr(model.subgraphs[0].tensors[0], "shapeSignature", [1, -1, -1, 3]),
    "sparsity": lambda model: setattr(
        model.subgraphs[0].tensors[3], "sparsity", filled(schema.SparsityParametersT, traversalOrder=[0])
    ),
    "quantization of another kind": lambda model: (
        setattr(model.subgraphs[0].tensors[3].quantization, "detailsType", 1),
        setattr(model.subgraphs[0].tensors[3].quantization, "details", schema.CustomQuantizationT()),
    ),
    "a range": lambda model: setattr(model.subgraphs[0].tensors[3].quantization, "min", [0.0]),
    "the sign of zero": lambda model: setattr(model.subgraphs[0].tensors[3].quantization, "max", [-0.0]),
    "another output of the graph": lambda model: setattr(model.subgraphs[0], "outputs", [3]),
    "a second output": lambda model: model.subgraphs[0].outputs.append(3),
    "an operator in another place": lambda model: model.subgraphs[0].operators.reverse(),
    "an operator that nothing reads": lambda model: model.subgraphs[0].operators.append(
        model.subgraphs[0].operators[-1]
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_whatever_else_the_file_says_is_found(name: str, tmp_path: Path) -> None:
    model = honest()
    FORGERIES[name](model)
    assert found(to_bytes(model), tmp_path)


def test_a_field_that_the_schema_does_not_know_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(builder: Any) -> int:
        builder.PrependInt32Slot(6, 77, 0)
        return int(builder.EndObject())

    with monkeypatch.context() as patch:
        patch.setattr(schema, "SubGraphStart", lambda builder: builder.StartObject(7))
        patch.setattr(schema, "SubGraphEnd", end)
        data = to_bytes(honest())
    assert from_bytes(data).subgraphs[0].name == b"main"
    assert "a field of a SubGraph" in found(data, tmp_path)


def test_bytes_that_nothing_refers_to_are_refused(tmp_path: Path) -> None:
    builder = flatbuffers.Builder(1024)
    builder.CreateString("a second net, in hiding")
    builder.Finish(honest().Pack(builder), file_identifier=b"TFL3")
    assert "nothing refers to" in found(bytes(builder.Output()), tmp_path)


def test_two_things_in_one_place_are_refused(tmp_path: Path) -> None:
    data = to_bytes(honest())
    model = schema.Model.GetRootAs(data)
    table = model.Subgraphs(0)._tab
    name, outputs = (table.Pos + table.Offset(slot) for slot in (12, 8))
    forged = bytearray(data)
    here = int.from_bytes(data[outputs : outputs + 4], "little") + outputs
    forged[name : name + 4] = (here + 4 - name).to_bytes(4, "little")
    assert found(bytes(forged), tmp_path)


def test_the_schema_is_litert_s_own() -> None:
    tables = read_schema(WRITTEN).tables
    for name, fields in tables.items():
        for field, entry in fields.items():
            if (name, field) in _DEPRECATED:
                continue
            words = field.title().replace("_", "")
            add = next(value for key, value in vars(schema).items() if key.lower() == f"{name}Add{words}".lower())
            text = inspect.getsource(add)
            is_union = entry.type == "BuiltinOptions"
            slot, default = re.search(r"Slot\((\d+), .*, (\S+)\)\n", text).groups()  # type: ignore[union-attr]
            assert int(slot) == entry.slot + is_union, (name, field)
            numbers = {"True": 1.0, "False": 0.0}
            assert numbers.get(default) or float(numbers.get(default, default)) == entry.default, (name, field)
            width = re.search(r"Prepend(\w+?)Slot", text).group(1)  # type: ignore[union-attr]
            assert _KINDS.get(width, {entry.type}) >= {entry.type}, (name, field)
        starts = {key.lower(): value for key, value in vars(schema).items()}
        if name != "Unwritten":
            slots = int(re.search(r"StartObject\((\d+)\)", inspect.getsource(starts[f"{name}start".lower()])).group(1))  # type: ignore[union-attr]
            assert slots == sum(2 if each.type == "BuiltinOptions" else 1 for each in fields.values()), name
    for member, entry in read_schema(WRITTEN).unions["BuiltinOptions"].items():
        assert getattr(schema.BuiltinOptions, member) == entry.number


_DEPRECATED = {
    ("ResizeBilinearOptions", "new_height"),
    ("ResizeBilinearOptions", "new_width"),
    ("SignatureDef", "deprecated_tag"),
}
"""LiteRT's classes have these fields no more."""
_KINDS = {
    "Int8": {"byte"},
    "Uint8": {"ubyte"},
    "Bool": {"bool"},
    "Int32": {"int"},
    "Uint32": {"uint"},
    "Uint64": {"ulong"},
    "Float32": {"float"},
}
