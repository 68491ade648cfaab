"""Reads a saved `.mlpackage` as plain data: operators by name, constants as numpy arrays.

Format: Manifest.json names the root model, a protobuf `CoreML.Specification.Model` whose `mlProgram` is a MIL program;
large constants are in weights/weight.bin (MILBlob/Blob/StorageFormat.hpp of coremltools). Everything here is checked
while it is read: a damaged package is a BundleError, never another exception.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import BundleError
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.coreml.package.blob_file import BlobFile, damaged
from mobile_sdk.runtimes.coreml.package.classifier import KIND, Classifier, read_classifier
from mobile_sdk.runtimes.coreml.package.manifest import root_model_file
from mobile_sdk.runtimes.coreml.package.schema import model_class
from mobile_sdk.runtimes.damage import damage_named

Value = NDArray[Any] | str

# CoreML.Specification.MILSpec.DataType
_BOOL, _STRING, _FLOAT16, _FLOAT32, _INT8, _INT32, _INT4, _UINT8 = 1, 2, 10, 11, 21, 23, 25, 31
_DTYPES: Mapping[int, np.dtype[Any]] = {
    _BOOL: np.dtype(np.bool_),
    _FLOAT16: np.dtype("<f2"),
    _FLOAT32: np.dtype("<f4"),
    _INT8: np.dtype(np.int8),
    _INT32: np.dtype("<i4"),
    _UINT8: np.dtype(np.uint8),
}
_FIELD_OF_IMMEDIATES = {_BOOL: "bools", _FLOAT32: "floats", _INT32: "ints", _STRING: "strings"}


@dataclass(frozen=True, kw_only=True, eq=False)
class MilOperation:
    """Holds one operation: `arguments` name earlier results (one, or several for `concat`), `values` are constants."""

    kind: str  # MIL's name: conv, quantize, constexpr_affine_dequantize …
    output: str
    dtype: str  # numpy's name for the output's element type
    shape: tuple[int, ...]
    arguments: Mapping[str, tuple[str, ...]]
    values: Mapping[str, Value]


@dataclass(frozen=True, kw_only=True, eq=False)
class MilProgram:
    """Holds the function `main`: constants are inside the operations that use them, or are operations `const`."""

    input_name: str
    input_shape: tuple[int, ...]
    colours: str | None  # of the app's picture: RGB, GRAYSCALE …; None if it gives an array
    outputs: Mapping[str, tuple[int, ...]]  # name → shape, in the file's order
    operations: tuple[MilOperation, ...]
    classifier: Classifier | None  # its label and dictionary are no tensors, and so not among the outputs
    structure_bytes: int  # the protobuf's
    weight_file_bytes: int
    metadata: Mapping[str, str]


def read_program(package: Path) -> MilProgram:
    """Reads the `.mlpackage` folder; raises BundleError if it is damaged or incomplete."""
    with damage_named(partial(damaged, package)):
        return _read(package)


def read_promised_program(package: Path, interface: Interface) -> MilProgram:
    """Reads the package as `read_program` does; raises BundleError too if it does not fit the bundle's interface."""
    program = read_program(package)
    found = _signature({program.input_name: program.input_shape}, program.outputs)
    outputs = {spec.name: spec.shape for spec in interface.outputs}
    promised = _signature({interface.input.name: interface.input.shape}, outputs)
    if found != promised:
        raise damaged(package, f"{found} where the bundle promises {promised}")
    return program


def _signature(*ends: Mapping[str, tuple[int, ...]]) -> str:
    return " → ".join(", ".join(f"{name} {shape}" for name, shape in end.items()) for end in ends)


def parse_model(model_file: Path) -> Any:
    """Returns the protobuf; raises BundleError if it is none, or has no block of the function `main`."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    model = model_class()()
    try:
        model.ParseFromString(model_file.read_bytes())
    except DecodeError:
        raise damaged(model_file, "bytes that are no Core ML model") from None
    if model.WhichOneof("Type") != "mlProgram" or "main" not in model.mlProgram.functions:
        raise damaged(model_file, "no ML program with a function main")
    function = model.mlProgram.functions["main"]
    if function.opset not in function.block_specializations:
        raise damaged(model_file, f"no block for operator set {function.opset!r}")
    return model


def constant(blobs: BlobFile, value: Any) -> Value:
    """Returns a tensor's constant, from the protobuf or the weight file; raises BundleError if it is not there."""
    tensor = value.type.tensorType
    if value.WhichOneof("value") == "blobFileValue":
        blob = value.blobFileValue
        if tensor.dataType == _INT4:
            return blobs.read_four_bits(blob.fileName, blob.offset, _shape(tensor))
        return blobs.read(blob.fileName, blob.offset, _dtype(tensor.dataType), _shape(tensor))
    immediate = value.immediateValue.tensor
    if tensor.dataType == _STRING:
        (text,) = immediate.strings.values
        return str(text)
    dtype = _dtype(tensor.dataType)
    if tensor.dataType in _FIELD_OF_IMMEDIATES:
        array = np.array(getattr(immediate, _FIELD_OF_IMMEDIATES[tensor.dataType]).values, dtype)
    else:
        array = np.frombuffer(immediate.bytes.values, dtype)
    return array.reshape(_shape(tensor))


