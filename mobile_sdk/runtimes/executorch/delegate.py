"""A graph as the XNNPACK delegate's own graph, number by number: nothing is traced, partitioned or re-quantized.

ExecuTorch's lowering turns float biases into int32 once more (`operators/quant_params.py`), in float32, and can be one
off; here the integers themselves are written. Activations are NHWC from the first byte, so no transpose is needed, and
the whole net is one delegate. Terms and field names are those of `backends/xnnpack/serialization/schema.fbs`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import (
    Activation,
    ActivationKind,
    Add,
    AvgPool2d,
    ChannelShuffle,
    ChannelSlice,
    Clamp,
    Concat,
    Constant,
    Conv2d,
    DecodeBoxes,
    Dequantize,
    Graph,
    JoinRows,
    Linear,
    MaxPool2d,
    Mean,
    Mul,
    Operator,
    Quantization,
    Quantize,
    Reshape,
    ResizeBilinear,
    Rows,
    Tensor,
)
from mobile_sdk.runtimes.executorch.boxes import MOST_PARTS, write_boxes
from mobile_sdk.runtimes.executorch.fields import NO_VALUE, pair_fields, slice_fields, tensor_fields, window_fields
from mobile_sdk.runtimes.shapes import runtime_shape

NAMED = 2**64 - 1  # the offset of a constant that is found by its name
KEEP_DIMS = 0x40  # XNN_FLAG_KEEP_DIMS
EXTERNAL_INPUT, EXTERNAL_OUTPUT = 1, 2  # XNN_VALUE_FLAG_EXTERNAL_*
_BOUNDS: Mapping[Clamp, dict[str, float] | None] = {
    Clamp.NONE: None,
    Clamp.RELU: {"output_min": 0.0, "output_max": float("inf")},
    Clamp.RELU6: {"output_min": 0.0, "output_max": 6.0},
}


@dataclass(frozen=True, kw_only=True)
class Delegate:
    """XNNPACK's graph and the constants that it finds by name. A node's `debug_handle` is its operator's index."""

    graph: Mapping[str, Any]
    constants: Mapping[str, bytes]


