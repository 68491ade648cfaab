"""Writes a graph as a `torch.export.ExportedProgram` in one canonical Q/DQ form, built by hand: nothing is traced.

Every operator of an int8 graph becomes `dequantize` of each operand, the ATen operator, its clamp, `quantize`. Weights
are int8 and biases int32 buffers, dequantized per channel; the program's input and output are int8. A float32 graph is
one `dequantize` of the input and then the plain ATen operators. A mixed graph has both kinds of operator, and a single
`quantize` or `dequantize` between them.

The form is a view for PyTorch's tools. The program file holds the graph itself beside it, and no SDK reads it back.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.ao.quantization.fx._decomposed  # registers torch.ops.quantized_decomposed
import torch.utils._pytree as pytree
from numpy.typing import NDArray
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export import ModuleCallEntry, ModuleCallSignature
from torch.export.graph_signature import (
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)

from mobile_sdk.graph import operators as ops
from mobile_sdk.graph.operator_table import OperatorTable
from mobile_sdk.program.aten_boxes import write_boxes

INT8_RANGE = (-128, 127)
INT32_RANGE = (-(2**31), 2**31 - 1)


view: OperatorTable[Callable[["_Builder", str, Any], torch.fx.Node]] = OperatorTable(
    "the view of program.pt2", gaps=dict.fromkeys((ops.Rows, ops.JoinRows), "strips are made when a bundle is written")
)
"""Each appends an operator, whose buffers are named after the prefix, and returns its real values before the clamp."""


def to_exported(graph: ops.Graph) -> torch.export.ExportedProgram:
    """Returns the canonical exported program of `graph`: input (1, 3, H, W) int8, output (1, classes) int8 or float32.

    Its buffers share no storage with `graph`.
    """
    builder = _Builder(graph)
    for index, operator in enumerate(graph.operators):
        builder.append(index, operator)
    return builder.finish()


class _Builder:
    """Grows an fx graph node by node; each node's shape comes from running it on fake tensors."""

    def __init__(self, graph: ops.Graph) -> None:
        self._source = graph
        self._fake = FakeTensorMode(allow_non_fake_inputs=True)
        self._fx = torch.fx.Graph()
        self._buffers: dict[str, torch.Tensor] = {}
        self._placeholders: list[tuple[str, torch.fx.Node]] = []
        self._values: dict[str, torch.fx.Node] = {}
        self._example = torch.zeros((1, *graph.input.shape), dtype=torch.int8)
        self._input = self._fx.placeholder(_identifier(graph.input.name))
        self._input.meta["val"] = self._fake.from_tensor(self._example, static_shapes=True)
        self._values[graph.input.name] = self._input

    def append(self, index: int, operator: ops.Operator) -> None:
        """Writes `operator` with its buffers named `operator_<index>.<role>`."""
        prefix = f"operator_{index}"
        node = view[operator](self, prefix, operator)
        self._store(operator.output, self._clamp(node, getattr(operator, "clamp", ops.Clamp.NONE)))

    def finish(self) -> torch.export.ExportedProgram:
        """Returns the program; the builder is not used afterwards."""
        result = self._values[self._source.output.name]
        self._fx.output((result,))
        inputs = [
            InputSpec(InputKind.BUFFER, TensorArgument(name=node.name), name, persistent=True)
            for name, node in self._placeholders
        ]
        inputs.append(InputSpec(InputKind.USER_INPUT, TensorArgument(name=self._input.name), None))
        output = OutputSpec(OutputKind.USER_OUTPUT, TensorArgument(name=result.name), None)
        root = torch.fx.GraphModule(torch.nn.Module(), self._fx)
        return torch.export.ExportedProgram(
            root=root,
            graph=self._fx,
            graph_signature=ExportGraphSignature(input_specs=inputs, output_specs=[output]),
            state_dict=dict(self._buffers),
            range_constraints={},
            module_call_graph=[_call_signature(self._example, self._input.name)],
            example_inputs=((self._example,), {}),
            constants={},
        )

    @view.of(ops.DecodeBoxes)
    def _boxes(self, prefix: str, operator: ops.DecodeBoxes) -> torch.fx.Node:
        def buffer(role: str, array: NDArray[Any]) -> torch.fx.Node:
            return self._buffer(f"{prefix}.{role}", array)

        node: torch.fx.Node = write_boxes(
            operator, [self._real(each) for each in operator.predictions], self._call, buffer
        )
        return node

    @view.of(ops.Conv2d)
    def _convolution(self, prefix: str, operator: ops.Conv2d) -> torch.fx.Node:
        top, bottom, left, right = operator.padding
        source, weight, bias = self._weighted(prefix, operator)
        padding = [top, left]
        if (top, left) != (bottom, right):
            source = self._call(torch.ops.aten.constant_pad_nd.default, source, [left, right, top, bottom], 0.0)
            padding = [0, 0]
        stride, dilation = list(operator.stride), list(operator.dilation)
        target = torch.ops.aten.conv2d.default
        return self._call(target, source, weight, bias, stride, padding, dilation, operator.groups)

    @view.of(ops.Linear)
    def _linear(self, prefix: str, operator: ops.Linear) -> torch.fx.Node:
        return self._call(torch.ops.aten.linear.default, *self._weighted(prefix, operator))

    @view.of(ops.Add)
    def _add(self, prefix: str, operator: ops.Add) -> torch.fx.Node:
        return self._call(torch.ops.aten.add.Tensor, self._real(operator.a), self._operand(prefix, operator.b))

    @view.of(ops.Mul)
    def _mul(self, prefix: str, operator: ops.Mul) -> torch.fx.Node:
        return self._call(torch.ops.aten.mul.Tensor, self._real(operator.a), self._operand(prefix, operator.b))

    @view.of(ops.Mean)
    def _mean(self, prefix: str, operator: ops.Mean) -> torch.fx.Node:
        keep_shape = len(operator.output.shape) == 3
        return self._call(torch.ops.aten.mean.dim, self._real(operator.input), [2, 3], keep_shape)

    @view.of(ops.Concat)
    def _concat(self, prefix: str, operator: ops.Concat) -> torch.fx.Node:
        return self._call(torch.ops.aten.cat.default, [self._real(part) for part in operator.parts], 1)

    @view.of(ops.Dequantize, ops.Quantize)
    def _conversion(self, prefix: str, operator: ops.Dequantize | ops.Quantize) -> torch.fx.Node:
        """Returns the real values; `_store` quantizes them."""
        return self._real(operator.input)

    def _weighted(
        self, prefix: str, operator: ops.Conv2d | ops.Linear
    ) -> tuple[torch.fx.Node, torch.fx.Node, torch.fx.Node]:
        source = self._real(operator.input)
        weight, bias = self._buffer(f"{prefix}.weight", operator.weight), self._buffer(f"{prefix}.bias", operator.bias)
        if operator.weight_scales is not None and operator.input.quantization is not None:
            scales = self._buffer(f"{prefix}.weight_scales", operator.weight_scales)
            zeros = self._buffer(f"{prefix}.zero_points", np.zeros(len(operator.weight_scales), np.int64))
            bias_grid = np.float32(operator.input.quantization.scale) * operator.weight_scales
            bias_scales = self._buffer(f"{prefix}.bias_scales", bias_grid)
            weight = self._per_channel(weight, scales, zeros, INT8_RANGE)
            bias = self._per_channel(bias, bias_scales, zeros, INT32_RANGE)
        return source, weight, bias

    def _per_channel(
        self, codes: torch.fx.Node, scales: torch.fx.Node, zeros: torch.fx.Node, bounds: tuple[int, int]
    ) -> torch.fx.Node:
        target = torch.ops.quantized_decomposed.dequantize_per_channel.default
        return self._call(target, codes, scales, zeros, 0, *bounds, codes.meta["val"].dtype)

    @view.of(ops.MaxPool2d, ops.AvgPool2d)
    def _pool(self, prefix: str, operator: ops.MaxPool2d | ops.AvgPool2d) -> torch.fx.Node:
        source = self._real(operator.input)
        top, bottom, left, right = operator.padding
        kernel, stride = list(operator.kernel), list(operator.stride)
        if isinstance(operator, ops.AvgPool2d):
            return self._call(torch.ops.aten.avg_pool2d.default, source, kernel, stride)
        padding = [top, left]
        if (top, left) != (bottom, right):
            pad = [left, right, top, bottom]
            source = self._call(torch.ops.aten.constant_pad_nd.default, source, pad, float("-inf"))
            padding = [0, 0]
        return self._call(torch.ops.aten.max_pool2d.default, source, kernel, stride, padding)

    @view.of(ops.ChannelSlice)
    def _channel_slice(self, prefix: str, operator: ops.ChannelSlice) -> torch.fx.Node:
        return self._call(torch.ops.aten.slice.Tensor, self._real(operator.input), 1, operator.start, operator.stop)

    @view.of(ops.ChannelShuffle)
    def _channel_shuffle(self, prefix: str, operator: ops.ChannelShuffle) -> torch.fx.Node:
        return self._call(torch.ops.aten.channel_shuffle.default, self._real(operator.input), operator.groups)

    @view.of(ops.ResizeBilinear)
    def _resize(self, prefix: str, operator: ops.ResizeBilinear) -> torch.fx.Node:
        size = list(operator.output.shape[1:])
        return self._call(torch.ops.aten.upsample_bilinear2d.vec, self._real(operator.input), size, False, None)

    @view.of(ops.Reshape)
    def _reshape(self, prefix: str, operator: ops.Reshape) -> torch.fx.Node:
        return self._call(torch.ops.aten.view.default, self._real(operator.input), [1, *operator.output.shape])

    @view.of(ops.Activation)
    def _activation(self, prefix: str, operator: ops.Activation) -> torch.fx.Node:
        aten, source = torch.ops.aten, self._real(operator.input)
        match operator.kind:
            case ops.ActivationKind.RELU:
                return self._clamp(source, ops.Clamp.RELU)
            case ops.ActivationKind.RELU6:
                return self._clamp(source, ops.Clamp.RELU6)
            case ops.ActivationKind.HARD_SWISH:
                return self._call(aten.hardswish.default, source)
            case ops.ActivationKind.HARD_SIGMOID:
                return self._call(aten.hardsigmoid.default, source)

    def _clamp(self, node: torch.fx.Node, clamp: ops.Clamp) -> torch.fx.Node:
        match clamp:
            case ops.Clamp.NONE:
                return node
            case ops.Clamp.RELU:
                return self._call(torch.ops.aten.relu.default, node)
            case ops.Clamp.RELU6:
                return self._call(torch.ops.aten.hardtanh.default, node, 0.0, 6.0)

    def _operand(self, prefix: str, operand: ops.Tensor | ops.Constant) -> torch.fx.Node | float:
        if isinstance(operand, ops.Tensor):
            return self._real(operand)
        if operand.quantization is None:
            return float(operand.value)
        return self._dequantize(self._buffer(f"{prefix}.constant", np.int8(operand.value)), operand.quantization)

    def _real(self, tensor: ops.Tensor) -> torch.fx.Node:
        """Returns the real values of an earlier tensor: a fresh dequantize for every use, as PT2E has it."""
        codes = self._values[tensor.name]
        return codes if tensor.quantization is None else self._dequantize(codes, tensor.quantization)

    def _dequantize(self, codes: torch.fx.Node, grid: ops.Quantization) -> torch.fx.Node:
        target = torch.ops.quantized_decomposed.dequantize_per_tensor.default
        return self._call(target, codes, grid.scale, grid.zero_point, *INT8_RANGE, torch.int8)

    def _store(self, tensor: ops.Tensor, node: torch.fx.Node) -> None:
        if tensor.quantization is not None:
            target = torch.ops.quantized_decomposed.quantize_per_tensor.default
            grid = tensor.quantization
            node = self._call(target, node, grid.scale, grid.zero_point, *INT8_RANGE, torch.int8)
        found = tuple(node.meta["val"].shape)
        if found != (1, *tensor.shape):
            raise ValueError(f"tensor {tensor.name} is said to be {tensor.shape}, but its operator gives {found[1:]}")
        self._values[tensor.name] = node

    def _buffer(self, name: str, array: NDArray[Any] | np.generic) -> torch.fx.Node:
        tensor = torch.from_numpy(np.array(array, order="C"))
        with self._fx.inserting_before(self._input):
            node = self._fx.placeholder("b_" + _identifier(name))
        node.meta["val"] = self._fake.from_tensor(tensor, static_shapes=True)
        self._buffers[name] = tensor
        self._placeholders.append((name, node))
        return node

    def _call(self, target: Any, *arguments: Any) -> torch.fx.Node:
        """Appends one node and computes its shape and dtype."""
        node = self._fx.call_function(target, arguments)
        with self._fake, torch.no_grad():
            node.meta["val"] = target(*torch.fx.map_arg(arguments, lambda operand: operand.meta["val"]))
        return node


def _call_signature(example: torch.Tensor, name: str) -> Any:
    _, in_spec = pytree.tree_flatten(((example,), {}))
    _, out_spec = pytree.tree_flatten(example)
    signature = ModuleCallSignature(inputs=[], outputs=[], in_spec=in_spec, out_spec=out_spec, forward_arg_names=[name])
    return ModuleCallEntry(fqn="", signature=signature)


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)
