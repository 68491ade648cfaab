"""One function per graph operator: it becomes the MIL operations that compute it.

An int8 activation is a `quantize` followed by a `dequantize`; the operators between them see float32. Padding with 0.0
is padding with the zero point, and saturation to int8 happens in `quantize`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import CompileError
from mobile_sdk.integer_graph import (
    INT8_MIN,
    Activation,
    ActivationKind,
    Add,
    AvgPool2d,
    Clamp,
    Concat,
    Constant,
    Conv2d,
    Dequantize,
    Graph,
    Linear,
    MaxPool2d,
    Mean,
    Mul,
    Operator,
    Quantization,
    Reshape,
    Tensor,
)

IMAGE = "image"
SCORES = "scores"
INPUT_LABEL = "input"


def labels(graph: Graph) -> tuple[str, ...]:
    """The name of each operator's result in the file: its place in the graph and its tensor's name."""
    return tuple(
        f"op{index:03d}_{re.sub('[^A-Za-z0-9_]', '_', operator.output.name)}"
        for index, operator in enumerate(graph.operators)
    )


def write_operators(builder: Any, image: Any, graph: Graph) -> Any:
    """Emits the whole graph through coremltools' `Builder`, from the image (1, 3, H, W) to the scores (1, classes).

    Raises CompileError, with operator and module path, for an operator that has no form here.
    """
    results = {graph.input.name: _input(builder, image, graph)}
    for label, operator in zip(labels(graph), graph.operators, strict=True):
        is_last = operator is graph.operators[-1]
        write = _WRITERS.get(type(operator))
        if write is None:
            raise CompileError(
                f"expected an operator that Core ML has, found {type(operator).__name__} at {operator.path}",
                hint="express it in the operators of mobile_sdk.integer_graph",
            )
        try:
            results[operator.output.name] = write(_Pen(builder, results, label, is_last), operator)
        except (ValueError, TypeError, KeyError) as error:
            raise CompileError(
                f"expected coremltools to accept {type(operator).__name__} at {operator.path}, found: {error}",
                hint="check its shapes in the graph",
            ) from error
    return results[graph.output.name]


class _Pen:
    """What a writer of one operator needs: the builder, the results so far, and the name of its own."""

    def __init__(self, builder: Any, results: Mapping[str, Any], label: str, is_last: bool) -> None:
        self.builder = builder
        self.label = label
        self._results = results
        self._is_last = is_last

    def read(self, tensor: Tensor | Constant) -> Any:
        """The float32 result that stands for a tensor, or the constant's real value."""
        if isinstance(tensor, Constant):
            return real_value(tensor)
        return self._results[tensor.name]

    def finish(self, value: Any, output: Tensor, clamp: Clamp = Clamp.NONE) -> Any:
        """Clamps; then in an int8 graph quantizes to the output's own scale and back to float32."""
        if clamp is not Clamp.NONE:
            clamps = {Clamp.RELU: self.builder.relu, Clamp.RELU6: self.builder.relu6}
            value = clamps[clamp](x=value, name=f"{self.label}_clamp")
        if output.quantization is not None:
            code = _quantize(self.builder, value, output.quantization, f"{self.label}_code")
            return self.finish_code(code, output)
        return self.builder.identity(x=value, name=SCORES) if self._is_last else value

    def finish_code(self, code: Any, output: Tensor) -> Any:
        """An int8 result, back in float32 for the operators that follow."""
        assert output.quantization is not None
        return _dequantize(self.builder, code, output.quantization, SCORES if self._is_last else f"{self.label}_real")


def real_value(constant: Constant) -> np.float32:
    """What a constant stands for, as Core ML computes it from a code: `scale * (q - zero_point)` in float32."""
    if constant.quantization is None:
        return np.float32(constant.value)
    return np.float32(constant.quantization.scale) * np.float32(constant.value - constant.quantization.zero_point)


def real_bias(operator: Conv2d | Linear) -> NDArray[np.float32]:
    """The bias in float32: int32 codes times `float32(s_x * s_w[c])`, or the float32 graph's own."""
    if operator.weight_scales is None:
        return np.asarray(operator.bias, np.float32)
    assert operator.input.quantization is not None
    return operator.bias.astype(np.float32) * (np.float32(operator.input.quantization.scale) * operator.weight_scales)


def _input(builder: Any, image: Any, graph: Graph) -> Any:
    """Bytes to codes: `quantize` with scale 1 and zero point -128 is `byte - 128` in any arithmetic."""
    bytes_in = Quantization(scale=1.0, zero_point=INT8_MIN)
    code = _quantize(builder, image, bytes_in, f"{INPUT_LABEL}_code")
    if not graph.is_int8:
        return code  # its first operator is a Dequantize
    assert graph.input.quantization is not None
    return _dequantize(builder, code, graph.input.quantization, f"{INPUT_LABEL}_real")


def _quantize(builder: Any, value: Any, grid: Quantization, name: str) -> Any:
    scale, zero_point = np.float32(grid.scale), np.int8(grid.zero_point)
    return builder.quantize(input=value, scale=scale, zero_point=zero_point, output_dtype="int8", name=name)


