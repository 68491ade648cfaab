"""Reads a graph off a saved program: dequantized operands → ATen operator → clamp → quantize, number for number.

`OperatorNames` (names.py) holds what an ATen graph cannot say; everything else is the exported program's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import operators as ops
from mobile_sdk.program.schema_2.aten_boxes import read_boxes
from mobile_sdk.program.schema_2.exported_program import ExportedProgram, sizes
from mobile_sdk.program.schema_2.names import Names, OperatorNames

_QUANTIZE = "torch.ops.quantized_decomposed.quantize_per_tensor.default"
_DEQUANTIZE = "torch.ops.quantized_decomposed.dequantize_per_tensor.default"
_DEQUANTIZE_CHANNELS = "torch.ops.quantized_decomposed.dequantize_per_channel.default"
_ATEN = "torch.ops.aten."

_ACTIVATIONS = {
    "relu.default": ops.ActivationKind.RELU,
    "hardtanh.default": ops.ActivationKind.RELU6,
    "hardswish.default": ops.ActivationKind.HARD_SWISH,
    "hardsigmoid.default": ops.ActivationKind.HARD_SIGMOID,
}
_PLAIN: Mapping[str, Any] = {  # the output's shape determines them
    "upsample_bilinear2d.vec": ops.ResizeBilinear,
    "view.default": ops.Reshape,
    "dequantize": ops.Dequantize,
}
_CLAMPS = {"relu.default": ops.Clamp.RELU, "hardtanh.default": ops.Clamp.RELU6}


def read_graph(exported: ExportedProgram, names: Names) -> ops.Graph:
    """Returns the graph of a saved program.

    Raises KeyError, TypeError, ValueError or IndexError if the program is not in the canonical form.
    """
    reader = _Reader(exported, names)
    for operator_names in names.operators:
        if operator_names.form in ("dequantize", "quantize"):
            reader.read_conversion(operator_names)
        elif operator_names.form == "boxes":
            reader.read_boxes(operator_names)
        else:
            reader.read_operator(operator_names)
    return reader.finish()


class _Reader:
    """Walks the nodes once, in order, and maps every intermediate name to its graph tensor."""

    def __init__(self, exported: ExportedProgram, names: Names) -> None:
        module = exported.model["graph_module"]
        self._graph = module["graph"]
        self._nodes: Sequence[Any] = self._graph["nodes"]
        self._position = 0
        self._buffers = _buffers_by_argument(module["signature"], exported.buffers)
        self._tensors: dict[str, ops.Tensor] = {}
        self._sources: dict[str, str] = {}  # the name of a dequantized or padded value → its source
        self._scales: dict[str, NDArray[Any]] = {}
        self._grids: dict[str, ops.Quantization] = {}
        self._pads: dict[str, tuple[int, int, int, int]] = {}
        self._operators: list[ops.Operator] = []
        self._is_int8 = self._nodes[-1]["target"] == _QUANTIZE
        argument = self._graph["inputs"][-1]["as_tensor"]["name"]
        self._input = self._declare(argument, names.input, _grid_of(self._nodes[0], _DEQUANTIZE))

    def read_operator(self, names: OperatorNames) -> None:
        """Appends the next operator: the preparation of its operands, itself, its clamp and its quantize."""
        if names.form is not None:
            self._is_int8 = names.form == "int8"
        node = self._next_computing()
        kind = "dequantize" if node["target"] == _DEQUANTIZE else node["target"].removeprefix(_ATEN)
        values = [_value(argument["arg"]) for argument in node["inputs"]]
        clamp, last = ops.Clamp.NONE, node
        if names.fused_clamp:
            last = self._next_computing()
            clamp = _CLAMPS[last["target"].removeprefix(_ATEN)]
        grid = None
        if self._is_int8:
            last = self._next_computing()
            grid = _grid_of(last, _QUANTIZE)
        output = self._declare(_output_name(last), names.output, grid)
        self._operators.append(self._operator(kind, values, clamp, output, names))

    def read_conversion(self, names: OperatorNames) -> None:
        """Appends a single `quantize` or `dequantize`."""
        node = self._nodes[self._position]
        self._position += 1
        source = self._tensors[_value(node["inputs"][0]["arg"])]
        is_to_codes = names.form == "quantize"
        if not is_to_codes and _grid_of(node, _DEQUANTIZE) != source.quantization:
            raise ValueError(f"{source.name} is read on another grid than it is written on")
        grid = _grid_of(node, _QUANTIZE) if is_to_codes else None
        output = self._declare(_output_name(node), names.output, grid)
        self._operators.append(
            (ops.Quantize if is_to_codes else ops.Dequantize)(output=output, path=names.path, input=source)
        )

    def read_boxes(self, names: OperatorNames) -> None:
        """Appends the decoding of boxes, to the end of the program."""
        found = read_boxes(self._nodes[self._position :], self._tensors, self._buffers)
        self._position = len(self._nodes)
        output = self._declare(_output_name(self._nodes[-1]), names.output, None)
        self._operators.append(ops.DecodeBoxes(output=output, path=names.path, **found))

    def finish(self) -> ops.Graph:
        """Returns the graph; every node must have been read."""
        if self._position != len(self._nodes):
            raise ValueError(f"{len(self._nodes) - self._position} nodes are left over")
        graph = ops.Graph(input=self._input, operators=tuple(self._operators))
        if self._tensors[self._graph["outputs"][0]["as_tensor"]["name"]] is not graph.output:
            raise ValueError("the program's output is not its last operator's")
        return graph

    def _declare(self, argument: str, name: str, grid: ops.Quantization | None) -> ops.Tensor:
        shape = sizes(self._graph["tensor_values"][argument])
        if shape[0] != 1:
            raise ValueError(f"{name} has a batch of {shape[0]}, not 1")
        tensor = ops.Tensor(name=name, shape=shape[1:], quantization=grid)
        self._tensors[argument] = tensor
        return tensor

    def _next_computing(self) -> Any:
        """Returns the next node that computes, and notes those before it that only prepare operands."""
        while True:
            node = self._nodes[self._position]
            self._position += 1
            if not self._prepares(node):
                return node

    def _prepares(self, node: Any) -> bool:
        target, result = node["target"], _output_name(node)
        values = [_value(argument["arg"]) for argument in node["inputs"]]
        if target == _DEQUANTIZE and self._is_int8:
            self._grids[result] = _grid_of(node, _DEQUANTIZE)
        elif target == _DEQUANTIZE_CHANNELS:
            self._scales[result] = self._buffers[values[1]]
            if np.any(self._buffers[values[2]]) or values[3] != 0:
                raise ValueError("per-channel zero points must be 0 and the axis 0")
        elif target == _ATEN + "constant_pad_nd.default":
            left, right, top, bottom = values[1]
            self._pads[result] = (top, bottom, left, right)
        else:
            return False
        self._sources[result] = values[0]
        return True

    def _operator(
        self, kind: str, values: Sequence[Any], clamp: ops.Clamp, output: ops.Tensor, names: OperatorNames
    ) -> ops.Operator:
        common: dict[str, Any] = {"output": output, "path": names.path}
        match kind:
            case "conv2d.default" | "linear.default":
                return self._weighted(kind, values, {**common, "clamp": clamp})
            case "add.Tensor" | "mul.Tensor":
                binary = ops.Add if kind == "add.Tensor" else ops.Mul
                b = self._operand(values[1], names.constant)
                return binary(a=self._tensor(values[0]), b=b, clamp=clamp, **common)
            case "mean.dim":
                return ops.Mean(input=self._tensor(values[0]), **common)
            case "max_pool2d.default" | "avg_pool2d.default":
                pool = ops.MaxPool2d if kind == "max_pool2d.default" else ops.AvgPool2d
                common |= {"kernel": tuple(values[1]), "stride": tuple(values[2])}
                return pool(input=self._tensor(values[0]), padding=self._padding(values, 3), **common)
            case "cat.default":
                return ops.Concat(parts=tuple(self._tensor(name) for name in values[0]), **common)
            case "slice.Tensor":
                return ops.ChannelSlice(input=self._tensor(values[0]), start=values[2], stop=values[3], **common)
            case "channel_shuffle.default":
                return ops.ChannelShuffle(input=self._tensor(values[0]), groups=values[1], **common)
        if kind in _PLAIN:
            operator: ops.Operator = _PLAIN[kind](input=self._tensor(values[0]), **common)
            return operator
        return ops.Activation(input=self._tensor(values[0]), kind=_ACTIVATIONS[kind], **common)

    def _weighted(self, kind: str, values: Sequence[Any], common: dict[str, Any]) -> ops.Operator:
        source, weight, bias = values[:3]
        scales = self._scales.get(weight)
        tensor = self._tensor(source)
        if scales is not None and tensor.quantization is not None:
            grid = np.float32(tensor.quantization.scale) * scales
            if not np.array_equal(grid, self._scales[bias]):
                raise ValueError("a bias is not on the grid of its input's and weights' scales")
        common |= {
            "input": tensor,
            "weight": self._buffers[self._sources.get(weight, weight)],
            "weight_scales": scales,
            "bias": self._buffers[self._sources.get(bias, bias)],
        }
        if kind == "linear.default":
            return ops.Linear(**common)
        stride, dilation = tuple(values[3]), tuple(values[5])
        return ops.Conv2d(
            stride=stride, padding=self._padding(values, 4), dilation=dilation, groups=values[6], **common
        )

    def _padding(self, values: Sequence[Any], index: int) -> tuple[int, int, int, int]:
        """Returns (top, bottom, left, right): the operator's own, or that of the pad before it."""
        if values[0] in self._pads:
            return self._pads[values[0]]
        vertical, horizontal = values[index] if len(values) > index else (0, 0)
        return (vertical, vertical, horizontal, horizontal)

    def _operand(self, value: Any, constant: str | None) -> ops.Tensor | ops.Constant:
        if constant is None:
            return self._tensor(value)
        if isinstance(value, str):
            code = self._buffers[self._sources[value]]
            return ops.Constant(name=constant, value=float(code), quantization=self._grids[value])
        return ops.Constant(name=constant, value=float(value), quantization=None)

    def _tensor(self, name: str) -> ops.Tensor:
        """Returns the graph's tensor behind a dequantized or padded value, whose grid must be the tensor's own."""
        grid = self._grids.get(name)
        if name not in self._sources:
            return self._tensors[name]
        tensor = self._tensor(self._sources[name])
        if grid is not None and grid != tensor.quantization:
            raise ValueError(f"{tensor.name} is written as {tensor.quantization} and read as {grid}")
        return tensor


def _buffers_by_argument(signature: Any, buffers: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    specs = [spec["buffer"] for spec in signature["input_specs"] if "buffer" in spec]
    return {spec["arg"]["name"]: buffers[spec["buffer_name"]] for spec in specs}


def _grid_of(node: Any, target: str) -> ops.Quantization:
    if node["target"] != target:
        raise ValueError(f"expected {target}, found {node['target']}")
    scale, zero_point = (_value(argument["arg"]) for argument in node["inputs"][1:3])
    return ops.Quantization(scale=scale, zero_point=zero_point)


def _output_name(node: Any) -> str:
    return str(node["outputs"][0]["as_tensor"]["name"])


def _value(argument: Any) -> Any:
    """Returns a serialized argument as a plain value: a tensor is its name."""
    ((kind, value),) = argument.items()
    if kind == "as_tensor":
        return value["name"]
    if kind == "as_tensors":
        return [item["name"] for item in value]
    return value
