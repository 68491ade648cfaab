"""The reference: what the phone computes, element for element, in PyTorch.

Codes are carried centred (`q - zero_point`) in float32. That is exact: a float32 holds every integer below 2^24, and a
convolution whose accumulator could reach further is computed in float64.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from mobile_sdk.errors import SettingError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.float_operators import apply, decode_boxes, resized
from mobile_sdk.graph.limits import check_sums
from mobile_sdk.graph.operators import (
    Add,
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

EXACT_IN_FLOAT32 = 2**24
BATCH_PIXELS = 16 * 224 * 224  # computed at a time: enough work for a thread, activations of a few layers in the cache

Step = Callable[..., torch.Tensor]
_Number = TypeVar("_Number", bound=np.generic)


class Reference:
    """Executes an int8 or mixed graph. `run` gives the codes of the scores, `trace` those of every tensor.

    A tensor that is kept in float32 has its values in place of codes. Sums are exact; a graph whose sums could leave
    int32, where the runtimes' wrap, is a CompileError.
    """

    def __init__(self, graph: Graph) -> None:
        if graph.precision == "float32":
            raise SettingError("expected an int8 graph, found float32", hint="use FloatReference for the float32 twin")
        check_sums(graph)
        self.graph = graph
        self._steps = [_compile(operator) for operator in graph.operators]
        self._last_use = _last_uses(graph)

    def run(self, pictures: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Codes for RGB bytes (N, H, W, 3): (N, *output shape), a map's channels last as runtimes have them."""
        batch = max(1, BATCH_PIXELS // (pictures.shape[1] * pictures.shape[2]))
        with torch.inference_mode():
            parts = [self._run(pictures[i : i + batch]) for i in range(0, len(pictures), batch)]
        return channels_last(np.concatenate(parts))

    def trace(self, pictures: NDArray[np.uint8]) -> dict[str, NDArray[np.generic]]:
        """Codes (N, *shape) of every tensor by its name, the input's among them."""
        with torch.inference_mode():
            return {tensor.name: _codes(tensor, value) for tensor, value in self._execute(pictures)}

    def _run(self, pictures: NDArray[np.uint8]) -> NDArray[np.generic]:
        tensor, value = deque(self._execute(pictures), maxlen=1).pop()
        return _codes(tensor, value)

    def _execute(self, pictures: NDArray[np.uint8]) -> Iterator[tuple[Tensor, torch.Tensor]]:
        """Yields every tensor as it is computed; a value is dropped after its last use."""
        centre = 128 + arithmetic.quantization_of(self.graph.input).zero_point
        codes = torch.from_numpy(pictures.astype(np.float32)).permute(0, 3, 1, 2).sub_(centre)
        values = {self.graph.input.name: codes.contiguous(memory_format=torch.channels_last)}
        yield self.graph.input, values[self.graph.input.name]
        for index, (operator, step) in enumerate(zip(self.graph.operators, self._steps, strict=True)):
            operands = [values[x.name] for x in operator.inputs if isinstance(x, Tensor)]
            values[operator.output.name] = step(*operands)
            yield operator.output, values[operator.output.name]
            for name in self._last_use.get(index, ()):
                del values[name]


def channels_last(values: NDArray[_Number]) -> NDArray[_Number]:
    """Maps (N, C, H, W) as (N, H, W, C); all else as it is."""
    return np.ascontiguousarray(values.transpose(0, 2, 3, 1)) if values.ndim == 4 else values


def _last_uses(graph: Graph) -> dict[int, list[str]]:
    """Operator index → names of the tensors that nobody needs after it."""
    last = {graph.input.name: 0}
    for index, operator in enumerate(graph.operators):
        last |= {x.name: index for x in operator.inputs if isinstance(x, Tensor)}
    uses: dict[int, list[str]] = {}
    for name, index in last.items():
        uses.setdefault(index, []).append(name)
    return uses


def _codes(tensor: Tensor, centred: torch.Tensor) -> NDArray[np.generic]:
    if tensor.quantization is None:
        return centred.contiguous().numpy()
    codes = centred + arithmetic.quantization_of(tensor).zero_point
    return codes.to(torch.int8).contiguous().numpy()


def _compile(operator: Operator) -> Step:
    """The operator as a function of its operands' centred codes, its constants prepared; of values in float32."""
    match operator:
        case Dequantize(input=codes):
            scale = arithmetic.quantization_of(codes).scale
            return lambda x: x * scale
        case DecodeBoxes():
            return _decode_boxes(operator)
        case Quantize(output=output):
            return _quantize(arithmetic.quantization_of(output))
        case _:
            is_kept = operator.output.quantization is None
            return partial(apply, operator) if is_kept else _compile_int8(operator)


def _compile_int8(operator: Operator) -> Step:
    build = _RULES.get(type(operator))
    if build is None:
        kind = type(operator).__name__
        raise SettingError(f"the reference has no integer rule for {kind} at {operator.path}", hint="freeze lowers it")
    return build(operator)


def _rearrange(operator: Concat | JoinRows | Rows | Reshape) -> Step:
    """What moves codes and computes none."""
    match operator:
        case Rows(start=start, output=output):
            return lambda x: x[:, :, start : start + output.shape[1]]
        case Reshape(output=output):
            return lambda x: x.reshape(-1, *output.shape)
        case _:
            axis = 1 if isinstance(operator, Concat) else 2
            return lambda *parts: torch.cat(parts, dim=axis)


def _quantize(grid: Quantization) -> Step:
    """XNNPACK's conversion: times the float32 inverse of the scale, ties to even."""
    inverse = float(np.float32(1) / np.float32(grid.scale))
    low, high = arithmetic.clamp_range(grid, Clamp.NONE)
    return lambda x: (x * inverse).round_().clamp_(low, high)


def _decode_boxes(operator: DecodeBoxes) -> Step:
    grids = [each.quantization for each in operator.predictions]
    scales = [1.0 if grid is None else grid.scale for grid in grids]
    return lambda *codes: decode_boxes(operator, *(each * scale for each, scale in zip(codes, scales, strict=True)))


def _accumulate(operator: Conv2d | Linear, multiply: Step) -> Step:
    """The operator's sums of products plus bias, exact; in float64 only where float32 could not hold them."""
    x = arithmetic.quantization_of(operator.input)
    furthest = max(127 - x.zero_point, x.zero_point + 128)
    filters = np.abs(operator.weight.astype(np.int64)).reshape(len(operator.weight), -1).sum(axis=1)
    bound = int((filters * furthest + np.abs(operator.bias.astype(np.int64))).max())
    dtype = torch.float32 if bound < EXACT_IN_FLOAT32 else torch.float64
    weight = torch.from_numpy(operator.weight).to(dtype)
    if weight.ndim == 4:
        weight = weight.contiguous(memory_format=torch.channels_last)
    bias = torch.from_numpy(operator.bias).to(dtype)
    return lambda x: multiply(x.to(dtype), weight, bias).to(torch.float32)


def _requantize(operator: Conv2d | Linear, accumulate: Step) -> Step:
    assert operator.weight_scales is not None
    x, y = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    shape = (-1, 1, 1) if isinstance(operator, Conv2d) else (-1,)
    factor = torch.from_numpy(arithmetic.requantization(x, operator.weight_scales, y)).reshape(shape)
    low, high = arithmetic.clamp_range(y, operator.clamp)
    return lambda x: accumulate(x).mul_(factor).round_().clamp_(low, high)


def _conv2d(operator: Conv2d) -> Step:
    top, bottom, left, right = operator.padding
    symmetric = top == bottom and left == right

    def convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        if not symmetric:
            x = F.pad(x, (left, right, top, bottom))
        padding = (top, left) if symmetric else 0
        return F.conv2d(x, weight, bias, operator.stride, padding, operator.dilation, operator.groups)

    return _requantize(operator, _accumulate(operator, convolve))


def _linear(operator: Linear) -> Step:
    return _requantize(operator, _accumulate(operator, F.linear))


def _add(operator: Add) -> Step:
    y = arithmetic.quantization_of(operator.output)
    a, b = arithmetic.quantization_of(operator.a), arithmetic.quantization_of(operator.b)
    factor_a, factor_b, shift = arithmetic.add_factors(a, b, y)
    low, high = arithmetic.clamp_range(y, operator.clamp)
    half = 1 << (shift - 1)
    constant = operator.b.value - b.zero_point if isinstance(operator.b, Constant) else None

    def add(a: torch.Tensor, b: torch.Tensor | None = None) -> torch.Tensor:
        total = a.to(torch.int32).mul_(factor_a)
        if b is None:
            total.add_(int(constant or 0) * factor_b + half)
        else:
            total.add_(b.to(torch.int32), alpha=factor_b).add_(half)
        return total.bitwise_right_shift_(shift).clamp_(low, high).to(torch.float32)

    return add


def _mul(operator: Mul) -> Step:
    y = arithmetic.quantization_of(operator.output)
    a, b = arithmetic.quantization_of(operator.a), arithmetic.quantization_of(operator.b)
    factor = float(arithmetic.product_factor(a, b, y))
    low, high = arithmetic.clamp_range(y, operator.clamp)

    if isinstance(operator.b, Constant):
        constant = operator.b.value - b.zero_point
        return lambda a: (a * constant).mul_(factor).round_().clamp_(low, high)
    if operator.a.name == operator.b.name:
        squares = arithmetic.round_square(np.arange(-255, 256), a, y)
        table = torch.from_numpy(squares.clip(low, high).astype(np.float32))
        return lambda a, _: table[a.to(torch.int64) + 255]
    return lambda a, b: (a * b).mul_(factor).round_().clamp_(low, high)


def _mean(operator: Mean) -> Step:
    _, height, width = operator.input.shape
    count = height * width
    x, y = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    factor, offset = (float(term) for term in arithmetic.mean_terms(x, y, count))
    wide = torch.float32 if count * 255 < EXACT_IN_FLOAT32 else torch.float64

    def mean(centred: torch.Tensor) -> torch.Tensor:
        total = centred.sum(dim=(2, 3), dtype=wide).add_(count * x.zero_point).to(torch.float32)
        codes = total.mul_(factor).add_(offset).round_().clamp_(-128, 127)
        return codes.sub_(y.zero_point).reshape(-1, *operator.output.shape)

    return mean


def _max_pool2d(operator: MaxPool2d) -> Step:
    top, bottom, left, right = operator.padding

    def max_pool2d(x: torch.Tensor) -> torch.Tensor:
        if any(operator.padding):
            x = F.pad(x, (left, right, top, bottom), value=float("-inf"))
        return F.max_pool2d(x, operator.kernel, operator.stride)

    return max_pool2d


def _resize_bilinear(operator: ResizeBilinear) -> Step:
    """XNNPACK's 11-bit weights hold these exactly; it adds half a step and shifts (`src/s8-ibilinear`)."""
    return lambda x: (resized(operator, x) + 0.5).floor_()


_RULES: Mapping[type[Operator], Callable[[Any], Step]] = {
    Conv2d: _conv2d,
    Linear: _linear,
    Add: _add,
    Mul: _mul,
    Mean: _mean,
    MaxPool2d: _max_pool2d,
    Concat: _rearrange,
    JoinRows: _rearrange,
    Rows: _rearrange,
    ChannelSlice: lambda operator: lambda x: x[:, operator.start : operator.stop],
    ChannelShuffle: lambda operator: lambda x: F.channel_shuffle(x, operator.groups),
    Reshape: _rearrange,
    ResizeBilinear: _resize_bilinear,
}