def build_delegate(graph: Graph) -> Delegate:
    """Writes every operator of `graph`; raises CompileError with module path where XNNPACK has none."""
    writer = _Writer(graph)
    for index, operator in enumerate(graph.operators):
        writer.write(index, operator)
    return writer.finish()


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._index = 0
        self._nodes: list[dict[str, Any]] = []
        self._values: list[dict[str, Any]] = []
        self._constant_data: list[dict[str, Any]] = [{"offset": 0, "size": 0, "named_key": ""}]
        self._constants: dict[str, bytes] = {}
        self._ids: dict[str, int] = {}
        self._declare(graph.input, external=0, flags=EXTERNAL_INPUT)

    def write(self, index: int, operator: Operator) -> None:
        """Appends the nodes of one operator."""
        self._index = index
        is_output = operator.output is self._graph.output
        inputs = [self._operand(operand) for operand in operator.inputs]
        outside = {"external": 1, "flags": EXTERNAL_OUTPUT} if is_output else {}
        output = self._declare(operator.output, **outside)
        match operator:
            case Conv2d():
                self._convolution(operator, inputs[0], output)
            case Linear():
                self._linear(operator, inputs[0], output)
            case Add() | Mul():
                kind = "XNNAdd" if isinstance(operator, Add) else "XNNMultiply"
                self.binary(kind, inputs[0], inputs[1], output, operator.clamp)
            case MaxPool2d() | AvgPool2d():
                self._pool(operator, inputs[0], output)
            case Concat() | JoinRows():
                self._concat(operator, inputs, output)
            case Rows(start=start):
                begin, size = (0, start, 0, 0), runtime_shape(operator.output.shape)
                self.unary("XNNStaticSlice", inputs[0], output, num_dims=4, offsets=begin, sizes=size)
            case Activation():
                self._activation(operator, inputs[0], output)
            case DecodeBoxes():
                write_boxes(self, operator, inputs, output)
            case _:
                self._rearrange(operator, inputs[0], output)

    def finish(self) -> Delegate:
        """The delegate; the writer is not used afterwards."""
        graph = {
            "version": "0",
            "xnodes": self._nodes,
            "xvalues": self._values,
            "num_externs": 2,
            "input_ids": [self._ids[self._graph.input.name]],
            "output_ids": [self._ids[self._graph.output.name]],
            "constant_data": self._constant_data,
        }
        return Delegate(graph=graph, constants=self._constants)

    def _convolution(self, operator: Conv2d, source: int, output: int) -> None:
        channels, per_group, height, width = operator.weight.shape
        # A depthwise filter is (1, KH, KW, O), any other (O, KH, KW, I/groups).
        order = (1, 2, 3, 0) if operator.is_depthwise else (0, 2, 3, 1)
        channel = 3 if operator.is_depthwise else 0
        filter_id, bias_id = self._parameters(operator, operator.weight.transpose(order), channel)
        fields = {
            **window_fields("padding", operator.padding),
            **pair_fields("kernel", (height, width)),
            **pair_fields("subsampling", operator.stride),
            **pair_fields("dilation", operator.dilation),
            **pair_fields("adjustment", (0, 0)),
            "group_input_channels": per_group,
            "group_output_channels": channels // operator.groups,
            "groups": operator.groups,
            "input1_id": source,
            "filter_id": filter_id,
            "bias_id": bias_id,
            "output_id": output,
            "flags": 0,
        }
        self._node("XNNDepthwiseConv2d" if operator.is_depthwise else "XNNConv2d", fields, operator.clamp)

    def _linear(self, operator: Linear, source: int, output: int) -> None:
        filter_id, bias_id = self._parameters(operator, operator.weight, 0)
        ids = {"input1_id": source, "filter_id": filter_id, "bias_id": bias_id, "output_id": output}
        self._node("XNNFullyConnected", {**ids, "flags": 0}, operator.clamp)

    def _pool(self, operator: MaxPool2d | AvgPool2d, source: int, output: int) -> None:
        kind = "XNNMaxPooling2d" if isinstance(operator, MaxPool2d) else "XNNAvgPooling2d"
        window = {
            **window_fields("padding", operator.padding),
            **pair_fields("pooling", operator.kernel),
            **pair_fields("stride", operator.stride),
            **pair_fields("dilation", (1, 1)),
        }
        self._node(kind, {**window, "input_id": source, "output_id": output, "flags": KEEP_DIMS})

    def _concat(self, operator: Concat | JoinRows, inputs: list[int], output: int) -> None:
        """One node takes two to five parts; more are joined in a chain, which changes no value."""
        axis = 1 if isinstance(operator, JoinRows) else len(operator.output.shape)
        dims, sizes = (
            list(runtime_shape(operator.output.shape)),
            [runtime_shape(part.shape)[axis] for part in operator.parts],
        )
        while len(inputs) > MOST_PARTS:
            sizes = [sum(sizes[:MOST_PARTS]), *sizes[MOST_PARTS:]]
            dims[axis] = sizes[0]
            joined = self.value(list(dims), operator.output.quantization)
            self.concatenate(inputs[:MOST_PARTS], joined, axis)
            inputs = [joined, *inputs[MOST_PARTS:]]
        self.concatenate(inputs, output, axis)

    def concatenate(self, inputs: list[int], output: int, axis: int) -> None:
        """Joins five values at most along an axis of the phone's shape."""
        if len(inputs) == 1:
            return self.unary("XNNCopy", inputs[0], output)
        padded = inputs + [NO_VALUE] * (MOST_PARTS - len(inputs))
        ids = {f"input{number}_id": value for number, value in enumerate(padded, start=1)}
        return self._node(f"XNNConcatenate{len(inputs)}", {**ids, "axis": axis, "output_id": output, "flags": 0})

    def _activation(self, operator: Activation, source: int, output: int) -> None:
        match operator.kind:
            case ActivationKind.RELU:
                self.unary("XNNClamp", source, output, clamp=Clamp.RELU)
            case ActivationKind.RELU6:
                self.unary("XNNClamp", source, output, clamp=Clamp.RELU6)
            case ActivationKind.HARD_SWISH:
                self.unary("XNNHardswish", source, output)
            case ActivationKind.HARD_SIGMOID:  # XNNPACK has none: relu6(x + 3) / 6
                three, sixth = (self._constant(np.float32(value), None) for value in (3.0, 1 / 6))
                shifted = self.value(list(runtime_shape(operator.output.shape)), None)
                self.binary("XNNAdd", source, three, shifted, Clamp.RELU6)
                self.binary("XNNMultiply", shifted, sixth, output)

    def _rearrange(self, operator: Operator, source: int, output: int) -> None:
        shape = runtime_shape(operator.output.shape)
        match operator:
            case Mean():
                self.unary("XNNGlobalAvgPooling2d", source, output, flags=KEEP_DIMS if len(shape) == 4 else 0)
            case Reshape():
                self._reshape(source, output, shape)
            case ChannelSlice():
                self.unary("XNNStaticSlice", source, output, **slice_fields(operator))
            case ResizeBilinear():
                size: dict[str, Any] = dict(pair_fields("new", operator.output.shape[1:]))
                self.unary("XNNStaticResizeBilinear2D", source, output, **size)
            case ChannelShuffle():
                self._shuffle(operator, source, output)
            case Dequantize() | Quantize():
                self.unary("XNNConvert", source, output)
            case _:
                kind = type(operator).__name__
                reason = f"expected an operator that XNNPACK has, found {kind} at {operator.path}"
                raise CompileError(reason, hint="export to a runtime that has it, or change the net there")

    def _shuffle(self, operator: ChannelShuffle, source: int, output: int) -> None:
        """Channels as rows and columns, turned."""
        batch, height, width, channels = shape = runtime_shape(operator.output.shape)
        columns, rows, grid = operator.groups, channels // operator.groups, operator.output.quantization
        split = self.value([batch, height, width, columns, rows], grid)
        turned = self.value([batch, height, width, rows, columns], grid)
        self._reshape(source, split, (batch, height, width, columns, rows))
        self.unary("XNNStaticTranspose", split, turned, num_dims=5, perm=[0, 1, 2, 4, 3])
        self._reshape(turned, output, shape)

    def _reshape(self, source: int, output: int, shape: tuple[int, ...]) -> None:
        self.unary("XNNStaticReshape", source, output, num_dims=len(shape), new_shape=shape)

    def unary(
        self, kind: str, source: int, output: int, *, flags: int = 0, clamp: Clamp = Clamp.NONE, **extra: Any
    ) -> None:
        """Appends a node of one operand."""
        self._node(kind, {"input_id": source, "output_id": output, "flags": flags, **extra}, clamp)

    def binary(self, kind: str, a: int, b: int, output: int, clamp: Clamp = Clamp.NONE) -> None:
        """Appends a node of two operands."""
        self._node(kind, {"input1_id": a, "input2_id": b, "output_id": output, "flags": 0}, clamp)

    def _node(self, kind: str, fields: Mapping[str, Any], clamp: Clamp = Clamp.NONE) -> None:
        node = {"xnode_union": (kind, fields), "debug_handle": self._index}
        self._nodes.append({**node, "output_min_max": _BOUNDS[clamp]})

    def _operand(self, operand: Tensor | Constant) -> int:
        if isinstance(operand, Tensor):
            return self._ids[operand.name]
        dtype = np.float32 if operand.quantization is None else np.int8
        return self._constant(dtype(operand.value), operand.quantization)

    def _declare(self, tensor: Tensor, external: int = NO_VALUE, flags: int = 0) -> int:
        dims, grid = list(runtime_shape(tensor.shape)), tensor.quantization
        return self._ids.setdefault(tensor.name, self.value(dims, grid, external=external, flags=flags))

    def _constant(self, scalar: np.generic, grid: Quantization | None) -> int:
        return self.value([1], grid, buffer=self._store(np.array([scalar])))

    def constants(self, array: NDArray[np.float32]) -> int:
        """The id of float32 constants."""
        return self.value(list(array.shape), None, buffer=self._store(array))

    def _parameters(self, operator: Conv2d | Linear, weight: NDArray[Any], channel: int) -> tuple[int, int]:
        """The ids of filter and bias. Both are on per-channel grids, the bias' being float32 `s_x * s_w[c]`."""
        scales, grid = operator.weight_scales, operator.input.quantization
        bias_scales = None if scales is None or grid is None else np.float32(grid.scale) * scales
        return self._channelwise(weight, scales, channel), self._channelwise(operator.bias, bias_scales, 0)

    def _channelwise(self, array: NDArray[Any], scales: NDArray[np.float32] | None, channel: int) -> int:
        buffer = self._store(array)
        if scales is None:
            return self.value(list(array.shape), None, buffer=buffer)
        parameters = {"channel_dim": channel, "scale_buffer_idx": self._store(scales), "num_scales": len(scales)}
        datatype = "xnn_datatype_qcint8" if array.dtype == np.int8 else "xnn_datatype_qcint32"
        return self._append(tensor_fields(datatype, list(array.shape), buffer), ("PerChannelQuant", parameters))

    def value(
        self,
        dims: list[int],
        grid: Quantization | None,
        *,
        buffer: int = 0,
        external: int = NO_VALUE,
        flags: int = 0,
    ) -> int:
        """Declares a value; gives its id."""
        if grid is None:
            return self._append(tensor_fields("xnn_datatype_fp32", dims, buffer, external, flags), None)
        parameters = {"scale": grid.scale, "zero_point": grid.zero_point}
        return self._append(
            tensor_fields("xnn_datatype_qint8", dims, buffer, external, flags), ("PerTensorQuant", parameters)
        )

    def _append(self, tensor: dict[str, Any], parameters: tuple[str, dict[str, Any]] | None) -> int:
        tensor["id_out"] = len(self._values)
        quantized = {"tensor_value": tensor, "quant_params": parameters}
        union = ("XNNTensorValue", tensor) if parameters is None else ("XNNQuantizedTensorValue", quantized)
        self._values.append({"xvalue_union": union})
        return int(tensor["id_out"])

    def _store(self, array: NDArray[Any]) -> int:
        """The index of a constant; equal bytes are stored once in the file."""
        data = np.ascontiguousarray(array).tobytes()
        key = hashlib.sha256(data).hexdigest()
        self._constants[key] = data
        self._constant_data.append({"offset": NAMED, "size": len(data), "named_key": key})
        return len(self._constant_data) - 1