def _read(package: Path) -> MilProgram:
    model_file = root_model_file(package)
    model = parse_model(model_file)
    function = model.mlProgram.functions["main"]
    block = function.block_specializations[function.opset]
    blobs = BlobFile(model_file.parent)
    items = list(block.operations)
    classifier = read_classifier(items.pop(), model.description) if items and items[-1].type == KIND else None
    tensors = [output for output in block.outputs if not classifier or output not in classifier.outputs[:2]]
    operations = _Reader(blobs, model_file).operations(items, [item.name for item in function.inputs])
    if len(function.inputs) != 1 or not tensors:
        raise damaged(model_file, f"{len(function.inputs)} inputs and {len(tensors)} outputs instead of 1 and some")
    shapes = {operation.output: operation.shape for operation in operations}
    for output in (*tensors, *((classifier.source,) if classifier else ())):
        if output not in shapes:
            raise damaged(model_file, f"an output {output!r} that nothing computes")
    return MilProgram(
        input_name=function.inputs[0].name,
        input_shape=_shape(function.inputs[0].type.tensorType),
        colours=_colours(model.description),
        outputs={output: shapes[output] for output in tensors},
        operations=operations,
        classifier=classifier,
        structure_bytes=model_file.stat().st_size,
        weight_file_bytes=blobs.size_bytes,
        metadata=dict(model.description.metadata.userDefined),
    )


def _colours(description: Any) -> str | None:
    """Returns the order of a picture's channels, by the schema's own name; None if the input is no picture."""
    if len(description.input) != 1 or description.input[0].type.WhichOneof("Type") != "imageType":
        return None
    image = description.input[0].type.imageType
    return str(image.ColorSpace.Name(image.colorSpace))


class _Reader:
    """Reads the operations of one block in order, and checks that each uses only earlier results."""

    def __init__(self, blobs: BlobFile, model_file: Path) -> None:
        self._blobs = blobs
        self._model_file = model_file
        self._constants: dict[str, Value] = {}

    def operations(self, items: list[Any], inputs: list[str]) -> tuple[MilOperation, ...]:
        known = set(inputs)
        operations = []
        for item in items:
            operation = self._operation(item, known)
            known.add(operation.output)
            operations.append(operation)
        return tuple(operations)

    def _operation(self, item: Any, known: set[str]) -> MilOperation:
        if len(item.outputs) != 1 or item.blocks:
            raise damaged(
                self._model_file, f"an operation {item.type!r} with {len(item.outputs)} outputs or with blocks"
            )
        output = item.outputs[0]
        values = {name: constant(self._blobs, value) for name, value in item.attributes.items()}
        arguments: dict[str, tuple[str, ...]] = {}
        for parameter, argument in item.inputs.items():
            names = tuple(binding.name for binding in argument.arguments if binding.WhichOneof("binding") == "name")
            if len(argument.arguments) == 1 and argument.arguments[0].WhichOneof("binding") == "value":
                values[parameter] = constant(self._blobs, argument.arguments[0].value)
            elif len(names) == 1 and names[0] in self._constants:
                values[parameter] = self._constants[names[0]]
            elif not names or any(name not in known for name in names):
                raise damaged(self._model_file, f"{item.type} {output.name!r} that takes an unknown {parameter}")
            else:
                arguments[parameter] = names
        if item.type == "const" and "val" in values:
            self._constants[output.name] = values["val"]
        dtype = _DTYPES.get(output.type.tensorType.dataType)
        return MilOperation(
            kind=item.type,
            output=output.name,
            dtype=dtype.name if dtype is not None else "str",
            shape=_shape(output.type.tensorType),
            arguments=arguments,
            values=values,
        )


def _dtype(data_type: int) -> np.dtype[Any]:
    if data_type not in _DTYPES:
        raise BundleError(
            f"expected bool, int8, uint8, int32, float16 or float32 in a model, found MIL data type {data_type}",
            hint="export the bundle again with this SDK",
        )
    return _DTYPES[data_type]


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(int(dimension.constant.size) for dimension in tensor.dimensions)
