"""Writes int8 operators: rounds weights, puts biases on their grid, and makes every scale final."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mobile_sdk.contract import NetInput
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph import operators as ops
from mobile_sdk.graph.arithmetic import GATE, HARD_SIGMOID_SHIFT, HARD_SIGMOID_SPAN
from mobile_sdk.graph.settled_factors import settle_weight_scales
from qat.freezing.composed_pools import adaptive_pool, adaptive_windows, mean_over_axes, rows_of
from qat.freezing.emitter import Pending, heads_of, input_tensor, name_of_pixel, not_written
from qat.freezing.grid_planner import Grids
from qat.freezing.integer_values import (
    Value,
    average_pool,
    displaces,
    function_on,
    mean_on,
    needed,
    product_on,
    rescaled_on,
    settled_sum,
    value_on,
)
from qat.freezing.pair_notes import PairNotes
from qat.freezing.rearrangements import rearrangement
from qat.layers import weighted
from qat.layers.box_decoder import Decoder
from qat.layers.integer_rounding import SMALLEST_FACTOR, float32, snap_constant, snap_factor, snap_weights
from qat.layers.transposed import ConvTranspose2d
from qat.steps import Kind, Step

CLAMP_OF = {
    None: ops.Clamp.NONE,
    Kind.RELU: ops.Clamp.RELU,
    Kind.RELU6: ops.Clamp.RELU6,
    Kind.HARD_SIGMOID: ops.Clamp.NONE,
}


class IntegerEmitter:
    """Collects the operators of one int8 graph; `grids` are those of its tensors."""

    def __init__(self, source: NetInput, grids: Grids, operators: list[ops.Operator] | None = None) -> None:
        self._input = input_tensor(source)
        self._grids = grids
        self._operators: list[ops.Operator] = [] if operators is None else operators
        self.pairs = PairNotes()

    def picture(self) -> Value:
        """Returns the codes of the net's input."""
        return Value(tensor=self._input)

    def finish(self, values: Sequence[Value], names: Sequence[str]) -> ops.Graph:
        """Returns the graph whose outputs are `values`."""
        outputs = [self.output(value, is_named=bool(names)) for value in values]
        heads = heads_of(self._operators, outputs, names)
        operators = tuple(self._operators)
        return ops.Graph(input=self._input, operators=operators, pairs=self.pairs.finish(), heads=heads)

    def output(self, value: Value, *, is_named: bool) -> ops.Tensor:
        """Returns an output's tensor, which holds the net's own values."""
        name = f"{value.tensor.name}.plain_codes" if is_named else "scores"
        written = next((each.output for each in self._operators if each.output.name == name), None)
        if written is not None:
            return written
        if not self._operators and not is_named and value.multiple == 1:  # a net that returns its input
            return self._rescaled(name, "<root>", value, 1.0, value.grid).tensor
        return self._plain(name, "<root>", value).tensor

    def emit(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        """Returns the pending operator's output on its planned grid."""
        if pending.step.kind not in INT8_WRITERS:
            raise not_written(pending.step, "an int8 operator")
        value = INT8_WRITERS[pending.step.kind](self, name, pending, self._grids.by_name[name])
        self.pairs.output(name, value)
        return value

    def pass_on(self, name: str, step: Step, value: Value, *, is_sole_user: bool) -> Value:
        """Returns the output of a step on its input's grid."""
        match step.kind:
            case Kind.DROPOUT:
                return value
            case Kind.SCALE:
                self.pairs.leave_out(name)
                return replace(value, multiple=value.multiple / step.constant)
            case Kind.FLATTEN:
                return self._flatten(name, step, value, is_sole_user)
            case Kind.UNFLATTEN:
                return self._reshaped(name, step, value)
            case _:
                return self._rearranged(name, step, value)

    def boxes(self, name: str, step: Step, predictions: tuple[Value, ...], decoder: Decoder) -> Value:
        """Returns a detector's output: every map's predictions have a grid of their own until they are float32."""
        plain = [self._plain(f"{name}.{index}", step.path, each) for index, each in enumerate(predictions)]
        output = ops.Tensor(name=name, shape=step.shape, quantization=None)
        numbers = {"origins": decoder.origins.numpy(), "steps": decoder.steps.numpy()}
        tensors = tuple(each.tensor for each in plain)
        self._operators.append(ops.DecodeBoxes(output=output, path=step.path, predictions=tensors, **numbers))
        return Value(tensor=output)

    # -- weights

    def _weighted(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        step, (value,), layer = pending.step, pending.operands, pending.layer
        assert layer is not None
        codes, scales, bias = (term.detach().numpy() for term in layer.codes())
        if isinstance(layer, ConvTranspose2d):
            codes = layer.dense(codes)
        is_gate = pending.activation is Kind.HARD_SIGMOID
        if is_gate:  # the clamp to 0..1 is the grid's own saturation
            scales, bias = scales / HARD_SIGMOID_SPAN, (bias + HARD_SIGMOID_SHIFT) / HARD_SIGMOID_SPAN
        output = value_on(name, step.shape, grid)
        weights = snap_weights(
            codes, scales / value.multiple, bias, value.grid, grid, path=step.path, bits=layer.weight_bits
        )
        clamp = needed(CLAMP_OF[pending.activation], output)
        common: dict[str, Any] = {"path": step.path, "input": value.tensor, "clamp": clamp}
        is_on_map = isinstance(layer, weighted.Linear) and len(value.tensor.shape) == 3
        self.pairs.weights(name, value.multiple, is_gate=is_gate, is_on_map=is_on_map)
        weights["weight_bits"] = layer.weight_bits
        if isinstance(layer, weighted.Conv2d):
            self._operators.append(ops.Conv2d(output=output.tensor, **common, **layer.geometry, **weights))
        elif isinstance(layer, ConvTranspose2d):
            self._operators.append(ops.ConvTranspose2d(output=output.tensor, **common, **layer.geometry, **weights))
        elif not is_on_map:
            self._operators.append(ops.Linear(output=output.tensor, **common, **weights))
        else:
            self._linear_on_map(output.tensor, common, weights)
        return output

    def _linear_on_map(self, output: ops.Tensor, common: dict[str, Any], weights: dict[str, Any]) -> None:
        """Writes a linear layer on a flattened map as a convolution whose window is the map, for any layout."""
        weights["weight"] = weights["weight"].reshape(-1, *common["input"].shape)
        pixel = replace(output, name=name_of_pixel(output.name), shape=(*output.shape, 1, 1))
        geometry: dict[str, Any] = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "groups": 1}
        self._operators.append(ops.Conv2d(output=pixel, **common, **geometry, **weights))
        self._operators.append(ops.Reshape(output=output, path=common["path"], input=pixel))

    def _function(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        step, (value,) = pending.step, pending.operands
        assert step.function is not None
        (value,) = self._all_plain(name, step.path, [value])
        output = function_on(step, name, value.tensor, grid)
        common: dict[str, Any] = {"path": step.path, "input": value.tensor}
        self._operators.append(
            ops.UnaryFunction(output=output.tensor, function=step.function, parameters=step.parameters, **common)
        )
        return output

    def _constant(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        assert pending.values is not None
        codes = np.rint(pending.values.astype(np.float64) / grid.scale) + grid.zero_point
        values = codes.clip(ops.INT8_MIN, ops.INT8_MAX).astype(np.int8)
        output = value_on(name, pending.step.shape, grid)
        self._operators.append(ops.ConstantTensor(output=output.tensor, path=pending.step.path, values=values))
        return output

    # -- sums

    def _sum(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        clamp = CLAMP_OF[pending.activation]
        a, b = self._clampable(
            name, pending.step.path, self._alike(name, pending.step.path, pending.operands), clamp, grid
        )
        output = value_on(name, pending.step.shape, grid, a.multiple)
        a, b = (self._near(f"{name}.near{index}", pending.step.path, each, output) for index, each in enumerate((a, b)))
        kind = ops.Sub if pending.step.kind is Kind.SUB else ops.Add
        if name not in self._grids.final:
            output = settled_sum(output, a.grid, b.grid, kind)
        clamp = needed(clamp, output)
        self._operators.append(kind(output=output.tensor, path=pending.step.path, a=a.tensor, b=b.tensor, clamp=clamp))
        return output

    def _add_constant(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        clamp = CLAMP_OF[pending.activation]
        return self._shifted(name, pending.step, pending.operands[0], pending.step.constant, clamp, grid)

    def _activation(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        return self._shifted(name, pending.step, pending.operands[0], 0.0, CLAMP_OF[pending.step.kind], grid)

    def _shifted(
        self, name: str, step: Step, value: Value, constant: float, clamp: ops.Clamp, grid: ops.Quantization
    ) -> Value:
        """Returns the value plus a constant, clamped, on `grid`."""
        (value,) = self._clampable(name, step.path, [value], clamp, grid)
        output = value_on(name, step.shape, grid, value.multiple)
        value = self._near(f"{name}.near", step.path, value, output)
        addend = snap_constant(f"{name}.constant", constant * value.multiple, output.grid.scale)
        clamp = needed(clamp, output)
        self._operators.append(ops.Add(output=output.tensor, path=step.path, a=value.tensor, b=addend, clamp=clamp))
        return output

    def _near(self, name: str, path: str, value: Value, output: Value) -> Value:
        """Returns the value on a grid from which XNNPACK adds onto the output's, if its own is too far from it.

        A finer grid has steps far below the output's; on a coarser one, a gate's operand, all but zero saturate.
        """
        low, high = arithmetic.ADD_RATIO_RANGE
        ratio = value.grid.scale / output.grid.scale
        if low <= ratio < high:
            return value
        grid = replace(value.grid, scale=float32(output.grid.scale * 2 * low))
        if ratio >= high:
            grid = ops.Quantization(scale=float32(output.grid.scale * high / 2), zero_point=0)
        return replace(self._rescaled(name, path, value, value.multiple, grid), multiple=value.multiple)

    # -- products

    def _gate(self, name: str, step: Step, value: Value) -> Value:
        """Returns relu6(x + 3), a multiple of the hard-sigmoid: an Add whose grid's saturation is the clamp."""
        gate = self._shifted(name, step, value, HARD_SIGMOID_SHIFT, ops.Clamp.NONE, GATE)
        return replace(gate, multiple=gate.multiple * HARD_SIGMOID_SPAN)

    def _hard_sigmoid(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        return self._gate(name, pending.step, pending.operands[0])

    def _hard_swish(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        value = pending.operands[0]
        gate = self._gate(f"{name}.gate", pending.step, value)
        self.pairs.gate(name, gate)
        return self._product(name, pending.step, value, gate, ops.Clamp.NONE, grid)

    def _mul(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        a, b = pending.operands
        return self._product(name, pending.step, a, b, CLAMP_OF[pending.activation], grid)

    def _product(self, name: str, step: Step, a: Value, b: Value, clamp: ops.Clamp, grid: ops.Quantization) -> Value:
        a, b = self._clampable(name, step.path, [a, b], clamp, grid)
        output = product_on(name, step.shape, a, b, grid)
        clamp = needed(clamp, output)
        self._operators.append(ops.Mul(output=output.tensor, path=step.path, a=a.tensor, b=b.tensor, clamp=clamp))
        return output

    def _matmul(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        step, (a, b) = pending.step, pending.operands
        b = self._without_zero_point(f"{name}.centred", step.path, b)
        output = value_on(name, step.shape, grid, a.multiple * b.multiple)
        self.pairs.operands(name, pending.operands, (a, b))
        self._operators.append(ops.MatMul(output=output.tensor, path=step.path, a=a.tensor, b=b.tensor))
        return output

    def _without_zero_point(self, name: str, path: str, value: Value) -> Value:
        """Returns the value on a grid that reaches as far up as down, whose zero point is 0."""
        grid = value.grid
        if grid.zero_point == 0:
            return value
        furthest = max(ops.INT8_MAX - grid.zero_point, grid.zero_point - ops.INT8_MIN)
        around = ops.Quantization(scale=float32(grid.scale * furthest / ops.INT8_MAX), zero_point=0)
        return replace(self._rescaled(name, path, value, value.multiple, around), multiple=value.multiple)

    # -- multiples

    def _scale(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        return self._rescaled(name, pending.step.path, pending.operands[0], pending.step.constant, grid)

    def _rescaled(self, name: str, path: str, value: Value, constant: float, grid: ops.Quantization) -> Value:
        """Returns a product with a constant, whose multiple is one again."""
        codes = snap_factor(constant / value.multiple, value.grid, grid)
        factor = ops.Constant(name=f"{name}.constant", value=1, quantization=codes)
        output = rescaled_on(name, value, codes, grid)
        self._operators.append(ops.Mul(output=output.tensor, path=path, a=value.tensor, b=factor))
        return output

    def _alike(self, name: str, path: str, operands: tuple[Any, ...]) -> list[Value]:
        """Returns the operands as one multiple of the net's values."""
        if len({value.multiple for value in operands}) == 1:
            return list(operands)
        return self._all_plain(name, path, operands)

    def _clampable(
        self, name: str, path: str, values: list[Value], clamp: ops.Clamp, grid: ops.Quantization
    ) -> list[Value]:
        """Returns the operands, as the net's own values if the clamp's end would be a multiple of six."""
        is_displaced = displaces(clamp, math.prod(value.multiple for value in values), grid)
        return self._all_plain(name, path, values) if is_displaced else values

    def _all_plain(self, name: str, path: str, values: Sequence[Value]) -> list[Value]:
        plain = [self._plain(f"{name}.operand{index}", path, value) for index, value in enumerate(values)]
        self.pairs.operands(name, values, plain)
        return plain

    def _plain(self, name: str, path: str, value: Value) -> Value:
        if value.multiple == 1:
            return value
        own = ops.Quantization(scale=float32(value.grid.scale / value.multiple), zero_point=value.grid.zero_point)
        return self._rescaled(name, path, value, 1.0, own)

    # -- pooling and shape

    def _mean(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        value = pending.operands[0]
        output = mean_on(name, pending.step.shape, value, grid)
        self._operators.append(ops.Mean(output=output.tensor, path=pending.step.path, input=value.tensor))
        return output

    def _window_share(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        """Writes convolutions whose weights ignore their input, but for the last, which see where its map ends."""
        assert pending.share is not None
        value: Value = pending.operands[0]
        channels = pending.step.shape[0]
        *before, last = pending.share.stages()
        for stage, own in [*((stage, stage.grid) for stage in before), (last, grid)]:
            label = name if stage is last else f"{name}.{stage.name}"
            output = value_on(label, (channels, *stage.sides), own)
            codes, scales = stage.codes(channels)
            weights = snap_weights(
                codes, scales, np.full(channels, stage.bias), value.grid, own, path=pending.step.path
            )
            layer: dict[str, Any] = {"output": output.tensor, "path": pending.step.path, "input": value.tensor}
            self._operators.append(ops.Conv2d(**layer, **stage.geometry(channels), **weights))
            self.pairs.weights(label, 1.0)
            value = output
        return value

    def _average_pool(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        value = pending.operands[0]
        output = value_on(name, pending.step.shape, grid, value.multiple)
        self._operators.append(average_pool(pending.step, value, output))
        self.pairs.weights(name, 1.0)
        return output

    def _axes_mean(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        step, (value,) = pending.step, pending.operands
        rows = replace(value, tensor=rows_of(name, step, value.tensor))
        output = mean_on(name, step.shape, rows, grid)
        made = mean_over_axes(step, value.tensor, rows.tensor, output.tensor)
        self._operators.extend(made)
        for operator in made[:2]:
            self.pairs.output(operator.output.name, replace(value, tensor=operator.output))
        return output

    def _adaptive_pool(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        """Writes windows whose weights are all code 1 at scale 1/area, as `average_pool` does."""
        step, (value,) = pending.step, pending.operands
        output = value_on(name, step.shape, grid, value.multiple)
        windows = adaptive_windows(value.tensor.shape[1:], step.shape[1:])
        shares = np.maximum(1 / windows.sum((1, 2)), SMALLEST_FACTOR * output.grid.scale / value.grid.scale)
        scales = np.tile(settle_weight_scales(shares.astype(np.float32), value.grid, output.grid), step.shape[0])
        numbers = {"weight_scales": scales, "bias": np.zeros(len(scales), np.int32)}
        made = adaptive_pool(step, value.tensor, output.tensor, windows.astype(np.int8), numbers)
        self._operators.extend(made)
        self.pairs.weights(made[0].output.name, 1.0)
        return output

    def _rearranged(self, name: str, step: Step, value: Value) -> Value:
        """Returns some of the input's codes, or all in another order."""
        tensor = ops.Tensor(name=name, shape=step.shape, quantization=value.tensor.quantization)
        self._operators.append(rearrangement(step, value.tensor, tensor))
        return self._passed_on(name, value, tensor)

    def _concat(self, name: str, pending: Pending, grid: ops.Quantization) -> Value:
        """Returns all parts on one grid; a part on another grid (a settled product, the image) is converted to it."""
        step = pending.step
        parts = self._alike(name, step.path, pending.operands)
        output = value_on(name, step.shape, grid, parts[0].multiple)
        for index, part in enumerate(parts):
            if part.grid != output.grid:
                own = replace(step, shape=part.tensor.shape)
                parts[index] = self._shifted(f"{name}.part{index}", own, part, 0.0, ops.Clamp.NONE, grid)
        self.pairs.operands(name, pending.operands, parts)
        tensors = tuple(part.tensor for part in parts)
        self._operators.append(ops.Concat(output=output.tensor, path=step.path, parts=tensors, axis=step.axis))
        return output

    def _flatten(self, name: str, step: Step, value: Value, is_sole_user: bool) -> Value:
        """Returns (C, 1, 1) as (C,): a mean without other readers writes the vector itself.

        `_weighted` reads a larger map as it is.
        """
        if value.tensor.shape[1:] not in ((), (1, 1)):
            return value
        last = self._operators[-1]
        if isinstance(last, ops.Mean) and last.output is value.tensor and is_sole_user:
            self._operators[-1] = replace(last, output=replace(value.tensor, shape=step.shape))
            return replace(value, tensor=self._operators[-1].output)
        return self._reshaped(name, step, value)

    def _reshaped(self, name: str, step: Step, value: Value) -> Value:
        output = ops.Tensor(name=name, shape=step.shape, quantization=value.tensor.quantization)
        self._operators.append(ops.Reshape(output=output, path=step.path, input=value.tensor))
        return self._passed_on(name, value, output)

    def _passed_on(self, name: str, value: Value, tensor: ops.Tensor) -> Value:
        passed = replace(value, tensor=tensor)
        self.pairs.output(name, passed)
        return passed


INT8_WRITERS: Mapping[Kind, Callable[[IntegerEmitter, str, Pending, ops.Quantization], Value]] = {
    Kind.WEIGHTED: IntegerEmitter._weighted,
    Kind.ADD: IntegerEmitter._sum,
    Kind.SUB: IntegerEmitter._sum,
    Kind.ADD_CONSTANT: IntegerEmitter._add_constant,
    Kind.RELU: IntegerEmitter._activation,
    Kind.RELU6: IntegerEmitter._activation,
    Kind.HARD_SIGMOID: IntegerEmitter._hard_sigmoid,
    Kind.HARD_SWISH: IntegerEmitter._hard_swish,
    Kind.FUNCTION: IntegerEmitter._function,
    Kind.MUL: IntegerEmitter._mul,
    Kind.CONSTANT: IntegerEmitter._constant,
    Kind.SCALE: IntegerEmitter._scale,
    Kind.GLOBAL_MEAN: IntegerEmitter._mean,
    Kind.AVERAGE_POOL: IntegerEmitter._average_pool,
    Kind.AXES_MEAN: IntegerEmitter._axes_mean,
    Kind.ADAPTIVE_POOL: IntegerEmitter._adaptive_pool,
    Kind.WINDOW_SHARE: IntegerEmitter._window_share,
    Kind.MATMUL: IntegerEmitter._matmul,
    Kind.CONCAT: IntegerEmitter._concat,
}
"""Each writes a kind of step whose output has a grid of its own, and says which multiple it writes."""
