"""Builds a TFLite flatbuffer: tensors, buffers, operators; nothing here knows what a net is.

Format: TensorFlow Lite schema v3 (`tensorflow/lite/schema/schema.fbs`), written through LiteRT's own generated classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]
from numpy.typing import NDArray

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
        self._codes: dict[tuple[int, int], int] = {}
        self._operators: list[Any] = []
        self._index: dict[str, int] = {}

    def activation(
        self, name: str, shape: Sequence[int], dtype: np.dtype[Any], scale: float | None = None, zero: int = 0
    ) -> None:
        """Declares a tensor that is computed (or fed) at run time."""
        scales = None if scale is None else np.array([scale], np.float32)
        self._add_tensor(name, shape, dtype, 0, scales, zero, 0)

    def knows(self, name: str) -> bool:
        """Tells whether a tensor of that name is declared."""
        return name in self._index

    def constant(
        self, name: str, values: NDArray[Any], scales: NDArray[np.float32] | None = None, zero: int = 0, axis: int = 0
    ) -> None:
        """Declares a tensor whose values are in the file; `scales` has length 1, or one a slice along `axis`."""
        self._buffers.append(_AlignedBuffer(np.ascontiguousarray(values).tobytes()))
        self._add_tensor(name, values.shape, values.dtype, len(self._buffers) - 1, scales, zero, axis)

    def fill(self, name: str, values: NDArray[Any]) -> None:
        """Makes a declared tensor one whose values are in the file."""
        self._buffers.append(_AlignedBuffer(np.ascontiguousarray(values).tobytes()))
        self._tensors[self._index[name]].buffer = len(self._buffers) - 1

    def operator(self, kind: str, inputs: Sequence[str], output: str, version: int, options: Any = None) -> None:
        """Appends an operator, named as in the schema's BuiltinOperator; `options` is its …OptionsT object."""
        code = self._codes.setdefault((getattr(schema.BuiltinOperator, kind), version), len(self._codes))
        operator = schema.OperatorT()
        operator.opcodeIndex = code
        operator.inputs = [self._index[name] for name in inputs]
        operator.outputs = [self._index[output]]
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
            operator.builtinOptions = options
        self._operators.append(operator)

    def finish(self, input_name: str, outputs: Mapping[str, str]) -> Any:
        """Returns the schema's ModelT of everything written: one input, and tensors by their names as outputs."""
        for name, tensor in outputs.items():
            self._tensors[self._index[tensor]].name = name
        subgraph = schema.SubGraphT()
        subgraph.name = "main"
        subgraph.tensors = self._tensors
        subgraph.operators = self._operators
        subgraph.inputs = [self._index[input_name]]
        subgraph.outputs = [self._index[tensor] for tensor in outputs.values()]
        model = schema.ModelT()
        model.version = 3
        model.description = self._description
        model.operatorCodes = [_operator_code(*code) for code in self._codes]
        model.subgraphs = [subgraph]
        model.buffers = self._buffers
        return model

    def _add_tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: np.dtype[Any],
        buffer: int,
        scales: NDArray[np.float32] | None,
        zero: int,
        axis: int,
    ) -> None:
        tensor = schema.TensorT()
        tensor.name = name
        tensor.shape = [int(size) for size in shape]
        tensor.type = _TENSOR_TYPES[dtype]
        tensor.buffer = buffer
        if scales is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.asarray(scales, np.float32)
            tensor.quantization.zeroPoint = np.full(len(scales), zero, np.int64)
            tensor.quantization.quantizedDimension = axis
        self._index[name] = len(self._tensors)
        self._tensors.append(tensor)


def _operator_code(builtin: int, version: int) -> Any:
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
