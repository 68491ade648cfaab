"""Shows a graph as ATen operators in one canonical Q/DQ form.

Every operator of an int8 graph becomes `dequantize` of each operand, the ATen operator, its clamp, `quantize`. Weights
are int8 and biases int32 buffers, dequantized per channel; the program's input and output are int8. A float32 graph is
one `dequantize` of the input and then the plain ATen operators. A mixed graph has both kinds of operator, and a single
`quantize` or `dequantize` between them.

The form is a view for PyTorch's tools. The program file holds the graph itself beside it, and nothing is computed from
the view; `check.py` compares the view in a file with this one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import operators as ops
from mobile_sdk.graph.code_tables import GELU_CUBIC, GELU_LINE
from mobile_sdk.graph.operator_table import OperatorTable
from mobile_sdk.program.aten.boxes import write_boxes


@dataclass(frozen=True)
class Dtype:
    """Names a dtype as the argument of an ATen operator."""

    name: str


class CodesRange(NamedTuple):
    """Holds the last arguments of `quantize` and `dequantize`: the range of the codes, and their dtype."""

    low: int
    high: int
    dtype: Dtype


INT8 = CodesRange(-128, 127, Dtype("int8"))
INT32 = CodesRange(-(2**31), 2**31 - 1, Dtype("int32"))
WEIGHTS = {8: INT8, 4: CodesRange(-ops.weight_limit(4), ops.weight_limit(4), INT8.dtype)}


@dataclass(frozen=True, eq=False)
class Input:
    """Represents the program's input."""

    name: str


@dataclass(frozen=True, eq=False)
class Buffer:
    """Represents an array of the program."""

    name: str
    array: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Node:
    """Represents the result of an ATen operator; values among its arguments are those before it."""

    target: str
    arguments: tuple[Any, ...]


Value = Input | Buffer | Node

view: OperatorTable[Callable[["View", str, Any], Value]] = OperatorTable(
    "the view of program.pt2", gaps=dict.fromkeys((ops.Rows, ops.JoinRows), "strips are made when a bundle is written")
)
"""Each appends an operator, whose buffers are named after the prefix, and returns its real values before the clamp."""


