"""Writes products of two matrices, softmax, and normalisation by a tensor's own values."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]
from numpy.typing import NDArray

from mobile_sdk.graph.operators import MatMul, Normalize, Softmax
from mobile_sdk.runtimes.shapes import normalized_axes, runtime_shape
from mobile_sdk.runtimes.tflite.model_writer import ModelWriter
from mobile_sdk.runtimes.tflite.operators.table import write


@write.of(MatMul)
def _matmul(operator: MatMul, file: ModelWriter) -> None:
    operands = [operator.a.name, operator.b.name]
    file.operator("BATCH_MATMUL", operands, operator.output.name, schema.BatchMatMulOptionsT())


@write.of(Softmax)
def _softmax(operator: Softmax, file: ModelWriter) -> None:
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    file.operator("SOFTMAX", [operator.input.name], operator.output.name, options)


@write.of(Normalize)
def _normalize(operator: Normalize, file: ModelWriter) -> None:
    """Writes MEAN, SUB, MUL, MEAN, ADD, RSQRT, MUL, and a MUL and an ADD for gains and offsets."""
    chain = _Chain(file, operator.output.name)
    shape, axes = normalized_axes(operator)
    whole = runtime_shape(operator.output.shape)
    value = operator.input.name if shape == whole else chain.reshape(operator.input.name, "grouped", shape)
    if operator.is_centred:
        mean = chain.mean(value, "mean", shape, axes)
        value = chain.operate("SUB", [value, mean], "centred", shape, schema.SubOptionsT())
    square = chain.operate("MUL", [value, value], "square", shape, schema.MulOptionsT())
    variance = chain.mean(square, "variance", shape, axes)
    few = _kept(shape, axes)
    epsilon = chain.constant("epsilon", np.array([operator.epsilon], np.float32))
    shifted = chain.operate("ADD", [variance, epsilon], "shifted", few, schema.AddOptionsT())
    scale = chain.operate("RSQRT", [shifted], "scale", few, None)
    value = chain.operate("MUL", [value, scale], "scaled", shape, schema.MulOptionsT())
    if shape != whole:
        value = chain.reshape(value, "joined", whole)
    gain, offset = chain.constant("gain", operator.gain), chain.constant("offset", operator.offset)
    value = chain.operate("MUL", [value, gain], "gained", whole, schema.MulOptionsT())
    file.operator("ADD", [value, offset], operator.output.name, schema.AddOptionsT())


class _Chain:
    """Appends float32 operators whose tensors are named after one output."""

    def __init__(self, file: ModelWriter, output: str) -> None:
        self._file, self._output = file, output

    def operate(self, kind: str, inputs: list[str], name: str, shape: tuple[int, ...], options: Any) -> str:
        name = f"{self._output}.{name}"
        self._file.activation(name, shape, np.dtype(np.float32))
        self._file.operator(kind, inputs, name, options)
        return name

    def constant(self, name: str, values: NDArray[Any]) -> str:
        self._file.constant(f"{self._output}.{name}", values)
        return f"{self._output}.{name}"

    def mean(self, source: str, name: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> str:
        options = schema.ReducerOptionsT()
        options.keepDims = True
        over = self.constant(f"{name}.axes", np.array(axes, np.int32))
        return self.operate("MEAN", [source, over], name, _kept(shape, axes), options)

    def reshape(self, source: str, name: str, shape: tuple[int, ...]) -> str:
        wanted = self.constant(f"{name}.shape", np.array(shape, np.int32))
        return self.operate("RESHAPE", [source, wanted], name, shape, schema.ReshapeOptionsT())


def _kept(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
