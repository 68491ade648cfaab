"""Writes float32 operators for the integer program's twin: batch norm folded, the runtimes' activations."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mobile_sdk.contract import NetInput
from mobile_sdk.graph import operators as ops
from qat.freezing.composed_pools import adaptive_pool, adaptive_windows, mean_over_axes, rows_of
from qat.freezing.emitter import VALUES_OF, Pending, heads_of, input_tensor, name_before, name_of_pixel, not_written
from qat.freezing.rearrangements import rearrangement
from qat.layers import weighted
from qat.layers.box_decoder import Decoder
from qat.layers.integer_rounding import float32
from qat.layers.transposed import ConvTranspose2d
from qat.steps import KINDS, Kind, Step

_BINARY: Mapping[Kind, type[Any]] = {Kind.ADD: ops.Add, Kind.SUB: ops.Sub, Kind.MUL: ops.Mul}


class FloatEmitter:
    """Collects the operators of one float32 graph, or of kept layers among those of others; grids are ignored."""

    def __init__(self, source: NetInput, operators: list[ops.Operator] | None = None) -> None:
        self._input = input_tensor(source)
        self._operators: list[ops.Operator] = [] if operators is None else operators

    def picture(self) -> ops.Tensor:
        """Returns the values of the codes of the net's input."""
        values = ops.Tensor(name=VALUES_OF[self._input.name], shape=self._input.shape, quantization=None)
        return self._append(ops.Dequantize(output=values, path="<root>", input=self._input))

    def finish(self, values: Sequence[ops.Tensor], names: Sequence[str]) -> ops.Graph:
        """Returns the graph whose outputs are `values`."""
        heads = heads_of(self._operators, values, names)
        return ops.Graph(input=self._input, operators=tuple(self._operators), heads=heads)

    def emit(self, name: str, pending: Pending, grid: ops.Quantization) -> ops.Tensor:
        """Returns the pending operator's output; an activation that it does not compute itself follows it."""
        step, activation = pending.step, pending.activation
        if (alone := KINDS[step.kind].activation) is not None:
            return self._activate(name, step, pending.operands[0], alone)
        if activation is None:
            return self._operate(name, pending, ops.Clamp.NONE)
        after = KINDS[activation].activation
        assert after is not None, f"{activation} is no activation"
        if after.clamp is not None:
            return self._operate(name, pending, after.clamp)
        before = self._operate(name_before(name), pending, ops.Clamp.NONE)
        return self._activate(name, step, before, after)

    def pass_on(self, name: str, step: Step, value: ops.Tensor, *, is_sole_user: bool) -> ops.Tensor:
        """Returns the output of a step that keeps its input's grid in the integer program."""
        output = ops.Tensor(name=name, shape=step.shape, quantization=None)
        match step.kind:
            case Kind.DROPOUT:
                return value
            case Kind.SCALE:
                return self._append(ops.Mul(output=output, path=step.path, a=value, b=_constant(name, step)))
            case Kind.FLATTEN:
                return self._flatten(output, step, value, is_sole_user)
            case Kind.UNFLATTEN:
                return self._append(ops.Reshape(output=output, path=step.path, input=value))
            case _:
                return self._append(rearrangement(step, value, output))

    def boxes(self, name: str, step: Step, predictions: tuple[ops.Tensor, ...], decoder: Decoder) -> ops.Tensor:
        """Returns a detector's output; `predictions` are float32, or int8 in an int8 program."""
        output = ops.Tensor(name=name, shape=step.shape, quantization=None)
        numbers = {"origins": decoder.origins.numpy(), "steps": decoder.steps.numpy()}
        return self._append(ops.DecodeBoxes(output=output, path=step.path, predictions=predictions, **numbers))

    def _operate(self, name: str, pending: Pending, clamp: ops.Clamp) -> ops.Tensor:
        step, operands = pending.step, pending.operands
        output = ops.Tensor(name=name, shape=step.shape, quantization=None)
        common: dict[str, Any] = {"output": output, "path": step.path}
        match step.kind:
            case Kind.WEIGHTED:
                return self._weighted(common, pending, clamp)
            case Kind.FUNCTION:
                common |= {"function": step.function, "parameters": step.parameters}
                return self._append(ops.UnaryFunction(input=operands[0], **common))
            case Kind.ADD | Kind.SUB | Kind.MUL:
                return self._append(_BINARY[step.kind](a=operands[0], b=operands[1], clamp=clamp, **common))
            case Kind.ADD_CONSTANT | Kind.SCALE:
                kind = ops.Add if step.kind is Kind.ADD_CONSTANT else ops.Mul
                return self._append(kind(a=operands[0], b=_constant(name, step), clamp=clamp, **common))
            case Kind.CONSTANT:
                common |= {"values": pending.values}
                return self._append(ops.ConstantTensor(**common))
            case Kind.GLOBAL_MEAN:
                return self._append(ops.Mean(input=operands[0], **common))
            case Kind.AVERAGE_POOL | Kind.AXES_MEAN | Kind.ADAPTIVE_POOL:
                return self._average(common, step, operands[0])
            case Kind.WINDOW_SHARE:
                return self._window_share(name, pending)
            case Kind.CONCAT:
                return self._append(ops.Concat(parts=tuple(operands), axis=step.axis, **common))
            case _:
                return self._on_tokens(common, pending)

    def _on_tokens(self, common: dict[str, Any], pending: Pending) -> ops.Tensor:
        step, operands = pending.step, pending.operands
        match step.kind:
            case Kind.MATMUL:
                return self._append(ops.MatMul(a=operands[0], b=operands[1], **common))
            case Kind.SOFTMAX:
                return self._append(ops.Softmax(input=operands[0], **common))
            case Kind.NORMALIZE:
                assert pending.normalization is not None
                numbers = pending.normalization.numbers(step.channel_count)
                return self._append(ops.Normalize(input=operands[0], **common, **numbers))
            case _:
                raise not_written(step, "a float32 operator")

    def _weighted(self, common: dict[str, Any], pending: Pending, clamp: ops.Clamp) -> ops.Tensor:
        layer, value = pending.layer, pending.operands[0]
        assert layer is not None
        weight, bias = pending.numbers or (term.detach().numpy().astype(np.float32) for term in layer.folded())
        if isinstance(layer, ConvTranspose2d):
            weight = layer.dense(weight)
        common |= {"input": value, "weight": weight, "weight_scales": None, "bias": bias, "clamp": clamp}
        if isinstance(layer, weighted.Conv2d):
            return self._append(ops.Conv2d(**common, **layer.geometry))
        if isinstance(layer, ConvTranspose2d):
            return self._append(ops.ConvTranspose2d(**common, **layer.geometry))
        if len(value.shape) != 3:
            return self._append(ops.Linear(**common))
        output: ops.Tensor = common["output"]
        pixel = replace(output, name=name_of_pixel(output.name), shape=(*output.shape, 1, 1))
        common |= {"output": pixel, "weight": weight.reshape(-1, *value.shape)}
        self._append(ops.Conv2d(**common, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1))
        return self._append(ops.Reshape(output=output, path=common["path"], input=pixel))

    def _window_share(self, name: str, pending: Pending) -> ops.Tensor:
        assert pending.share is not None
        value: ops.Tensor = pending.operands[0]
        channels = pending.step.shape[0]
        stages = list(pending.share.stages())
        for stage in stages:
            label = name if stage is stages[-1] else f"{name}.{stage.name}"
            numbers: dict[str, Any] = {
                "weight": np.tile(stage.weight, (channels, 1, 1, 1)),
                "weight_scales": None,
                "bias": np.full(channels, stage.bias, np.float32),
            }
            output = ops.Tensor(name=label, shape=(channels, *stage.sides), quantization=None)
            layer: dict[str, Any] = {"output": output, "path": pending.step.path, "input": value, **numbers}
            value = self._append(ops.Conv2d(**layer, **stage.geometry(channels)))
        return value

    def _average(self, common: dict[str, Any], step: Step, value: ops.Tensor) -> ops.Tensor:
        output: ops.Tensor = common["output"]
        match step.kind:
            case Kind.AXES_MEAN:
                self._operators.extend(mean_over_axes(step, value, rows_of(output.name, step, value), output))
            case Kind.ADAPTIVE_POOL:
                windows = adaptive_windows(value.shape[1:], step.shape[1:])
                weight = (windows / windows.sum((1, 2), keepdims=True)).astype(np.float32)
                bias = np.zeros(step.shape[0] * len(windows), np.float32)
                numbers: dict[str, Any] = {"weight_scales": None, "bias": bias}
                self._operators.extend(adaptive_pool(step, value, output, weight, numbers))
            case _:
                self._average_pool(common, step, value)
        return output

    def _average_pool(self, common: dict[str, Any], step: Step, value: ops.Tensor) -> ops.Tensor:
        """Writes a depthwise convolution if runtimes' own pooling does not fit: counted zeros, one pixel, gaps."""
        window = _window(step)
        is_wide = all(step <= size for step, size in zip(window["stride"], window["kernel"], strict=True))
        if is_wide and window["kernel"] != (1, 1) and not any(window["padding"]):
            return self._append(ops.AvgPool2d(input=value, **window, **common))
        kernel, channels = window.pop("kernel"), step.shape[0]
        weight = np.full((channels, 1, *kernel), 1 / (kernel[0] * kernel[1]), np.float32)
        numbers: dict[str, Any] = {"weight": weight, "weight_scales": None, "bias": np.zeros(channels, np.float32)}
        return self._append(ops.Conv2d(input=value, dilation=(1, 1), groups=channels, **numbers, **window, **common))

    def _activate(self, name: str, step: Step, value: ops.Tensor, kind: ops.ActivationKind) -> ops.Tensor:
        output = ops.Tensor(name=name, shape=step.shape, quantization=None)
        return self._append(ops.Activation(output=output, path=step.path, input=value, kind=kind))

    def _flatten(self, output: ops.Tensor, step: Step, value: ops.Tensor, is_sole_user: bool) -> ops.Tensor:
        if value.shape[1:] not in ((), (1, 1)):
            return value
        last = self._operators[-1]
        if isinstance(last, ops.Mean) and last.output is value and is_sole_user:
            self._operators[-1] = replace(last, output=replace(output, name=value.name))
            return self._operators[-1].output
        return self._append(ops.Reshape(output=output, path=step.path, input=value))

    def _append(self, operator: ops.Operator) -> ops.Tensor:
        self._operators.append(operator)
        return operator.output


def _constant(name: str, step: Step) -> ops.Constant:
    return ops.Constant(name=f"{name}.constant", value=float32(step.constant), quantization=None)


def _window(step: Step) -> dict[str, Any]:
    assert step.window is not None
    return {"kernel": step.window.kernel, "stride": step.window.stride, "padding": step.window.padding}
