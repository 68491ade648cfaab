"""An `.mlpackage` says nothing beside what is asked for, in its protobuf, its weights and the files around them."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobile_sdk.errors import BundleError
from mobile_sdk.runtimes.coreml import CoreMLRuntime
from mobile_sdk.runtimes.coreml.package.manifest import MODEL_PATH, WEIGHTS_PATH
from mobile_sdk.runtimes.coreml.package.schema import model_class
from tests.support.graphs import contract_for, int8_graph

GRAPH = int8_graph("conv chain")
RUNTIME = CoreMLRuntime()
PROTOBUF, WEIGHTS = f"Data/{MODEL_PATH}", f"Data/{WEIGHTS_PATH}/weight.bin"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("coreml") / "fresh.mlpackage"
    RUNTIME.export(GRAPH, contract_for(GRAPH), path)
    return path


@pytest.fixture
def package(fresh: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fresh, tmp_path / "forged.mlpackage"))


def found(package: Path, fresh: Path) -> str:
    """The first difference or refusal; nothing if the package counts as equal."""
    try:
        differences = RUNTIME.differences(package, fresh, GRAPH)
    except BundleError as error:
        return error.message
    return differences[0] if differences else ""


def main(model: Any) -> Any:
    return model.mlProgram.functions["main"]


def block(model: Any) -> Any:
    return main(model).block_specializations[main(model).opset]


def operation(model: Any, kind: str) -> Any:
    """The first operation of that kind."""
    return next(each for each in block(model).operations if each.type == kind)


def number(model: Any, name: str) -> Any:
    """The numbers of a constant that stands in the protobuf."""
    held = next(each for each in block(model).operations if each.outputs[0].name == name)
    return held.attributes["val"].immediateValue.tensor


def unused_constant(model: Any) -> None:
    added = block(model).operations.add()
    added.CopyFrom(operation(model, "const"))
    added.outputs[0].name = "nothing_takes_it"
    added.attributes["name"].immediateValue.tensor.strings.values[0] = "nothing_takes_it"


def shadow(model: Any) -> None:
    """A second constant takes the name of the first."""
    block(model).operations.insert(1, operation(model, "const"))


FORGERIES: dict[str, Callable[[Any], Any]] = {
    "another author": lambda model: setattr(model.description.metadata, "author", "somebody"),
    "a licence": lambda model: setattr(model.description.metadata, "license", "none"),
    "another version": lambda model: setattr(model.description.metadata, "versionString", "2"),
    "another description": lambda model: setattr(model.description.metadata, "shortDescription", "safe"),
    "other labels": lambda model: model.description.metadata.userDefined.update({"labels": '["a", "b"]'}),
    "further metadata": lambda model: model.description.metadata.userDefined.update({"classes": "a,b"}),
    "another specification": lambda model: setattr(model, "specificationVersion", 7),
    "an updatable model": lambda model: setattr(model, "isUpdatable", True),
    "another input's description": lambda model: setattr(model.description.input[0], "shortDescription", "any"),
    "another size of the picture": lambda model: setattr(model.description.input[0].type.imageType, "width", 8),
    "an optional input": lambda model: setattr(model.description.input[0].type, "isOptional", True),
    "blue before red": lambda model: setattr(model.description.input[0].type.imageType, "colorSpace", 30),
    "a second input": lambda model: model.description.input.add(name="mask"),
    "a second output": lambda model: model.description.output.add(name="other"),
    "another type of the output": lambda model: setattr(
        model.description.output[0].type.multiArrayType, "dataType", 65600
    ),
    "a predicted feature": lambda model: setattr(model.description, "predictedFeatureName", "scores"),
    "a state": lambda model: model.description.state.add(name="memory"),
    "a second function": lambda model: model.mlProgram.functions["other"].CopyFrom(main(model)),
    "another default function": lambda model: setattr(model.description, "defaultFunctionName", "other"),
    "a second operator set": lambda model: main(model).block_specializations["CoreML8"].CopyFrom(block(model)),
    "another version of the program": lambda model: setattr(model.mlProgram, "version", 2),
    "a text beside the program": lambda model: setattr(model.mlProgram, "docString", "see"),
    "an attribute of the program": lambda model: model.mlProgram.attributes["other"].CopyFrom(
        operation(model, "const").attributes["name"]
    ),
    "an attribute of the function": lambda model: (
        main(model).attributes["other"].CopyFrom(operation(model, "const").attributes["name"])
    ),
    "an attribute of an operation": lambda model: (
        operation(model, "conv").attributes["other"].CopyFrom(operation(model, "const").attributes["name"])
    ),
    "an operation's own block": lambda model: operation(model, "conv").blocks.add(),
    "a shape of the input": lambda model: setattr(
        main(model).inputs[0].type.tensorType.dimensions[2].constant, "size", 8
    ),
    "a dimension of any size": lambda model: setattr(
        main(model).inputs[0].type.tensorType.dimensions[2].unknown, "variadic", True
    ),
    "another rank": lambda model: setattr(operation(model, "conv").outputs[0].type.tensorType, "rank", 3),
    "another type of a result": lambda model: setattr(
        operation(model, "conv").outputs[0].type.tensorType, "dataType", 10
    ),
    "a second result": lambda model: operation(model, "conv").outputs.add(name="other"),
    "another output of the block": lambda model: block(model).outputs.__setitem__(0, "input_code"),
    "an input's zero point": lambda model: setattr(number(model, "input_code_zero_point_0").bytes, "values", b"\x81"),
    "an input's scale": lambda model: number(model, "input_code_scale_0").floats.values.__setitem__(0, 1.0000001),
    "a constant of another type": lambda model: setattr(
        operation(model, "const").attributes["val"].type.tensorType, "dataType", 11 + 1
    ),
    "a constant of two numbers": lambda model: number(model, "input_code_scale_0").floats.values.append(2.0),
    "a constant that nothing takes": unused_constant,
    "a constant of another's name": shadow,
    "an operation in another place": lambda model: block(model).operations.insert(0, operation(model, "conv")),
    "weights of another record": lambda model: setattr(
        operation(model, "constexpr_affine_dequantize").attributes["quantized_data"].blobFileValue, "offset", 128
    ),
    "weights of another file": lambda model: setattr(
        operation(model, "constexpr_affine_dequantize").attributes["quantized_data"].blobFileValue,
        "fileName",
        "@model_path/weights/other.bin",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_whatever_else_the_protobuf_says_is_found(name: str, package: Path, fresh: Path) -> None:
    model = model_class()()
    model.ParseFromString((fresh / PROTOBUF).read_bytes())
    before = model.SerializeToString(deterministic=True)
    FORGERIES[name](model)
    changed = model.SerializeToString(deterministic=True)
    assert changed != before
    (package / PROTOBUF).write_bytes(changed)
    shutil.copyfile(package / WEIGHTS, package / WEIGHTS.replace("weight.bin", "other.bin"))
    if name != "weights of another file":
        (package / WEIGHTS.replace("weight.bin", "other.bin")).unlink()
    assert found(package, fresh)


@pytest.mark.parametrize("extra", [b"\xfa\x3f\x02hi", b"\x08\x08", b"\x88\x00\x08"])
def test_a_field_that_nobody_knows_or_that_stands_there_twice_is_refused(
    extra: bytes, package: Path, fresh: Path
) -> None:
    data = (package / PROTOBUF).read_bytes()
    (package / PROTOBUF).write_bytes(data + extra)
    assert found(package, fresh)


@pytest.mark.parametrize("path", ["Data/extra.bin", f"Data/{WEIGHTS_PATH}/other.bin", "Data/empty/"])
def test_another_file_or_folder_in_the_package_is_found(path: str, package: Path, fresh: Path) -> None:
    if path.endswith("/"):
        (package / path).mkdir()
    else:
        (package / path).write_bytes(b"x")
    assert found(package, fresh)


def test_another_manifest_of_the_package_is_found(package: Path, fresh: Path) -> None:
    text = (package / "Manifest.json").read_text(encoding="utf-8")
    for other in (text.replace("Weights", "weights"), text + "\n", text.replace("1.0.0", "1.0.1")):
        (package / "Manifest.json").write_text(other, encoding="utf-8")
        assert found(package, fresh)


def test_bytes_that_no_array_of_the_weights_is_are_found(package: Path, fresh: Path) -> None:
    data = (fresh / WEIGHTS).read_bytes()
    count = struct.unpack_from("<I", data)[0]
    record = struct.pack("<IIQQ", 0xDEADBEEF, 4, 8, len(data) + 64).ljust(64, b"\0") + b"12345678"
    for forged in (
        data[:40] + b"\1" + data[41:],  # behind the file's header
        data[: 64 + 24] + b"\1" + data[64 + 25 :],  # in an array's header
        data + record,
        struct.pack("<I", count + 1) + data[4:] + record,
        struct.pack("<I", count - 1) + data[4:],
    ):
        (package / WEIGHTS).write_bytes(forged)
        assert found(package, fresh)
