"""Writes int8 operators: snaps weights, puts biases on their grid, and decides every scale for good.

A tensor may stand for a multiple of the net's own values: h-swish's product is six times h-swish, because the factor
1/6 costs an operator. The multiple travels in the tensor's scale and goes into the next weights, where it is free.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk import arithmetic
from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import CaptureError
from mobile_sdk.integer_graph import (
    INT8_MAX,
    INT8_MIN,
    Add,
    Clamp,
    Concat,
    Constant,
    Conv2d,
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
from qat import layers
from qat.emitter import Pending
from qat.fake_quant import LEVELS
from qat.snap import float32, snap_constant, snap_weights
from qat.steps import Kind, Step

CLAMP_OF = {None: Clamp.NONE, Kind.RELU: Clamp.RELU, Kind.RELU6: Clamp.RELU6, Kind.HARD_SIGMOID: Clamp.NONE}
ALL_CODES = np.arange(INT8_MIN, INT8_MAX + 1)


@dataclass(frozen=True, kw_only=True)
class Value:
    """A tensor, and the multiple of the net's own values that it stands for."""

    tensor: Tensor
    multiple: float = 1.0


class IntegerEmitter:
    """Collects the operators of one int8 graph."""

    def __init__(self, image: ImageSpec) -> None:
        size = image.size_px
        grid = Quantization(scale=float32(1 / image.step_byte), zero_point=image.pad_byte - 128)
        self._input = Tensor(name="picture_codes", shape=(3, size, size), quantization=grid)
        self._operators: list[Operator] = []

    def picture(self) -> Value:
        """RGB bytes, re-based by 128."""
        return Value(tensor=self._input)

    def finish(self, value: Value) -> Graph:
        """The graph whose scores are `value`, as the net's own values."""
        scores = self._plain("scores", "<root>", value)
        assert scores.tensor is self._operators[-1].output, "the scores are the last operator's output"
        return Graph(input=self._input, operators=tuple(self._operators))

    def emit(self, name: str, pending: Pending, grid: Quantization) -> Value:
        """The pending operator's output on `grid`."""
        step, operands = pending.step, pending.operands
        match step.kind:
            case Kind.WEIGHTED:
                return self._weighted(name, pending, grid)
            case Kind.ADD:
                return self._add(name, pending, grid)
            case Kind.ADD_CONSTANT:
                return self._add_constant(name, step, operands[0], step.constant, CLAMP_OF[pending.activation], grid)
            case Kind.RELU | Kind.RELU6:
                return self._add_constant(name, step, operands[0], 0.0, CLAMP_OF[step.kind], grid)
            case Kind.HARD_SIGMOID:
                return self._hard_sigmoid(name, step, operands[0])
            case Kind.HARD_SWISH:
                return self._hard_swish(name, step, operands[0], grid)
            case Kind.MUL:
                return self._mul(name, step, operands, CLAMP_OF[pending.activation], grid)
            case Kind.SCALE:
                return self._rescaled(name, step.path, operands[0], step.constant, grid)
            case Kind.GLOBAL_MEAN:
                tensor = _tensor(name, step.shape, grid, operands[0].multiple)
                self._operators.append(Mean(output=tensor, path=step.path, input=operands[0].tensor))
                return Value(tensor=tensor, multiple=operands[0].multiple)
            case Kind.AVERAGE_POOL:
                return self._average_pool(name, step, operands[0], grid)
            case Kind.CONCAT:
                return self._concat(name, step, operands, grid)
            case _:
                raise AssertionError(f"{step.kind} has no grid of its own")

    def pass_on(self, name: str, step: Step, value: Value, *, is_sole_user: bool) -> Value:
        """A step whose output lies on its input's grid."""
        if step.kind is Kind.DROPOUT:
            return value
        if step.kind is Kind.SCALE:
            return replace(value, multiple=value.multiple / step.constant)
        if step.kind is Kind.FLATTEN:
            return self._flatten(name, step, value, is_sole_user)
        assert step.kind is Kind.MAX_POOL and step.window is not None
        tensor = Tensor(name=name, shape=step.shape, quantization=value.tensor.quantization)
        top, left = step.window.padding
        self._operators.append(
            MaxPool2d(
                output=tensor,
                path=step.path,
                input=value.tensor,
                kernel=step.window.kernel,
                stride=step.window.stride,
                padding=(top, top, left, left),
            )
        )
        return replace(value, tensor=tensor)

    # -- weights

    def _weighted(self, name: str, pending: Pending, grid: Quantization) -> Value:
        step, (value,), layer = pending.step, pending.operands, pending.layer
        assert layer is not None
        codes, scales, bias = (term.detach().numpy() for term in layer.codes())
        if pending.activation is Kind.HARD_SIGMOID:  # (x + 3) / 6; the clamp to 0..1 is the grid's own saturation
            scales, bias = scales / 6, (bias + 3) / 6
        clamp = _needed(CLAMP_OF[pending.activation], grid)
        weights = snap_weights(codes, scales / value.multiple, bias, arithmetic.quantization_of(value.tensor), grid)
        common = {"path": step.path, "input": value.tensor, "clamp": clamp}
        output = _tensor(name, step.shape, grid, 1.0)
        if isinstance(layer, layers.Conv2d):
            geometry = {
                "stride": layer.stride,
                "padding": layer.padding,
                "dilation": layer.dilation,
                "groups": layer.groups,
            }
            self._operators.append(Conv2d(output=output, **common, **geometry, **weights))
        elif len(value.tensor.shape) == 1:
            self._operators.append(Linear(output=output, **common, **weights))
        else:
            self._linear_on_map(output, common, weights)
        return Value(tensor=output)

    def _linear_on_map(self, output: Tensor, common: dict[str, Any], weights: dict[str, Any]) -> None:
        """A linear layer on a flattened map: the convolution whose window is the map, whatever the runtime's layout."""
        weights["weight"] = weights["weight"].reshape(-1, *common["input"].shape)
        pixel = replace(output, name=f"{output.name}.pixel", shape=(*output.shape, 1, 1))
        geometry = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "groups": 1}
        self._operators.append(Conv2d(output=pixel, **common, **geometry, **weights))
        self._operators.append(Reshape(output=output, path=common["path"], input=pixel))

    def _average_pool(self, name: str, step: Step, value: Value, grid: Quantization) -> Value:
        """A depthwise convolution whose every weight is code 1 at scale 1/area: exact wherever convolutions are."""
        assert step.window is not None
        channels, area = step.shape[0], step.window.kernel[0] * step.window.kernel[1]
        codes = np.ones((channels, 1, *step.window.kernel), np.int8)
        output = _tensor(name, step.shape, grid, value.multiple)
        top, left = step.window.padding
        self._operators.append(
            Conv2d(
                output=output,
                path=step.path,
                input=value.tensor,
                weight=codes,
                weight_scales=np.full(channels, 1 / area, np.float32),
                bias=np.zeros(channels, np.int32),
                stride=step.window.stride,
                padding=(top, top, left, left),
                dilation=(1, 1),
                groups=channels,
            )
        )
        return Value(tensor=output, multiple=value.multiple)

    # -- arithmetic

    def _add(self, name: str, pending: Pending, grid: Quantization) -> Value:
        a, b = self._alike(name, pending.step.path, pending.operands)
        output = _tensor(name, pending.step.shape, grid, a.multiple)
        clamp = _needed(CLAMP_OF[pending.activation], grid)
        operator = Add(output=output, path=pending.step.path, a=a.tensor, b=b.tensor, clamp=clamp)
        _check_add(operator)
        self._operators.append(operator)
        return Value(tensor=output, multiple=a.multiple)

    def _add_constant(
        self, name: str, step: Step, value: Value, constant: float, clamp: Clamp, grid: Quantization
    ) -> Value:
        output = _tensor(name, step.shape, grid, value.multiple)
        addend = snap_constant(f"{name}.constant", constant * value.multiple, arithmetic.quantization_of(output).scale)
        clamp = _needed(clamp, grid)
        if clamp is Clamp.RELU6 and value.multiple != 1:
            raise CaptureError(
                f"ReLU6 at {step.path} shares its grid", hint="put a convolution before the concatenation"
            )
        operator = Add(output=output, path=step.path, a=value.tensor, b=addend, clamp=clamp)
        _check_add(operator)
        self._operators.append(operator)
        return Value(tensor=output, multiple=value.multiple)

    def _gate(self, name: str, step: Step, value: Value) -> Value:
        """relu6(x + 3): an Add whose output grid ends at 0 and 6, so that saturation is the clamp."""
        grid = Quantization(scale=float32(6 / LEVELS), zero_point=INT8_MIN)
        return self._add_constant(name, step, value, 3.0, Clamp.NONE, grid)

    def _hard_sigmoid(self, name: str, step: Step, value: Value) -> Value:
        gate = self._gate(name, step, value)
        return replace(gate, multiple=gate.multiple * 6)

    def _hard_swish(self, name: str, step: Step, value: Value, grid: Quantization) -> Value:
        gate = self._gate(f"{name}.gate", step, value)
        return self._mul(name, step, (value, replace(gate, multiple=gate.multiple * 6)), Clamp.NONE, grid)

    def _mul(self, name: str, step: Step, operands: tuple[Any, ...], clamp: Clamp, grid: Quantization) -> Value:
        a, b = operands
        multiple = a.multiple * b.multiple
        grid_b = arithmetic.quantization_of(b.tensor)
        output = self._product_tensor(
            name, step.shape, a.tensor, ALL_CODES - grid_b.zero_point, grid_b.scale, grid, multiple
        )
        clamp = _needed(clamp, grid)
        self._operators.append(Mul(output=output, path=step.path, a=a.tensor, b=b.tensor, clamp=clamp))
        return Value(tensor=output, multiple=multiple)

    def _product_tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        a: Tensor,
        codes_b: NDArray[np.int64],
        scale_b: float,
        grid: Quantization,
        multiple: float,
    ) -> Tensor:
        """The product's tensor, its scale moved until x86-64 and Arm round every pair of codes alike."""
        wanted = _scaled(grid, multiple)
        scale = arithmetic.settle_product_scale(arithmetic.quantization_of(a), codes_b, scale_b, wanted)
        return Tensor(name=name, shape=shape, quantization=replace(wanted, scale=scale))

    def _rescaled(self, name: str, path: str, value: Value, constant: float, grid: Quantization) -> Value:
        """A product with a constant, and the multiple back at one."""
        factor = Constant(
            name=f"{name}.constant",
            value=1,
            quantization=Quantization(scale=float32(constant / value.multiple), zero_point=0),
        )
        codes = np.array([1])
        scale = arithmetic.quantization_of(factor).scale
        output = self._product_tensor(name, value.tensor.shape, value.tensor, codes, scale, grid, 1.0)
        self._operators.append(Mul(output=output, path=path, a=value.tensor, b=factor))
        return Value(tensor=output)

    def _alike(self, name: str, path: str, operands: tuple[Any, ...]) -> list[Value]:
        """The operands as one multiple of the net's values."""
        if len({value.multiple for value in operands}) == 1:
            return list(operands)
        return [self._plain(f"{name}.operand{index}", path, value) for index, value in enumerate(operands)]

    def _plain(self, name: str, path: str, value: Value) -> Value:
        if value.multiple == 1:
            return value
        grid = arithmetic.quantization_of(value.tensor)
        own = Quantization(scale=float32(grid.scale / value.multiple), zero_point=grid.zero_point)
        return self._rescaled(name, path, value, 1.0, own)

    # -- shape

    def _concat(self, name: str, step: Step, operands: tuple[Any, ...], grid: Quantization) -> Value:
        """All parts on one grid; a part that has another (a settled product, the picture) is brought onto it."""
        parts = self._alike(name, step.path, operands)
        output = _tensor(name, step.shape, grid, parts[0].multiple)
        for index, part in enumerate(parts):
            if part.tensor.quantization != output.quantization:
                own = replace(step, shape=part.tensor.shape)
                parts[index] = self._add_constant(f"{name}.part{index}", own, part, 0.0, Clamp.NONE, grid)
        self._operators.append(Concat(output=output, path=step.path, parts=tuple(part.tensor for part in parts)))
        return Value(tensor=output, multiple=parts[0].multiple)

    def _flatten(self, name: str, step: Step, value: Value, is_sole_user: bool) -> Value:
        """(C, 1, 1) to (C,); a mean that nobody else reads gives the vector itself, a larger map stays for `_weighted`."""
        if value.tensor.shape[1:] not in ((), (1, 1)):
            return value
        flat = Tensor(name=name, shape=step.shape, quantization=value.tensor.quantization)
        last = self._operators[-1]
        if isinstance(last, Mean) and last.output is value.tensor and is_sole_user:
            self._operators[-1] = replace(last, output=replace(flat, name=value.tensor.name))
            return replace(value, tensor=self._operators[-1].output)
        self._operators.append(Reshape(output=flat, path=step.path, input=value.tensor))
        return replace(value, tensor=flat)


def _needed(clamp: Clamp, grid: Quantization) -> Clamp:
    """The clamp, or none where the grid's own saturation does it already."""
    full = arithmetic.clamp_range(grid, Clamp.NONE)
    return Clamp.NONE if arithmetic.clamp_range(grid, clamp) == full else clamp


def _check_add(operator: Add) -> None:
    """XNNPACK adds only where input and output scales are not too far apart."""
    low, high = arithmetic.ADD_RATIO_RANGE
    y = arithmetic.quantization_of(operator.output).scale
    ratios = [arithmetic.quantization_of(operand).scale / y for operand in operator.inputs]
    if not all(low <= ratio < high for ratio in ratios):
        raise CaptureError(
            f"the sum at {operator.path} joins ranges that differ too much (scale ratios {ratios})",
            hint="train with batch norm before the sum, or calibrate on more pictures",
        )


def _tensor(name: str, shape: tuple[int, ...], grid: Quantization, multiple: float) -> Tensor:
    return Tensor(name=name, shape=shape, quantization=_scaled(grid, multiple))


def _scaled(grid: Quantization, multiple: float) -> Quantization:
    return Quantization(scale=float32(grid.scale * multiple), zero_point=grid.zero_point)