def _dequantize(builder: Any, code: Any, grid: Quantization, name: str) -> Any:
    scale, zero_point = np.float32(grid.scale), np.int8(grid.zero_point)
    return builder.dequantize(input=code, scale=scale, zero_point=zero_point, name=name)


def _weight(pen: _Pen, operator: Conv2d | Linear) -> Any:
    if operator.weight_scales is None:
        return pen.builder.const(val=np.asarray(operator.weight, np.float32), name=f"{pen.label}_weight")
    return pen.builder.constexpr_affine_dequantize(
        quantized_data=np.asarray(operator.weight, np.int8),
        scale=np.asarray(operator.weight_scales, np.float32),
        zero_point=np.int8(0),
        axis=np.int32(0),
        name=f"{pen.label}_weight",
    )


def _conv2d(pen: _Pen, operator: Conv2d) -> Any:
    value = pen.builder.conv(
        x=pen.read(operator.input),
        weight=_weight(pen, operator),
        bias=real_bias(operator),
        strides=list(operator.stride),
        pad_type="custom",
        pad=list(operator.padding),
        dilations=list(operator.dilation),
        groups=operator.groups,
        name=pen.label,
    )
    return pen.finish(value, operator.output, operator.clamp)


def _linear(pen: _Pen, operator: Linear) -> Any:
    weight, bias = _weight(pen, operator), real_bias(operator)
    value = pen.builder.linear(x=pen.read(operator.input), weight=weight, bias=bias, name=pen.label)
    return pen.finish(value, operator.output, operator.clamp)


def _add(pen: _Pen, operator: Add) -> Any:
    value = pen.builder.add(x=pen.read(operator.a), y=pen.read(operator.b), name=pen.label)
    return pen.finish(value, operator.output, operator.clamp)


def _mul(pen: _Pen, operator: Mul) -> Any:
    value = pen.builder.mul(x=pen.read(operator.a), y=pen.read(operator.b), name=pen.label)
    return pen.finish(value, operator.output, operator.clamp)


def _mean(pen: _Pen, operator: Mean) -> Any:
    keeps_dimensions = len(operator.output.shape) == 3
    value = pen.builder.reduce_mean(x=pen.read(operator.input), axes=[2, 3], keep_dims=keeps_dimensions, name=pen.label)
    return pen.finish(value, operator.output)


def _max_pool2d(pen: _Pen, operator: MaxPool2d) -> Any:
    return pen.finish(pen.builder.max_pool(**_window(pen, operator)), operator.output)


def _avg_pool2d(pen: _Pen, operator: AvgPool2d) -> Any:
    return pen.finish(pen.builder.avg_pool(**_window(pen, operator)), operator.output)


def _window(pen: _Pen, operator: MaxPool2d | AvgPool2d) -> dict[str, Any]:
    return {
        "x": pen.read(operator.input),
        "kernel_sizes": list(operator.kernel),
        "strides": list(operator.stride),
        "pad_type": "custom",
        "pad": list(operator.padding),
        "name": pen.label,
    }


def _concat(pen: _Pen, operator: Concat) -> Any:
    value = pen.builder.concat(values=[pen.read(part) for part in operator.parts], axis=1, name=pen.label)
    return pen.finish(value, operator.output)


def _reshape(pen: _Pen, operator: Reshape) -> Any:
    value = pen.builder.reshape(x=pen.read(operator.input), shape=[1, *operator.output.shape], name=pen.label)
    return pen.finish(value, operator.output)


def _dequantize_input(pen: _Pen, operator: Dequantize) -> Any:
    assert operator.input.quantization is not None
    return _dequantize(pen.builder, pen.read(operator.input), operator.input.quantization, pen.label)


def _activation(pen: _Pen, operator: Activation) -> Any:
    value = pen.read(operator.input)
    if operator.kind is ActivationKind.RELU:
        return pen.finish(pen.builder.relu(x=value, name=pen.label), operator.output)
    if operator.kind is ActivationKind.RELU6:
        return pen.finish(pen.builder.relu6(x=value, name=pen.label), operator.output)
    sixth, half = np.float32(1 / 6), np.float32(0.5)
    is_gate = operator.kind is ActivationKind.HARD_SIGMOID
    name = pen.label if is_gate else f"{pen.label}_gate"
    gate = pen.builder.sigmoid_hard(x=value, alpha=sixth, beta=half, name=name)
    return pen.finish(gate if is_gate else pen.builder.mul(x=value, y=gate, name=pen.label), operator.output)


_WRITERS: Mapping[type[Operator], Callable[[_Pen, Any], Any]] = {
    Conv2d: _conv2d,
    Linear: _linear,
    Add: _add,
    Mul: _mul,
    Mean: _mean,
    MaxPool2d: _max_pool2d,
    AvgPool2d: _avg_pool2d,
    Concat: _concat,
    Reshape: _reshape,
    Dequantize: _dequantize_input,
    Activation: _activation,
}
