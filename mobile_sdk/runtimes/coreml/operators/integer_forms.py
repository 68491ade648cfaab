"""One function per operator of an int8 graph: it becomes MIL operations that compute its integers in float32.

Between `quantize` and `quantize` a value is a centred code (`q - zero_point`), a sum of products of such, or one of
these in steps of the output. Up to the factor that makes a sum steps, every number is an integer that float32 holds,
so no order of summation can change it; the factor rounds once, and `quantize` rounds that. No scale is in the file but
the output's. Padding with 0.0 is padding with the zero point, and saturation to int8 happens in `quantize`. The rules
are those of mobile_sdk/graph/arithmetic.py.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import (
    INT8_MAX,
    INT8_MIN,
    Add,
    ChannelShuffle,
    ChannelSlice,
    Clamp,
    Concat,
    Constant,
    Conv2d,
    JoinRows,
    Linear,
    MaxPool2d,
    Mean,
    Mul,
    Operator,
    Quantize,
    Reshape,
    ResizeBilinear,
    Rows,
    Tensor,
)
from mobile_sdk.runtimes.coreml.operators.channels import write_moved
from mobile_sdk.runtimes.coreml.operators.exact_sums import (
    centred,
    is_square,
    line_of_constant,
    requantization_factors,
    split_factors,
)
from mobile_sdk.runtimes.coreml.operators.geometry import conv_geometry, resize_factors, rows_window, window
from mobile_sdk.runtimes.coreml.operators.mil_builder import Pen

HALF = np.float32(0.5)


def _finish(
    pen: Pen, value: Any, output: Tensor, clamp: Clamp = Clamp.NONE, *, step: float = 1.0, is_centred: bool = True
) -> Any:
    """`value`, of which `step` is one step of the output, as int8 codes and back; not centred: its zero point is in."""
    grid = arithmetic.quantization_of(output)
    low, high = arithmetic.clamp_range(grid, clamp)
    zero_point = grid.zero_point if is_centred else 0
    shift = grid.zero_point - zero_point
    if (low, high) != (INT8_MIN - grid.zero_point, INT8_MAX - grid.zero_point):
        bounds = {"alpha": np.float32((low + shift) * step), "beta": np.float32((high + shift) * step)}
        value = pen.builder.clip(x=value, **bounds, name=f"{pen.label}_clamp")
    return pen.centre(pen.quantize(value, step, zero_point), output)


def _parameters(pen: Pen, operator: Conv2d | Linear) -> dict[str, Any]:
    weight = pen.builder.constexpr_affine_dequantize(
        quantized_data=np.asarray(operator.weight, np.int8),
        scale=np.float32(1),
        zero_point=np.int8(0),
        axis=np.int32(0),
        name=f"{pen.label}_weight",
    )
    return {"weight": weight, "bias": operator.bias.astype(np.float32)}


def _conv2d(pen: Pen, operator: Conv2d) -> Any:
    parameters = _parameters(pen, operator)
    x = pen.read(operator.input)
    sums = pen.builder.conv(x=x, **parameters, **conv_geometry(operator), name=pen.label)
    return _finish(pen, pen.mul(sums, requantization_factors(operator), "_steps"), operator.output, operator.clamp)


def _linear(pen: Pen, operator: Linear) -> Any:
    sums = pen.builder.linear(x=pen.read(operator.input), **_parameters(pen, operator), name=pen.label)
    return _finish(pen, pen.mul(sums, requantization_factors(operator), "_steps"), operator.output, operator.clamp)


def _add(pen: Pen, operator: Add) -> Any:
    """A constant is added by a line that is proved for all 256 codes; two tensors, by exact sums of split products."""
    line = line_of_constant(operator) if isinstance(operator.b, Constant) else None
    if line is not None:
        product = pen.mul(pen.read(operator.a), line.factor, "_product")
        return _finish(pen, pen.add(product, line.offset), operator.output, operator.clamp)
    split, a = split_factors(operator), pen.read(operator.a)
    high = pen.add(pen.mul(a, split.high_a, "_high_a"), _term(pen, operator, split.high_b, "_high_b"), "_high")
    low = pen.add(pen.mul(a, split.low_a, "_low_a"), _term(pen, operator, split.low_b, "_low_b"), "_low")
    total = pen.add(high, pen.builder.floor(x=low, name=f"{pen.label}_low_floor"))
    step = float(split.step)
    return _finish(pen, pen.add(total, HALF, "_untied"), operator.output, operator.clamp, step=step)


def _term(pen: Pen, operator: Add, factor: np.float32, suffix: str) -> Any:
    if isinstance(operator.b, Constant):
        return np.float32(centred(operator.b) * factor)
    return pen.mul(pen.read(operator.b), factor, suffix)


def _mul(pen: Pen, operator: Mul) -> Any:
    if is_square(operator):
        return _square(pen, operator)
    a, b, y = (arithmetic.quantization_of(each) for each in (operator.a, operator.b, operator.output))
    other = np.float32(centred(operator.b)) if isinstance(operator.b, Constant) else pen.read(operator.b)
    steps = pen.mul(pen.mul(pen.read(operator.a), other), arithmetic.product_factor(a, b, y), "_steps")
    return _finish(pen, steps, operator.output, operator.clamp)


def _square(pen: Pen, operator: Mul) -> Any:
    """The runtimes' table of squares, real values in float32 and the zero point added before rounding."""
    x, y = arithmetic.quantization_of(operator.a), arithmetic.quantization_of(operator.output)
    value = pen.mul(pen.read(operator.a), np.float32(x.scale), "_real")
    steps = pen.mul(pen.mul(value, value), np.float32(1) / np.float32(y.scale), "_steps")
    codes = pen.add(steps, np.float32(y.zero_point), "_shifted")
    return _finish(pen, codes, operator.output, operator.clamp, is_centred=False)


