"""Builds a TFLite flatbuffer: tensors, buffers, operators; nothing here knows what a net is.

Format: TensorFlow Lite schema v3 (`tensorflow/lite/schema/schema.fbs`), written through LiteRT's own generated classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]
from numpy.typing import NDArray

from mobile_sdk.graph.layout.nibbles import packed
from mobile_sdk.runtimes.tflite.versions import first_runtime, version_of

SIGNATURE = "serving_default"
"""It is the usual key of a file's only signature."""
RUNTIME_VERSION, METADATA = "min_runtime_version", "TFLITE_METADATA"
"""These are the names of a file's metadata, by which TensorFlow Lite's tools find them."""
_VERSION_BYTES = 16  # of the version, zeros behind it; tools write it in place (`runtime_version.cc`)
_TENSOR_TYPES = {
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.uint8): schema.TensorType.UINT8,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.float32): schema.TensorType.FLOAT32,
}
_ALIGNMENT = 16  # bytes; schema.fbs requires it of every buffer, so that runtimes can map the file and compute in place


class Writer:
    """Collects one subgraph and serialises it. Tensors are identified by name; shapes are the runtime's (NHWC)."""

    def __init__(self, description: str) -> None:
        self._description = description
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [schema.BufferT()]  # buffer 0 is the empty one, by convention
        self._codes: dict[tuple[str, int], int] = {}  # kind and version → place
        self._operators: list[Any] = []
        self._index: dict[str, int] = {}

    def activation(
        self, name: str, shape: Sequence[int], dtype: np.dtype[Any], scale: float | None = None, zero: int = 0
    ) -> None:
        """Declares a tensor that is computed (or fed) at run time."""
        scales = None if scale is None else np.array([scale], np.float32)
        self._add_tensor(name, shape, _TENSOR_TYPES[dtype], 0, scales, zero, 0)

    def knows(self, name: str) -> bool:
        """Tells whether a tensor of that name is declared."""
        return name in self._index

    def constant(
        self, name: str, values: NDArray[Any], scales: NDArray[np.float32] | None = None, zero: int = 0, axis: int = 0
    ) -> None:
        """Declares a tensor whose values are in the file; `scales` has length 1, or one a slice along `axis`."""
        self._buffers.append(_AlignedBuffer(np.ascontiguousarray(values).tobytes()))
        self._add_tensor(name, values.shape, _TENSOR_TYPES[values.dtype], len(self._buffers) - 1, scales, zero, axis)

    def four_bit_constant(self, name: str, codes: NDArray[np.int8], scales: NDArray[np.float32]) -> None:
        """Declares a tensor whose 4-bit codes are in the file, two a byte, with a scale for each of its rows."""
        self._buffers.append(_AlignedBuffer(packed(codes).tobytes()))
        self._add_tensor(name, codes.shape, schema.TensorType.INT4, len(self._buffers) - 1, scales, 0, 0)

    def fill(self, name: str, values: NDArray[Any]) -> None:
        """Makes a declared tensor one whose values are in the file."""
        self._buffers.append(_AlignedBuffer(np.ascontiguousarray(values).tobytes()))
        self._tensors[self._index[name]].buffer = len(self._buffers) - 1

    def operator(self, kind: str, inputs: Sequence[str], output: str, options: Any = None) -> None:
        """Appends an operator, named as in the schema's BuiltinOperator; `options` is its …OptionsT object."""
        tensors = [self._tensors[self._index[name]] for name in (*inputs, output)]
        code = self._codes.setdefault((kind, version_of(kind, tensors, options)), len(self._codes))
        operator = schema.OperatorT()
        operator.opcodeIndex = code
        operator.inputs = [self._index[name] for name in inputs]
        operator.outputs = [self._index[output]]
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
            operator.builtinOptions = options
        self._operators.append(operator)

    def finish(self, inputs: Mapping[str, str], outputs: Mapping[str, str], metadata: bytes) -> Any:
        """Returns the schema's ModelT of everything written, whose ends are these tensors under these names.

        They are the signature too. `metadata` is what TFLITE_METADATA holds.
        """
        for name, tensor in (*inputs.items(), *outputs.items()):
            self._tensors[self._index[tensor]].name = name
        first = first_runtime(self._codes).encode()
        held = {RUNTIME_VERSION: first.ljust(_VERSION_BYTES, b"\0"), METADATA: metadata}
        subgraph = schema.SubGraphT()
        subgraph.name = "main"
        subgraph.tensors = self._tensors
        subgraph.operators = self._operators
        subgraph.inputs = [self._index[tensor] for tensor in inputs.values()]
        subgraph.outputs = [self._index[tensor] for tensor in outputs.values()]
        model = schema.ModelT()
        model.version = 3
        model.description = self._description
        model.operatorCodes = [_operator_code(*code) for code in self._codes]
        model.subgraphs = [subgraph]
        model.signatureDefs = [_signature(subgraph, list(inputs), list(outputs))]
        model.metadata = [self._metadata(name, data) for name, data in held.items()]
        model.buffers = self._buffers
        return model

    def _metadata(self, name: str, data: bytes) -> Any:
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, len(self._buffers)
        self._buffers.append(_AlignedBuffer(data))
        return entry

    def _add_tensor(
        self,
        name: str,
        shape: Sequence[int],
        tensor_type: int,
        buffer: int,
        scales: NDArray[np.float32] | None,
        zero: int,
        axis: int,
    ) -> None:
        tensor = schema.TensorT()
        tensor.name = name
        tensor.shape = [int(size) for size in shape]
        tensor.type = tensor_type
        tensor.buffer = buffer
        if scales is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.asarray(scales, np.float32)
            tensor.quantization.zeroPoint = np.full(len(scales), zero, np.int64)
            tensor.quantization.quantizedDimension = axis
        self._index[name] = len(self._tensors)
        self._tensors.append(tensor)


def _signature(subgraph: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """Returns the names by which an app asks for the ends of the model."""
    signature = schema.SignatureDefT()
    signature.signatureKey = SIGNATURE
    signature.inputs = list(map(_named_tensor, inputs, subgraph.inputs))
    signature.outputs = list(map(_named_tensor, outputs, subgraph.outputs))
    return signature


def _named_tensor(name: str, index: int) -> Any:
    named = schema.TensorMapT()
    named.name, named.tensorIndex = name, index
    return named


def _operator_code(kind: str, version: int) -> Any:
    builtin = getattr(schema.BuiltinOperator, kind)
    code = schema.OperatorCodeT()
    code.builtinCode = builtin
    code.deprecatedBuiltinCode = min(builtin, schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)
    code.version = version
    return code


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """Replaces BufferT, whose `Pack` ignores the schema's `force_align` on `data`."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data=data)

    def Pack(self, builder: Any) -> int:  # noqa: N802 (the generated classes' own name)
        """Returns the offset of the buffer in `builder`."""
        size = len(self.data)
        builder.StartVector(1, size, _ALIGNMENT)
        builder.head -= size
        builder.Bytes[builder.head : builder.head + size] = self.data
        vector = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, vector)
        return int(schema.BufferEnd(builder))
