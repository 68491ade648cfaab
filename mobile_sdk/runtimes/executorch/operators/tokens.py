"""Writes products of two matrices, softmax, and normalisation by a tensor's own values."""

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
    if 1 not in axes:
        return source
    if 2 in axes:
        mean = file.value([1, 1, 1, last], None)
        file.unary("XNNGlobalAvgPooling2d", source, mean, flags=KEEP_DIMS)
        return mean
    _, height, groups = others  # a mean over axis 1 alone: groups stand where channels do
    as_map, mean, result = (
        file.value(dims, None) for dims in ([1, height, 1, groups], [1, 1, 1, groups], [1, 1, groups, 1])
    )
    file.reshape(source, as_map, (1, height, 1, groups))
    file.unary("XNNGlobalAvgPooling2d", as_map, mean, flags=KEEP_DIMS)
    file.reshape(mean, result, (1, 1, groups, 1))
    return result