def _mean(pen: Pen, operator: Mean) -> Any:
    """The rule's sum is uncentred: `count * zero_point` is added to the sum of centred codes."""
    _, height, width = operator.input.shape
    x = arithmetic.quantization_of(operator.input)
    factor, offset = arithmetic.mean_terms(x, arithmetic.quantization_of(operator.output), height * width)
    keeps_dimensions = len(operator.output.shape) == 3
    value = pen.read(operator.input)
    sums = pen.builder.reduce_sum(x=value, axes=[2, 3], keep_dims=keeps_dimensions, name=pen.label)
    uncentred = pen.add(sums, np.float32(height * width * x.zero_point), "_uncentred")
    codes = pen.add(pen.mul(uncentred, factor, "_steps"), offset, "_shifted")
    return _finish(pen, codes, operator.output, is_centred=False)


def _max_pool2d(pen: Pen, operator: MaxPool2d) -> Any:
    value = pen.builder.max_pool(x=pen.read(operator.input), **window(operator), name=pen.label)
    return _finish(pen, value, operator.output)


def _concat(pen: Pen, operator: Concat) -> Any:
    value = pen.builder.concat(values=[pen.read(part) for part in operator.parts], axis=1, name=pen.label)
    return _finish(pen, value, operator.output)


def _join_rows(pen: Pen, operator: JoinRows) -> Any:
    value = pen.builder.concat(values=[pen.read(part) for part in operator.parts], axis=2, name=pen.label)
    return _finish(pen, value, operator.output)


def _rows(pen: Pen, operator: Rows) -> Any:
    begin, size = rows_window(operator)
    value = pen.builder.slice_by_size(x=pen.read(operator.input), begin=begin, size=size, name=pen.label)
    return _finish(pen, value, operator.output)


def _reshape(pen: Pen, operator: Reshape) -> Any:
    value = pen.builder.reshape(x=pen.read(operator.input), shape=[1, *operator.output.shape], name=pen.label)
    return _finish(pen, value, operator.output)


def _resize_bilinear(pen: Pen, operator: ResizeBilinear) -> Any:
    """Weights are small multiples of a power of two: every product and sum is exact, and halves are rounded up."""
    value = pen.builder.upsample_bilinear(x=pen.read(operator.input), **resize_factors(operator), name=pen.label)
    steps = pen.builder.floor(x=pen.add(value, HALF, "_shifted"), name=f"{pen.label}_steps")
    return _finish(pen, steps, operator.output)


def _moved(pen: Pen, operator: ChannelSlice | ChannelShuffle) -> Any:
    return _finish(pen, write_moved(pen, operator), operator.output)


def _quantize(pen: Pen, operator: Quantize) -> Any:
    inverse = np.float32(1) / np.float32(arithmetic.quantization_of(operator.output).scale)
    return _finish(pen, pen.mul(pen.read(operator.input), inverse), operator.output)


INTEGER_FORMS: Mapping[type[Operator], Callable[[Pen, Any], Any]] = {
    Conv2d: _conv2d,
    Linear: _linear,
    Add: _add,
    Mul: _mul,
    Mean: _mean,
    MaxPool2d: _max_pool2d,
    Concat: _concat,
    ChannelSlice: _moved,
    ChannelShuffle: _moved,
    JoinRows: _join_rows,
    Rows: _rows,
    Reshape: _reshape,
    ResizeBilinear: _resize_bilinear,
    Quantize: _quantize,
}
