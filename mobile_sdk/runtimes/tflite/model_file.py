"""Reads a .tflite back: its content, and how LiteRT splits it between XNNPACK and its own kernels."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.runtimes.base import Structure, of_int4
from mobile_sdk.runtimes.damage import damage_named
from mobile_sdk.runtimes.tflite.description.labels_archive import separated
from mobile_sdk.runtimes.tflite.file_format import damaged, read_model
from mobile_sdk.runtimes.tflite.session import open_interpreter

_BUILTIN_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int) and name.isupper()
}
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_OWN_KERNEL = {
    "HARD_SWISH": "XNNPACK takes it in float32 only",
}


def read_structure(path: Path) -> Structure:
    """Returns the file's content and its split. Raises BundleError if it is damaged."""
    model = read_model(path)
    with damage_named(partial(damaged, path)):
        return _structure(model, path)


def _structure(model: Any, path: Path) -> Structure:
    graph = model.subgraphs[0]
    names = [_BUILTIN_NAMES.get(code.builtinCode, str(code.builtinCode)) for code in model.operatorCodes]
    kinds = [names[operator.opcodeIndex] for operator in graph.operators]
    layers = [(kind, op.inputs) for op, kind in zip(graph.operators, kinds, strict=True) if kind in _WEIGHTED]
    weights = [graph.tensors[inputs[1]] for _, inputs in layers]
    biases = [graph.tensors[inputs[2]] for _, inputs in layers]
    integers = [weight for weight in weights if weight.type in (schema.TensorType.INT8, schema.TensorType.INT4)]
    partitions, left = _split(path)
    part_bytes = _bytes_by_part(model, path.read_bytes(), weights, biases)
    return Structure(
        operators=dict(Counter(_in_words(model, op, kind) for op, kind in zip(graph.operators, kinds, strict=True))),
        partitions=partitions,
        not_delegated=tuple((kind, _OWN_KERNEL.get(kind, "XNNPACK refused it")) for kind in left),
        int8_weight_share=_bytes(model, integers) / max(_bytes(model, weights), 1),
        float_convolutions=sum(
            kind != "FULLY_CONNECTED" and weight.type == schema.TensorType.FLOAT32
            for (kind, _), weight in zip(layers, weights, strict=True)
        ),
        bytes_by_part=part_bytes,
    )


def _in_words(model: Any, operator: Any, kind: str) -> str:
    """Returns the operator's kind, and the type of its weights where that is int4."""
    if kind not in _WEIGHTED:
        return kind
    weight = model.subgraphs[0].tensors[operator.inputs[1]]
    return of_int4(kind) if weight.type == schema.TensorType.INT4 else kind


def tensor_details(path: Path) -> Mapping[str, tuple[float, int]]:
    """Returns name → (scale, zero point) of every tensor with one scale."""
    tensors = read_model(path).subgraphs[0].tensors
    return {
        tensor.name.decode(): (float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0]))
        for tensor in tensors
        if tensor.quantization is not None
        and tensor.quantization.scale is not None
        and len(tensor.quantization.scale) == 1
    }


def _bytes_by_part(model: Any, data: bytes, weights: list[Any], biases: list[Any]) -> dict[str, int]:
    """Returns what the file is made of: equal constants stand in it once."""
    file, _ = separated(data)
    parts = {"weights": weights, "biases": biases, "metadata": model.metadata or []}
    counted: set[bytes] = set()
    sizes = {}
    for name, holders in parts.items():
        new = {bytes(model.buffers[holder.buffer].data) for holder in holders} - counted
        sizes[name] = sum(map(len, new))
        counted |= new
    sizes["structure"] = len(file) - sum(sizes.values())
    sizes["labels"] = len(data) - len(file)
    return {name: size for name, size in sizes.items() if size}


def _bytes(model: Any, tensors: list[Any]) -> int:
    """Returns the bytes of weights, as `Structure.int8_weight_share` counts them: one for one of 4 bits."""
    four = schema.TensorType.INT4
    return sum(len(model.buffers[each.buffer].data) * (2 if each.type == four else 1) for each in tensors)


def _split(path: Path) -> tuple[int, list[str]]:
    """Returns how many delegate partitions LiteRT makes, and the operators that it keeps for its own kernels.

    A delegated operator's output is inside XNNPACK: LiteRT allocates it only if it leaves a partition.
    """
    interpreter = open_interpreter(path, threads=1)
    details = interpreter._get_ops_details()  # the only view of the plan that LiteRT's Python has
    delegates = [op for op in details if op["op_name"] == "DELEGATE"]
    leaving = {int(index) for op in delegates for index in op["outputs"]}
    kept = [
        op["op_name"]
        for op in details
        if op["op_name"] != "DELEGATE" and int(op["outputs"][0]) not in leaving and _is_allocated(interpreter, op)
    ]
    return len(delegates), kept


def _is_allocated(interpreter: Any, op: Mapping[str, Any]) -> bool:
    try:
        interpreter.get_tensor(int(op["outputs"][0]))
    except ValueError:
        return False
    return True
