"""Builds XNNPACK's graph as the dictionary that its schema encodes: nodes, values, constants."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.layout.nibbles import packed
from mobile_sdk.graph.operators import Clamp, Constant, Graph, Operator, Quantization, Tensor
from mobile_sdk.runtimes.executorch.fields import NO_VALUE, tensor_fields
from mobile_sdk.runtimes.shapes import MOST_PARTS, runtime_shape

NAMED = 2**64 - 1  # the offset of a constant that is found by its name
EXTERNAL_INPUT, EXTERNAL_OUTPUT = 1, 2  # XNN_VALUE_FLAG_EXTERNAL_*
_BOUNDS: Mapping[Clamp, dict[str, float] | None] = {
    Clamp.NONE: None,
    Clamp.RELU: {"output_min": 0.0, "output_max": float("inf")},
    Clamp.RELU6: {"output_min": 0.0, "output_max": 6.0},
}


@dataclass(frozen=True, kw_only=True)
class Delegate:
    """Holds XNNPACK's graph and the constants that it finds by name.

    A node's `debug_handle` is its operator's index.
    """

    graph: Mapping[str, Any]
    constants: Mapping[str, bytes]


class NodeWriter:
    """Collects nodes, operator by operator; values are identified by their ids.

    `idle` names the outputs of functions to which a node is added that computes nothing (`table_fusion.py`).
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._index = 0
        self._nodes: list[dict[str, Any]] = []
        self._values: list[dict[str, Any]] = []
        self._constant_data: list[dict[str, Any]] = [{"offset": 0, "size": 0, "named_key": ""}]
        self._constants: dict[str, bytes] = {}
        self._ids: dict[str, int] = {}
        self.idle: frozenset[str] = frozenset()
        self._declare(graph.input, external=0, flags=EXTERNAL_INPUT)

    def begin(self, index: int, operator: Operator) -> tuple[list[int], int]:
        """Returns the ids of the operands and of the output; the nodes that follow belong to this operator."""
        self._index = index
        inputs = [self._operand(operand) for operand in operator.inputs]
        outputs = self._graph.outputs
        is_output = operator.output in outputs
        outside = {"external": 1 + outputs.index(operator.output), "flags": EXTERNAL_OUTPUT} if is_output else {}
        return inputs, self._declare(operator.output, **outside)

    def finish(self) -> Delegate:
        """Returns the delegate; the writer is not used afterwards."""
        graph = {
            "version": "0",
            "xnodes": self._nodes,
            "xvalues": self._values,
            "num_externs": 1 + len(self._graph.outputs),
            "input_ids": [self._ids[self._graph.input.name]],
            "output_ids": [self._ids[output.name] for output in self._graph.outputs],
            "constant_data": self._constant_data,
        }
        return Delegate(graph=graph, constants=self._constants)

    def node(self, kind: str, fields: Mapping[str, Any], clamp: Clamp = Clamp.NONE) -> None:
        """Appends a node of any fields."""
        node = {"xnode_union": (kind, fields), "debug_handle": self._index}
        self._nodes.append({**node, "output_min_max": _BOUNDS[clamp]})

    def unary(
        self, kind: str, source: int, output: int, *, flags: int = 0, clamp: Clamp = Clamp.NONE, **extra: Any
    ) -> None:
        """Appends a node of one operand."""
        self.node(kind, {"input_id": source, "output_id": output, "flags": flags, **extra}, clamp)

    def binary(self, kind: str, a: int, b: int, output: int, clamp: Clamp = Clamp.NONE) -> None:
        """Appends a node of two operands."""
        self.node(kind, {"input1_id": a, "input2_id": b, "output_id": output, "flags": 0}, clamp)

    def concatenate(self, inputs: list[int], output: int, axis: int) -> None:
        """Joins `MOST_PARTS` values at most along an axis of the phone's shape."""
        if len(inputs) == 1:
            return self.unary("XNNCopy", inputs[0], output)
        padded = inputs + [NO_VALUE] * (MOST_PARTS - len(inputs))
        ids = {f"input{number}_id": value for number, value in enumerate(padded, start=1)}
        return self.node(f"XNNConcatenate{len(inputs)}", {**ids, "axis": axis, "output_id": output, "flags": 0})

    def reshape(self, source: int, output: int, shape: tuple[int, ...]) -> None:
        """Appends a node that gives values another shape."""
        self.unary("XNNStaticReshape", source, output, num_dims=len(shape), new_shape=list(shape))

    def value(
        self,
        dims: list[int],
        grid: Quantization | None,
        *,
        buffer: int = 0,
        external: int = NO_VALUE,
        flags: int = 0,
    ) -> int:
        """Declares a value; returns its id."""
        if grid is None:
            return self._append(tensor_fields("xnn_datatype_fp32", dims, buffer, external, flags), None)
        parameters = {"scale": grid.scale, "zero_point": grid.zero_point}
        return self._append(
            tensor_fields("xnn_datatype_qint8", dims, buffer, external, flags), ("PerTensorQuant", parameters)
        )

    def fill(self, value: int, array: NDArray[Any]) -> None:
        """Makes a declared value one whose numbers are in the file."""
        _, fields = self._values[value]["xvalue_union"]
        fields.get("tensor_value", fields)["constant_buffer_idx"] = self._store(array)

    def constants(self, array: NDArray[np.float32]) -> int:
        """Returns the id of float32 constants."""
        return self.value(list(array.shape), None, buffer=self._store(array))

    def scalar(self, value: np.generic, grid: Quantization | None = None) -> int:
        """Returns the id of one constant."""
        return self.value([1], grid, buffer=self._store(np.array([value])))

    def channelwise(
        self, array: NDArray[Any], scales: NDArray[np.float32] | None, channel: int, *, bits: int = 8
    ) -> int:
        """Returns the id of parameters with a scale for each slice along the axis `channel`; float32 without scales.

        Codes of 4 bits lie two a byte, as numbers without a sign around 8: XNNCompiler.cpp gives them that zero point.
        """
        buffer = self._store(packed(array, zero_point=8) if bits == 4 else array)
        if scales is None:
            return self.value(list(array.shape), None, buffer=buffer)
        parameters = {"channel_dim": channel, "scale_buffer_idx": self._store(scales), "num_scales": len(scales)}
        datatype = f"xnn_datatype_qcint{bits if array.dtype == np.int8 else 32}"
        return self._append(tensor_fields(datatype, list(array.shape), buffer), ("PerChannelQuant", parameters))

    def _operand(self, operand: Tensor | Constant) -> int:
        if isinstance(operand, Tensor):
            return self._ids[operand.name]
        dtype = np.float32 if operand.quantization is None else np.int8
        return self.scalar(dtype(operand.value), operand.quantization)

    def _declare(self, tensor: Tensor, external: int = NO_VALUE, flags: int = 0) -> int:
        dims, grid = list(runtime_shape(tensor.shape)), tensor.quantization
        return self._ids.setdefault(tensor.name, self.value(dims, grid, external=external, flags=flags))

    def _append(self, tensor: dict[str, Any], parameters: tuple[str, dict[str, Any]] | None) -> int:
        tensor["id_out"] = len(self._values)
        quantized = {"tensor_value": tensor, "quant_params": parameters}
        union = ("XNNTensorValue", tensor) if parameters is None else ("XNNQuantizedTensorValue", quantized)
        self._values.append({"xvalue_union": union})
        return int(tensor["id_out"])

    def _store(self, array: NDArray[Any]) -> int:
        """Returns the index of a constant; equal bytes are stored once in the file."""
        data = np.ascontiguousarray(array).tobytes()
        key = hashlib.sha256(data).hexdigest()
        self._constants[key] = data
        self._constant_data.append({"offset": NAMED, "size": len(data), "named_key": key})
        return len(self._constant_data) - 1
