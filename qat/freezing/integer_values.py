"""Represents int8 tensors of the net's own values, or of a multiple of them.

h-swish's product is six times h-swish, because the factor 1/6 costs an operator. The multiple is in the tensor's scale
and goes into the next weights, where it is free.
"""

from dataclasses import dataclass, replace

import numpy as np

from mobile_sdk.errors import CaptureError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.code_tables import settle_table_scale
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Add, Clamp, Conv2d, Quantization, Sub, Tensor
from mobile_sdk.graph.settled_factors import settle_weight_scales
from mobile_sdk.graph.settled_sums import settle_sum_scale
from qat.layers.integer_rounding import SMALLEST_FACTOR, float32
from qat.steps import Step

ALL_CODES = np.arange(INT8_MIN, INT8_MAX + 1)


@dataclass(frozen=True, kw_only=True)
class Value:
    """Holds a tensor, and the multiple of the net's own values that it represents."""

    tensor: Tensor
    multiple: float = 1.0

    @property
    def grid(self) -> Quantization:
        """Returns the tensor's own grid, the multiple included."""
        return arithmetic.quantization_of(self.tensor)


def value_on(name: str, shape: tuple[int, ...], grid: Quantization, multiple: float = 1.0) -> Value:
    """Returns a new tensor that holds `multiple` times values on `grid`."""
    return Value(tensor=Tensor(name=name, shape=shape, quantization=_scaled(grid, multiple)), multiple=multiple)


def product_on(name: str, shape: tuple[int, ...], a: Value, b: Value, grid: Quantization) -> Value:
    """Returns a new tensor for a product, its scale moved until all processors round all pairs of codes alike."""
    multiple = a.multiple * b.multiple
    wanted = _scaled(grid, multiple)
    if a.tensor is b.tensor:
        scale = arithmetic.settle_square_scale(a.grid, wanted)
    else:
        scale = arithmetic.settle_product_scale(a.grid, ALL_CODES - b.grid.zero_point, b.grid.scale, wanted)
    return Value(tensor=Tensor(name=name, shape=shape, quantization=replace(wanted, scale=scale)), multiple=multiple)


def settled_sum(output: Value, a: Quantization, b: Quantization, kind: type[Add | Sub]) -> Value:
    """Returns the tensor of a sum with its scale moved until all ways of adding give all pairs of codes one sum."""
    scale = settle_sum_scale(a, b, output.grid, is_difference=kind is Sub)
    return replace(output, tensor=replace(output.tensor, quantization=replace(output.grid, scale=scale)))


def rescaled_on(name: str, a: Value, factor: Quantization, grid: Quantization) -> Value:
    """Returns a new tensor for a product with the constant code 1 on the grid `factor`; its multiple is one.

    Its scale is moved as for `product_on`.
    """
    scale = arithmetic.settle_product_scale(a.grid, np.array([1]), factor.scale, grid)
    return Value(tensor=replace(a.tensor, name=name, quantization=replace(grid, scale=scale)))


def function_on(step: Step, name: str, x: Tensor, grid: Quantization) -> Value:
    """Returns a new tensor for a function of one number, its scale moved until no entry lies near a tie."""
    assert step.function is not None
    try:
        settled = settle_table_scale(step.function, step.parameters, arithmetic.quantization_of(x), grid)
    except ValueError as error:
        found = f"expected a function that float32 holds at {step.path}, found {error}"
        raise CaptureError(found, hint="scale the values down before it, or put a clamp there") from error
    return Value(tensor=Tensor(name=name, shape=step.shape, quantization=settled))


def mean_on(name: str, shape: tuple[int, ...], x: Value, grid: Quantization) -> Value:
    """Returns a new tensor for a mean over height and width, its scale moved until all builds round all sums alike."""
    _, height, width = x.tensor.shape
    wanted = _scaled(grid, x.multiple)
    scale = arithmetic.settle_mean_scale(x.grid, wanted, height * width)
    output = Tensor(name=name, shape=shape, quantization=replace(wanted, scale=scale))
    return Value(tensor=output, multiple=x.multiple)


def needed(clamp: Clamp, output: Value) -> Clamp:
    """Returns the clamp, or none if the grid's own saturation is equal to it."""
    grid = _scaled(output.grid, 1 / output.multiple)
    is_done = arithmetic.clamp_range(grid, clamp) == arithmetic.clamp_range(grid, Clamp.NONE)
    return Clamp.NONE if is_done else clamp


def displaces(clamp: Clamp, multiple: float, grid: Quantization) -> bool:
    """Returns whether a ReLU6 on the net's own `grid` would have to end at a multiple of six, as no operator does."""
    output = Value(tensor=Tensor(name="", shape=(), quantization=_scaled(grid, multiple)), multiple=multiple)
    return multiple != 1 and needed(clamp, output) is Clamp.RELU6


def average_pool(step: Step, value: Value, output: Value) -> Conv2d:
    """Returns a depthwise convolution whose weights are all code 1 at scale 1/area: exact wherever convolutions are.

    On a grid so much coarser that every mean is zero, the scale is the least that runtimes accept.
    """
    assert step.window is not None
    channels, area = step.shape[0], step.window.kernel[0] * step.window.kernel[1]
    scale = np.float32(max(1 / area, SMALLEST_FACTOR * output.grid.scale / value.grid.scale))
    (scale,) = settle_weight_scales(np.array([scale]), value.grid, output.grid)
    return Conv2d(
        output=output.tensor,
        path=step.path,
        input=value.tensor,
        weight=np.ones((channels, 1, *step.window.kernel), np.int8),
        weight_scales=np.full(channels, scale),
        bias=np.zeros(channels, np.int32),
        stride=step.window.stride,
        padding=step.window.padding,
        dilation=(1, 1),
        groups=channels,
    )


def _scaled(grid: Quantization, multiple: float) -> Quantization:
    return Quantization(scale=float32(grid.scale * multiple), zero_point=grid.zero_point)
