"""Computes which version of an operator a file needs, and the first runtime that has all of a file's versions.

An older runtime refuses a file by these numbers, in words, where it would compute something else. Source: LiteRT's
`tflite/tools/versioning/op_version.cc` and `runtime_version.cc`, of which this is the part that the SDK writes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

Tensors = Sequence[Any]
"""These are an operator's inputs and then its output, as the schema's TensorT."""


def version_of(kind: str, tensors: Tensors, options: Any) -> int:
    """Returns the version of the operator `kind`, named as in BuiltinOperator, for these tensors and options."""
    return _RULES[kind](tensors, options)


def first_runtime(used: Iterable[tuple[str, int]]) -> str:
    """Returns the version of TensorFlow Lite, such as "2.9.0", that has all of these kinds and versions."""
    found = [_FIRST[kind][version] for kind, version in used]
    return max(found, key=lambda each: tuple(map(int, each.split("."))))


def _always(tensors: Tensors, options: Any) -> int:
    return 1


def _int8_second(tensors: Tensors, options: Any) -> int:
    return 2 if _is_int8(tensors[0]) else 1


def _more_axes(version: int, most: int = 4) -> Callable[[Tensors, Any], int]:
    """Returns the rule of a kind that needs `version` beyond `most` axes, and else 2 for int8."""
    return lambda tensors, options: version if len(tensors[0].shape) > most else _int8_second(tensors, options)


def _conv(tensors: Tensors, options: Any) -> int:
    source, weight = tensors[:2]
    if source.shape[3] != weight.shape[3]:
        return 6  # in groups
    return 3 if _is_int8(source) else 1


def _depthwise_conv(tensors: Tensors, options: Any) -> int:
    if _is_int8(tensors[0]):
        return 3
    return 2 if (options.dilationHFactor, options.dilationWFactor) != (1, 1) else 1


def _fully_connected(tensors: Tensors, options: Any) -> int:
    if tensors[1].type == schema.TensorType.INT4:
        return 10
    return 5 if options.keepNumDims else 4 if _is_int8(tensors[0]) else 1


def _transpose_conv(tensors: Tensors, options: Any) -> int:
    return 4 if options.fusedActivationFunction else 3  # 3 has a bias


def _mul(tensors: Tensors, options: Any) -> int:
    if not _is_int8(tensors[0]):
        return 1
    a, b, output = (float(tensor.quantization.scale[0]) for tensor in tensors)
    return 3 if a * b / output >= 1 else 2


def _broadcast(version: int) -> Callable[[Tensors, Any], int]:
    """Returns the rule of a kind that needs `version` for operands of two shapes, of more than four axes."""

    def rule(tensors: Tensors, options: Any) -> int:
        a, b = (list(tensor.shape) for tensor in tensors[:2])
        return version if a != b and max(len(a), len(b)) > 4 else _int8_second(tensors, options)

    return rule


def _transpose(tensors: Tensors, options: Any) -> int:
    return {5: 4, 6: 6}.get(len(tensors[0].shape), _int8_second(tensors, options))


def _resize(tensors: Tensors, options: Any) -> int:
    return 3 if options.halfPixelCenters else _int8_second(tensors, options)


def _is_int8(tensor: Any) -> bool:
    return bool(tensor.type == schema.TensorType.INT8)


_RULES: Mapping[str, Callable[[Tensors, Any], int]] = {
    "ABS": _int8_second,
    "ADD": _int8_second,
    "AVERAGE_POOL_2D": _int8_second,
    "BATCH_MATMUL": _int8_second,
    "CONCATENATION": _int8_second,
    "CONV_2D": _conv,
    "COS": _always,
    "DEPTHWISE_CONV_2D": _depthwise_conv,
    "DEQUANTIZE": _int8_second,
    "DIV": _broadcast(2),
    "ELU": _always,
    "EXP": _int8_second,
    "FULLY_CONNECTED": _fully_connected,
    "GELU": _int8_second,
    "HARD_SWISH": _always,
    "LEAKY_RELU": _always,
    "LOG": _int8_second,
    "LOGISTIC": _int8_second,
    "MAXIMUM": _broadcast(3),
    "MAX_POOL_2D": _int8_second,
    "MEAN": _int8_second,
    "MINIMUM": _broadcast(3),
    "MUL": _mul,
    "PAD": _more_axes(4),
    "QUANTIZE": _always,
    "RELU": _int8_second,
    "RELU6": _int8_second,
    "RESHAPE": _always,
    "RESIZE_BILINEAR": _resize,
    "RSQRT": _int8_second,
    "SIN": _always,
    "SLICE": _more_axes(5),
    "SOFTMAX": _int8_second,
    "SUB": _broadcast(3),
    "TANH": _int8_second,
    "TRANSPOSE": _transpose,
    "TRANSPOSE_CONV": _transpose_conv,
}

_FIRST: Mapping[str, Mapping[int, str]] = {
    "ABS": {1: "1.13.0", 2: "2.4.0"},
    "ADD": {1: "1.5.0", 2: "1.14.0"},
    "AVERAGE_POOL_2D": {1: "1.5.0", 2: "1.14.0"},
    "BATCH_MATMUL": {1: "2.3.0", 2: "2.3.0"},
    "CONCATENATION": {1: "1.5.0", 2: "1.14.0"},
    "CONV_2D": {1: "1.5.0", 3: "1.14.0", 6: "2.9.0"},
    "COS": {1: "1.14.0"},
    "DEPTHWISE_CONV_2D": {1: "1.5.0", 2: "1.12.0", 3: "1.14.0"},
    "DEQUANTIZE": {1: "1.13.1", 2: "1.14.0"},
    "DIV": {1: "1.6.0", 2: "2.3.0"},
    "ELU": {1: "1.14.0"},
    "EXP": {1: "1.7.0", 2: "2.12.0"},
    "FULLY_CONNECTED": {1: "1.5.0", 4: "1.14.0", 5: "2.0.0", 10: "2.11.0"},
    "GELU": {1: "2.9.0", 2: "2.9.0"},
    "HARD_SWISH": {1: "1.15.0"},
    "LEAKY_RELU": {1: "1.13.1"},
    "LOG": {1: "1.14.0", 2: "2.15.0"},
    "LOGISTIC": {1: "1.14.0", 2: "1.14.0"},
    "MAXIMUM": {1: "1.14.0", 2: "1.14.0", 3: "2.3.0"},
    "MAX_POOL_2D": {1: "1.5.0", 2: "1.14.0"},
    "MEAN": {1: "1.6.0", 2: "1.14.0"},
    "MINIMUM": {1: "1.14.0", 2: "1.14.0", 3: "2.3.0"},
    "MUL": {1: "1.5.0", 2: "1.14.0", 3: "1.15.0"},
    "PAD": {1: "1.5.0", 2: "1.14.0", 4: "2.6.0"},
    "QUANTIZE": {1: "1.14.0"},
    "RELU": {1: "1.5.0", 2: "2.1.0"},
    "RELU6": {1: "1.5.0", 2: "1.14.0"},
    "RESHAPE": {1: "1.5.0"},
    "RESIZE_BILINEAR": {1: "1.7.0", 2: "1.14.0", 3: "2.2.0"},
    "RSQRT": {1: "1.10.0", 2: "2.5.0"},
    "SIN": {1: "1.9.0"},
    "SLICE": {1: "1.14.0", 2: "1.14.0", 5: "2.5.0"},
    "SOFTMAX": {1: "1.5.0", 2: "1.14.0"},
    "SUB": {1: "1.6.0", 2: "1.14.0", 3: "2.3.0"},
    "TANH": {1: "1.14.0", 2: "1.14.0"},
    "TRANSPOSE": {1: "1.6.0", 2: "1.14.0", 4: "2.3.0", 6: "2.12.0"},
    "TRANSPOSE_CONV": {3: "2.3.0", 4: "2.13.0"},
}
"""It maps every version that the rules above give to the first TensorFlow Lite that has it."""
