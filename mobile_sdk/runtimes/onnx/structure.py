"""Reads a model's content, and how ONNX Runtime executes it on this machine."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from onnx import ModelProto, TensorProto

from mobile_sdk.runtimes.base import Structure
from mobile_sdk.runtimes.damage import damage_named
from mobile_sdk.runtimes.onnx.model_file import damaged, from_bytes, read_model
from mobile_sdk.runtimes.onnx.session import open_session, options

_WEIGHTED = ("Conv", "ConvTranspose", "Gemm")
_WINDOWED = ("Conv", "ConvTranspose")
_PRODUCTS = frozenset({*_WEIGHTED, "MatMul"})


def read_structure(path: Path) -> Structure:
    """Returns the file's content, and the operators that ONNX Runtime makes of it. Raises BundleError if damaged."""
    model = read_model(path)
    with damage_named(partial(damaged, path)):
        return _structure(model, _executed(path), path)


def _structure(model: ModelProto, executed: ModelProto, path: Path) -> Structure:
    constants = {each.name: each for each in model.graph.initializer}
    layers = list(_layers(model))
    weights = [constants[weight] for _, weight, _ in layers]
    int8_weights = [each for each in weights if each.data_type == TensorProto.INT8]
    floats = [kind for (kind, _, _), each in zip(layers, weights, strict=True) if each.data_type == TensorProto.FLOAT]
    parts = {"weights": _bytes(weights), "biases": _bytes([constants[bias] for _, _, bias in layers])}
    parts["structure"] = path.stat().st_size - sum(parts.values())
    return Structure(
        operators=dict(Counter(node.op_type for node in executed.graph.node)),
        partitions=1,  # nothing but its CPU provider runs it
        not_delegated=tuple((kind, "ONNX Runtime multiplies codes in float32") for kind in _left(executed)),
        int8_weight_share=_bytes(int8_weights) / max(_bytes(weights), 1),
        float_convolutions=sum(kind in _WINDOWED for kind in floats),
        bytes_by_part=parts,
    )


def _layers(model: ModelProto) -> Iterator[tuple[str, str, str]]:
    """Yields the kind of every layer with weights, and the names of its weights and biases in the file."""
    stored = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    for node in model.graph.node:
        if node.op_type in _WEIGHTED:
            _, weight, bias = (stored.get(name, name) for name in node.input)
            yield node.op_type, weight, bias


def _left(executed: ModelProto) -> Iterator[str]:
    """Yields the products of two operands of codes that no integer kernel executes."""
    real = {node.output[0] for node in executed.graph.node if node.op_type == "DequantizeLinear"}
    for node in executed.graph.node:
        if node.op_type in _PRODUCTS and real.issuperset(node.input[:2]):
            yield node.op_type


def _executed(path: Path) -> ModelProto:
    """Returns the graph that ONNX Runtime executes, as it writes it."""
    with tempfile.TemporaryDirectory() as folder:
        chosen: Any = options(threads=1)
        chosen.optimized_model_filepath = str(Path(folder, path.name))
        open_session(path, chosen)
        return from_bytes(Path(folder, path.name).read_bytes())


def _bytes(constants: list[TensorProto]) -> int:
    return sum(len(each.raw_data) for each in constants)
