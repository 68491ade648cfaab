"""Writes products of two matrices, softmax, and normalisation by a tensor's own values."""

from math import prod

import numpy as np

from mobile_sdk.graph.operators import MatMul, Normalize, Softmax
from mobile_sdk.runtimes.executorch.node_writer import NodeWriter
from mobile_sdk.runtimes.executorch.operators.pooling import KEEP_DIMS
from mobile_sdk.runtimes.executorch.operators.table import write
from mobile_sdk.runtimes.shapes import normalized_axes, runtime_shape


@write.of(MatMul)
def _matmul(operator: MatMul, file: NodeWriter, inputs: list[int], output: int) -> None:
    file.binary("XNNBatchMatrixMultiply", inputs[0], inputs[1], output)


@write.of(Softmax)
def _softmax(operator: Softmax, file: NodeWriter, inputs: list[int], output: int) -> None:
    file.unary("XNNSoftmax", inputs[0], output)


@write.of(Normalize)
def _normalize(operator: Normalize, file: NodeWriter, inputs: list[int], output: int) -> None:
    shape, axes = normalized_axes(operator)
    whole = runtime_shape(operator.output.shape)
    few = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    value = inputs[0]
    if shape != whole:
        value, source = file.value(list(shape), None), value
        file.reshape(source, value, shape)
    if operator.is_centred:
        value = _binary(file, "XNNSubtract", value, _mean(file, value, shape, axes), shape)
    variance = _mean(file, _binary(file, "XNNMultiply", value, value, shape), shape, axes)
    shifted = _binary(file, "XNNAdd", variance, file.scalar(np.float32(operator.epsilon)), few)
    scale = file.value(list(few), None)
    file.unary("XNNReciprocalSquareRoot", shifted, scale)
    value = _binary(file, "XNNMultiply", value, scale, shape)
    if shape != whole:
        value, source = file.value(list(whole), None), value
        file.reshape(source, value, whole)
    gained = _binary(file, "XNNMultiply", value, file.constants(operator.gain), whole)
    file.binary("XNNAdd", gained, file.constants(operator.offset), output)


def _binary(file: NodeWriter, kind: str, a: int, b: int, shape: tuple[int, ...]) -> int:
    result = file.value(list(shape), None)
    file.binary(kind, a, b, result)
    return result


def _mean(file: NodeWriter, source: int, shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    """Returns the mean; ExecuTorch's XNNPACK has one over a map alone, and one over channels is a linear layer."""
    *others, last = shape
    if len(shape) - 1 in axes:
        mean = file.value([*others, 1], None)
        weight = np.full((1, last), 1 / last, np.float32)
        parameters = {
            "filter_id": file.channelwise(weight, None, 0),
            "bias_id": file.channelwise(np.zeros(1, np.float32), None, 0),
        }
        file.node("XNNFullyConnected", {"input1_id": source, **parameters, "output_id": mean, "flags": 0})
        source, last = mean, 1
    left = [*others, last]
    is_map = len(shape) == 4 and {1, 2} <= set(axes)
    for span in [range(1, 3)] if is_map else [range(axis, axis + 1) for axis in axes if axis < len(others)]:
        source = _mean_over(file, source, left, span)
        left = [1 if axis in span else size for axis, size in enumerate(left)]
    return source


def _mean_over(file: NodeWriter, source: int, shape: list[int], span: range) -> int:
    """Returns the mean over axes side by side: those of a map, or as the pixels of as many maps as stand before."""
    few = [1 if axis in span else size for axis, size in enumerate(shape)]
    result = file.value(few, None)
    if len(shape) == 4 and span == range(1, 3):
        file.unary("XNNGlobalAvgPooling2d", source, result, flags=KEEP_DIMS)
        return result
    maps, channels = prod(shape[: span.start]), prod(shape[span.stop :])
    whole, pooled = (maps, prod(shape[span.start : span.stop]), 1, channels), (maps, 1, 1, channels)
    as_maps, means = file.value(list(whole), None), file.value(list(pooled), None)
    file.reshape(source, as_maps, whole)
    file.unary("XNNGlobalAvgPooling2d", as_maps, means, flags=KEEP_DIMS)
    file.reshape(means, result, tuple(few))
    return result