class View:
    """Shows `graph` as buffers and nodes, in the order of execution; `stored` are the tensors of the graph."""

    def __init__(self, graph: ops.Graph) -> None:
        self.input = Input(graph.input.name)
        self.buffers: list[Buffer] = []
        self.nodes: list[Node] = []
        self.stored: dict[Value, ops.Tensor] = {self.input: graph.input}
        self._values: dict[str, Value] = {graph.input.name: self.input}
        for index, operator in enumerate(graph.operators):
            node = view[operator](self, f"operator_{index}", operator)
            self._store(operator.output, self._clamp(node, getattr(operator, "clamp", ops.Clamp.NONE)))
        self.outputs = tuple(self._values[output.name] for output in graph.outputs)

    @view.of(ops.DecodeBoxes)
    def _boxes(self, prefix: str, operator: ops.DecodeBoxes) -> Value:
        def buffer(role: str, array: NDArray[Any]) -> Value:
            return self._buffer(f"{prefix}.{role}", array)

        predictions = [self._real(each) for each in operator.predictions]
        boxes: Value = write_boxes(operator, predictions, self._call, buffer)
        return boxes

    @view.of(ops.Conv2d)
    def _convolution(self, prefix: str, operator: ops.Conv2d) -> Value:
        top, bottom, left, right = operator.padding
        source, weight, bias = self._weighted(prefix, operator)
        padding = [top, left]
        if (top, left) != (bottom, right):
            source = self._call("aten.constant_pad_nd.default", source, [left, right, top, bottom], 0.0)
            padding = [0, 0]
        stride, dilation = list(operator.stride), list(operator.dilation)
        target = "aten.conv2d.default"
        return self._call(target, source, weight, bias, stride, padding, dilation, operator.groups)

    @view.of(ops.ConvTranspose2d)
    def _transposed_convolution(self, prefix: str, operator: ops.ConvTranspose2d) -> Value:
        top, _, left, _ = operator.padding
        source, weight, bias = self._weighted(prefix, operator)
        turned, stride = self._call("aten.transpose.int", weight, 0, 1), list(operator.stride)
        whole = self._call("aten.conv_transpose2d.input", source, turned, bias, stride)
        for axis, first, size in ((2, top, operator.output.shape[1]), (3, left, operator.output.shape[2])):
            whole = self._call("aten.slice.Tensor", whole, axis, first, first + size)
        return whole

    @view.of(ops.Linear)
    def _linear(self, prefix: str, operator: ops.Linear) -> Value:
        return self._call("aten.linear.default", *self._weighted(prefix, operator))

    @view.of(ops.Add)
    def _add(self, prefix: str, operator: ops.Add) -> Value:
        return self._call("aten.add.Tensor", self._real(operator.a), self._operand(prefix, operator.b))

    @view.of(ops.Sub)
    def _sub(self, prefix: str, operator: ops.Sub) -> Value:
        return self._call("aten.sub.Tensor", self._real(operator.a), self._operand(prefix, operator.b))

    @view.of(ops.Mul)
    def _mul(self, prefix: str, operator: ops.Mul) -> Value:
        return self._call("aten.mul.Tensor", self._real(operator.a), self._operand(prefix, operator.b))

    @view.of(ops.Mean)
    def _mean(self, prefix: str, operator: ops.Mean) -> Value:
        keep_shape = len(operator.output.shape) == 3
        return self._call("aten.mean.dim", self._real(operator.input), [2, 3], keep_shape)

    @view.of(ops.Concat)
    def _concat(self, prefix: str, operator: ops.Concat) -> Value:
        return self._call("aten.cat.default", [self._real(part) for part in operator.parts], 1 + operator.axis)

    @view.of(ops.ConstantTensor)
    def _constant_tensor(self, prefix: str, operator: ops.ConstantTensor) -> Value:
        values = self._buffer(f"{prefix}.values", operator.values[None])
        grid = operator.output.quantization
        return values if grid is None else self._dequantize(values, grid)

    @view.of(ops.Dequantize, ops.Quantize)
    def _conversion(self, prefix: str, operator: ops.Dequantize | ops.Quantize) -> Value:
        """Returns the real values; `_store` quantizes them."""
        return self._real(operator.input)

    def _weighted(self, prefix: str, operator: ops.Weighted) -> tuple[Value, Value, Value]:
        source = self._real(operator.input)
        weight: Value = self._buffer(f"{prefix}.weight", operator.weight)
        bias: Value = self._buffer(f"{prefix}.bias", operator.bias)
        if operator.weight_scales is not None and operator.input.quantization is not None:
            scales = self._buffer(f"{prefix}.weight_scales", operator.weight_scales)
            zeros = self._buffer(f"{prefix}.zero_points", np.zeros(len(operator.weight_scales), np.int64))
            bias_grid = np.float32(operator.input.quantization.scale) * operator.weight_scales
            bias_scales = self._buffer(f"{prefix}.bias_scales", bias_grid)
            weight = self._per_channel(weight, scales, zeros, WEIGHTS[operator.weight_bits])
            bias = self._per_channel(bias, bias_scales, zeros, INT32)
        return source, weight, bias

    def _per_channel(self, codes: Value, scales: Value, zeros: Value, codes_range: CodesRange) -> Value:
        target = "quantized_decomposed.dequantize_per_channel.default"
        return self._call(target, codes, scales, zeros, 0, *codes_range)

    @view.of(ops.MaxPool2d, ops.AvgPool2d)
    def _pool(self, prefix: str, operator: ops.MaxPool2d | ops.AvgPool2d) -> Value:
        source = self._real(operator.input)
        top, bottom, left, right = operator.padding
        kernel, stride = list(operator.kernel), list(operator.stride)
        if isinstance(operator, ops.AvgPool2d):
            return self._call("aten.avg_pool2d.default", source, kernel, stride)
        padding = [top, left]
        if (top, left) != (bottom, right):
            pad = [left, right, top, bottom]
            source = self._call("aten.constant_pad_nd.default", source, pad, float("-inf"))
            padding = [0, 0]
        return self._call("aten.max_pool2d.default", source, kernel, stride, padding)

    @view.of(ops.ChannelSlice)
    def _channel_slice(self, prefix: str, operator: ops.ChannelSlice) -> Value:
        axis, positions = 1 + operator.axis, (operator.start, operator.stop)
        return self._call("aten.slice.Tensor", self._real(operator.input), axis, *positions)

    @view.of(ops.ChannelShuffle)
    def _channel_shuffle(self, prefix: str, operator: ops.ChannelShuffle) -> Value:
        return self._call("aten.channel_shuffle.default", self._real(operator.input), operator.groups)

    @view.of(ops.ResizeBilinear)
    def _resize(self, prefix: str, operator: ops.ResizeBilinear) -> Value:
        size = list(operator.output.shape[1:])
        return self._call(
            "aten.upsample_bilinear2d.vec", self._real(operator.input), size, operator.align_corners, None
        )

    @view.of(ops.Reshape)
    def _reshape(self, prefix: str, operator: ops.Reshape) -> Value:
        return self._call("aten.view.default", self._real(operator.input), [1, *operator.output.shape])

    @view.of(ops.Pad)
    def _pad(self, prefix: str, operator: ops.Pad) -> Value:
        pairs = zip(reversed(operator.before), reversed(operator.after), strict=True)
        amounts = [amount for pair in pairs for amount in pair]
        return self._call("aten.constant_pad_nd.default", self._real(operator.input), amounts, 0.0)

    @view.of(ops.Rearrange)
    def _rearrange(self, prefix: str, operator: ops.Rearrange) -> Value:
        split = self._call("aten.view.default", self._real(operator.input), [1, *operator.split])
        turned = self._call("aten.permute.default", split, [0, *(1 + axis for axis in operator.order)])
        return self._call("aten.reshape.default", turned, [1, *operator.output.shape])

    @view.of(ops.Activation)
    def _activation(self, prefix: str, operator: ops.Activation) -> Value:
        source = self._real(operator.input)
        match operator.kind:
            case ops.ActivationKind.RELU:
                return self._clamp(source, ops.Clamp.RELU)
            case ops.ActivationKind.RELU6:
                return self._clamp(source, ops.Clamp.RELU6)
            case ops.ActivationKind.HARD_SWISH:
                return self._call("aten.hardswish.default", source)
            case ops.ActivationKind.HARD_SIGMOID:
                return self._call("aten.hardsigmoid.default", source)

    @view.of(ops.UnaryFunction)
    def _function(self, prefix: str, operator: ops.UnaryFunction) -> Value:
        node = self._real(operator.input)
        if operator.function is ops.Function.TANH_SOFTPLUS:
            return self._call("aten.tanh.default", self._call("aten.softplus.default", node))
        match operator.function:
            case ops.Function.AFFINE:
                gain, offset = operator.parameters
                return self._call("aten.add.Tensor", self._call("aten.mul.Tensor", node, gain), offset)
            case ops.Function.POWER:
                return self._call("aten.pow.Tensor_Scalar", node, *operator.parameters)
            case ops.Function.SCALED_ELU:
                return self._call("aten.elu.default", node, *operator.parameters)
            case ops.Function.SCALED_SOFTPLUS:
                return self._call("aten.softplus.default", node, *operator.parameters)
            case ops.Function.GELU_TANH:  # x * sigmoid(x * (a + b * x^2))
                cubic = self._call("aten.mul.Tensor", self._call("aten.mul.Tensor", node, node), GELU_CUBIC)
                inner = self._call("aten.mul.Tensor", self._call("aten.add.Tensor", cubic, GELU_LINE), node)
                return self._call("aten.mul.Tensor", self._call("aten.sigmoid.default", inner), node)
            case _:
                return self._call(f"aten.{operator.function}.default", node, *operator.parameters)

    @view.of(ops.MatMul)
    def _matmul(self, prefix: str, operator: ops.MatMul) -> Value:
        return self._call("aten.matmul.default", self._real(operator.a), self._real(operator.b))

    @view.of(ops.Softmax)
    def _softmax(self, prefix: str, operator: ops.Softmax) -> Value:
        axis = 1 if len(operator.output.shape) == 3 else -1
        return self._call("aten.softmax.int", self._real(operator.input), axis)

    @view.of(ops.Normalize)
    def _normalize(self, prefix: str, operator: ops.Normalize) -> Value:
        node, axes, shape = self._real(operator.input), [1 + axis for axis in operator.axes], operator.output.shape
        if operator.groups > 1:
            grouped = [1, operator.groups, shape[0] // operator.groups, *shape[1:]]
            node, axes = self._call("aten.view.default", node, grouped), [2, 3, 4]
        if operator.is_centred:
            mean = self._call("aten.mean.dim", node, axes, True)
            node = self._call("aten.sub.Tensor", node, mean)
        variance = self._call("aten.mean.dim", self._call("aten.square.default", node), axes, True)
        scale = self._call("aten.rsqrt.default", self._call("aten.add.Tensor", variance, operator.epsilon))
        node = self._call("aten.mul.Tensor", node, scale)
        if operator.groups > 1:
            node = self._call("aten.view.default", node, [1, *shape])
        by_channel = (-1, *[1] * (len(shape) - 1)) if len(shape) == 3 else (-1,)
        gain, offset = (
            self._buffer(f"{prefix}.{name}", array.reshape(by_channel))
            for name, array in (("gain", operator.gain), ("offset", operator.offset))
        )
        return self._call("aten.add.Tensor", self._call("aten.mul.Tensor", node, gain), offset)

    def _clamp(self, node: Value, clamp: ops.Clamp) -> Value:
        match clamp:
            case ops.Clamp.NONE:
                return node
            case ops.Clamp.RELU:
                return self._call("aten.relu.default", node)
            case ops.Clamp.RELU6:
                return self._call("aten.hardtanh.default", node, 0.0, 6.0)

    def _operand(self, prefix: str, operand: ops.Tensor | ops.Constant) -> Value | float:
        if isinstance(operand, ops.Tensor):
            return self._real(operand)
        if operand.quantization is None:
            return float(operand.value)
        return self._dequantize(self._buffer(f"{prefix}.constant", np.int8(operand.value)), operand.quantization)

    def _real(self, tensor: ops.Tensor) -> Value:
        """Returns the real values of an earlier tensor: a fresh dequantize for every use, as PT2E has it."""
        codes = self._values[tensor.name]
        return codes if tensor.quantization is None else self._dequantize(codes, tensor.quantization)

    def _dequantize(self, codes: Value, grid: ops.Quantization) -> Value:
        target = "quantized_decomposed.dequantize_per_tensor.default"
        return self._call(target, codes, grid.scale, grid.zero_point, *INT8)

    def _store(self, tensor: ops.Tensor, node: Value) -> None:
        if (grid := tensor.quantization) is not None:
            target = "quantized_decomposed.quantize_per_tensor.default"
            node = self._call(target, node, grid.scale, grid.zero_point, *INT8)
        self.stored[node] = tensor
        self._values[tensor.name] = node

    def _buffer(self, name: str, array: NDArray[Any] | np.generic) -> Buffer:
        self.buffers.append(Buffer(name, np.array(array, order="C")))
        return self.buffers[-1]

    def _call(self, target: str, *arguments: Any) -> Node:
        self.nodes.append(Node(target, arguments))
        return self.nodes[-1]
