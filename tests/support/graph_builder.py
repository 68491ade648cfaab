"""Builds small graphs operator by operator, int8 or their float32 twins, with ranges measured on random pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from mobile_sdk.graph.operators import (
    Activation,
    ActivationKind,
    Add,
    ChannelShuffle,
    ChannelSlice,
    Clamp,
    Concat,
    Constant,
    Conv2d,
    Dequantize,
    Graph,
    Linear,
    MatMul,
    MaxPool2d,
    Mean,
    Mul,
    Operator,
    Pad,
    Quantization,
    Rearrange,
    Reshape,
    ResizeBilinear,
    Tensor,
    weight_limit,
)

SIZE_PX = 16
CLASSES = 10
UNIT = Quantization(scale=float(np.float32(1 / 255)), zero_point=-128)
RELU6 = Quantization(scale=float(np.float32(6 / 255)), zero_point=-128)


def pictures(graph: Graph, count: int, *, seed: int = 1) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """`count` random pictures (count, H, W, 3) uint8: coarse blots with noise, so that means and maxima vary."""
    random = np.random.default_rng(seed)
    _, height, width = graph.input.shape
    coarse = random.integers(0, 256, (count, 4, 4, 3)).repeat(-(-height // 4), 1).repeat(-(-width // 4), 2)
    noise = random.integers(-40, 41, (count, height, width, 3))
    return np.clip(coarse[:, :height, :width] + noise, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Wire:
    """A tensor while it is built: `values` (pictures, C, H, W) real, `gain` times what the float net would hold."""

    tensor: Tensor
    values: torch.Tensor
    gain: float = 1.0


class Builder:
    """Appends operators to a graph; every method takes and gives wires."""

    def __init__(self, *, int8: bool, seed: int, size_px: int = SIZE_PX) -> None:
        self.int8 = int8
        self.random = np.random.default_rng(seed)
        self.operators: list[Operator] = []
        grid = Quantization(scale=1 / 128, zero_point=0)
        self.picture = Tensor(name="picture", shape=(3, size_px, size_px), quantization=grid)
        blots = pictures(self.graph(), 4, seed=seed + 1000).transpose(0, 3, 1, 2).astype(np.float32)
        values = torch.from_numpy((blots - 128) / 128)
        self.input = Wire(self.picture, values)
        if not int8:
            real = self._tensor("dequantize", values, None)
            self.input = self._append(Dequantize(input=self.picture, output=real, path=""), values)

    def graph(self) -> Graph:
        """Returns the graph that was built so far."""
        return Graph(input=self.picture, operators=tuple(self.operators))

    def conv(
        self,
        x: Wire,
        channels: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: str = "none",
        padding: tuple[int, int, int, int] | None = None,
        dilation: int = 1,
        bits: int = 8,
    ) -> Wire:
        """A convolution with folded batch norm and "none", "relu", "relu6", "hard_sigmoid" or "clamped relu"."""
        reach = dilation * (kernel - 1) // 2
        padding = (reach,) * 4 if padding is None else padding
        shape = (channels, x.tensor.shape[0] // groups, kernel, kernel)
        weight, bias = self._parameters(shape)
        if activation == "hard_sigmoid":
            weight, bias = weight * 3, bias + 0.5
        top, bottom, left, right = padding
        padded = functional.pad(x.values, (left, right, top, bottom))
        fields: dict[str, Any] = {"stride": (stride, stride), "padding": padding, "dilation": (dilation, dilation)}
        fields["groups"] = groups
        values = functional.conv2d(padded, weight / x.gain, bias, stride=stride, dilation=dilation, groups=groups)
        fields["weight_bits"] = bits if self.int8 else 8
        return self._weighted(Conv2d, "conv", x, weight, bias, values, activation, fields)

    def linear(self, x: Wire, classes: int = CLASSES, *, bits: int = 8, activation: str = "none") -> Wire:
        """A fully connected layer on a vector or on rows."""
        weight, bias = self._parameters((classes, x.tensor.shape[-1]))
        values = functional.linear(x.values, weight / x.gain, bias)
        return self._weighted(
            Linear, "linear", x, weight, bias, values, activation, {"weight_bits": bits if self.int8 else 8}
        )

    def add(self, a: Wire, b: Wire, clamp: Clamp = Clamp.NONE) -> Wire:
        """A residual sum; both wires have gain 1."""
        values = a.values + b.values
        output = self._tensor("add", values, self._range(values))
        return self._append(Add(a=a.tensor, b=b.tensor, clamp=clamp, output=output, path=output.name), values)

    def mul(self, a: Wire, b: Wire) -> Wire:
        """An elementwise product; `b` may be (C, 1, 1)."""
        values = a.values * b.values
        output = self._tensor("mul", values, self._range(values))
        operator = Mul(a=a.tensor, b=b.tensor, output=output, path=output.name)
        return self._append(operator, values, a.gain * b.gain)

    def hard_swish(self, x: Wire) -> Wire:
        """int8: x · relu6(x + 3) with gain 6; float32: one activation."""
        if not self.int8:
            values = functional.hardswish(x.values)
            output = self._tensor("hard_swish", values, None)
            operator = Activation(input=x.tensor, kind=ActivationKind.HARD_SWISH, output=output, path=output.name)
            return self._append(operator, values)
        three = Constant(
            name=f"three_{len(self.operators)}",
            value=127.0,
            quantization=Quantization(scale=float(np.float32(3 / 127)), zero_point=0),
        )
        gate = torch.clamp(x.values + 3, 0, 6)
        output = self._tensor("hard_swish_gate", gate, RELU6)
        operator = Add(a=x.tensor, b=three, output=output, path=output.name)
        return replace(self.mul(x, self._append(operator, gate)), gain=6.0)

    def mean(self, x: Wire, *, keep_shape: bool = True) -> Wire:
        """The mean over height and width."""
        values = x.values.mean((2, 3), keepdim=keep_shape)
        output = self._tensor("mean", values, self._range(values))
        return self._append(Mean(input=x.tensor, output=output, path=output.name), values, x.gain)

    def reshape(self, x: Wire) -> Wire:
        """(C, 1, 1) to (C,)."""
        values = x.values.flatten(1)
        output = self._tensor("reshape", values, x.tensor.quantization)
        return self._append(Reshape(input=x.tensor, output=output, path=output.name), values, x.gain)

    def max_pool(self, x: Wire, kernel: int, stride: int, padding: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Wire:
        """The maximum in a window."""
        top, bottom, left, right = padding
        padded = functional.pad(x.values, (left, right, top, bottom), value=float("-inf"))
        values = functional.max_pool2d(padded, kernel, stride)
        output = self._tensor("max_pool", values, x.tensor.quantization)
        window = {"kernel": (kernel, kernel), "stride": (stride, stride), "padding": padding}
        return self._append(MaxPool2d(input=x.tensor, output=output, path=output.name, **window), values, x.gain)

    def concat(self, *parts: Wire, axis: int = 0) -> Wire:
        """Concatenation along channels or another axis; all parts must share one quantization."""
        values = torch.cat([part.values for part in parts], 1 + axis)
        output = self._tensor("concat", values, parts[0].tensor.quantization)
        operator = Concat(parts=tuple(part.tensor for part in parts), output=output, path=output.name, axis=axis)
        return self._append(operator, values)

    def channels(self, x: Wire, start: int, stop: int, axis: int = 0) -> Wire:
        """The channels from `start` to before `stop`, or those positions along another axis."""
        values = x.values.narrow(1 + axis, start, stop - start)
        output = self._tensor("slice", values, x.tensor.quantization)
        operator = ChannelSlice(input=x.tensor, output=output, path=output.name, start=start, stop=stop, axis=axis)
        return self._append(operator, values, x.gain)

    def pad(self, x: Wire, before: tuple[int, ...], after: tuple[int, ...]) -> Wire:
        """Zeros before and after the values of every axis."""
        pairs = zip(reversed(before), reversed(after), strict=True)
        values = functional.pad(x.values, [amount for pair in pairs for amount in pair])
        output = self._tensor("pad", values, x.tensor.quantization)
        operator = Pad(input=x.tensor, output=output, path=output.name, before=before, after=after)
        return self._append(operator, values, x.gain)

    def rearrange(self, x: Wire, split: Sequence[int], order: Sequence[int], shape: Sequence[int]) -> Wire:
        """The values as an array of shape `split`, its axes in this order, as another shape."""
        turned = x.values.reshape(-1, *split).permute(0, *(axis + 1 for axis in order))
        values = turned.reshape(-1, *shape)
        output = self._tensor("rearrange", values, x.tensor.quantization)
        fields = {"split": tuple(split), "order": tuple(order)}
        return self._append(Rearrange(input=x.tensor, output=output, path=output.name, **fields), values, x.gain)

    def matmul(self, a: Wire, b: Wire) -> Wire:
        """The product of two matrices, or of one of each head."""
        values = a.values @ b.values
        output = self._tensor("matmul", values, self._range(values))
        operator = MatMul(a=a.tensor, b=b.tensor, output=output, path=output.name)
        return self._append(operator, values, a.gain * b.gain)

    def shuffle(self, x: Wire, groups: int) -> Wire:
        """The channels, shuffled."""
        values = functional.channel_shuffle(x.values, groups)
        output = self._tensor("shuffle", values, x.tensor.quantization)
        operator = ChannelShuffle(input=x.tensor, output=output, path=output.name, groups=groups)
        return self._append(operator, values, x.gain)

    def resize(self, x: Wire, size: tuple[int, int]) -> Wire:
        """Bilinear interpolation."""
        values = functional.interpolate(x.values, size, mode="bilinear", align_corners=False)
        output = self._tensor("resize", values, x.tensor.quantization)
        return self._append(ResizeBilinear(input=x.tensor, output=output, path=output.name), values, x.gain)

    def squeeze_excite(self, x: Wire) -> Wire:
        """Mean, two 1×1 convolutions, hard-sigmoid gate, product."""
        squeezed = self.conv(self.mean(x), max(4, x.tensor.shape[0] // 4), activation="relu")
        return self.mul(x, self.conv(squeezed, x.tensor.shape[0], activation="hard_sigmoid"))

    def inverted_residual(self, x: Wire, expanded: int, activation: str = "relu6") -> Wire:
        """Expand, depthwise, linear bottleneck, sum."""
        wide = self.conv(x, expanded, activation=activation)
        deep = self.conv(wide, expanded, 3, groups=expanded, activation=activation)
        return self.add(x, self.conv(deep, x.tensor.shape[0]))

    def head(self, x: Wire) -> Wire:
        """Mean, reshape, linear."""
        return self.linear(self.reshape(self.mean(x)))

    def _parameters(self, shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights as after folding a batch norm: channels of very different size, biases that are not zero."""
        fan_in = int(np.prod(shape[1:]))
        channel = np.exp(self.random.normal(0, 0.4, (shape[0],) + (1,) * (len(shape) - 1)))
        weight = self.random.normal(0, np.sqrt(2 / fan_in), shape) * channel
        bias = self.random.normal(0, 0.5, shape[0])
        return torch.from_numpy(weight.astype(np.float32)), torch.from_numpy(bias.astype(np.float32))

    def _weighted(
        self,
        type_: Callable[..., Operator],
        name: str,
        x: Wire,
        weight: torch.Tensor,
        bias: torch.Tensor,
        values: torch.Tensor,
        activation: str,
        fields: dict[str, Any],
    ) -> Wire:
        clamp = Clamp.NONE
        if activation == "clamped relu" or (activation == "relu" and not self.int8):
            clamp = Clamp.RELU
        elif activation == "relu6" and not self.int8:
            clamp = Clamp.RELU6
        values, grid = self._activated(values, activation)
        output = self._tensor(name, values, grid)
        numbers = self._numbers(x, weight, bias, weight_limit(fields["weight_bits"]))
        hard_sigmoid_follows = activation == "hard_sigmoid" and not self.int8
        if hard_sigmoid_follows:
            numbers = {**numbers, "weight": weight.numpy() * 6, "bias": (bias.numpy() - np.float32(0.5)) * 6}
        wire = self._append(
            type_(input=x.tensor, output=output, path=f"net.{output.name}", clamp=clamp, **numbers, **fields), values
        )
        if hard_sigmoid_follows:
            gate = self._tensor("hard_sigmoid", values, None)
            operator = Activation(input=wire.tensor, kind=ActivationKind.HARD_SIGMOID, output=gate, path=gate.name)
            return self._append(operator, values)
        return wire

    def _activated(self, values: torch.Tensor, activation: str) -> tuple[torch.Tensor, Quantization | None]:
        match activation:
            case "relu6":
                return torch.clamp(values, 0, 6), RELU6
            case "hard_sigmoid":
                return torch.clamp(values, 0, 1), UNIT
            case "relu":
                return torch.relu(values), self._range(torch.relu(values))
            case "clamped relu":
                return torch.relu(values), self._range(values)
        return values, self._range(values)

    def _numbers(self, x: Wire, weight: torch.Tensor, bias: torch.Tensor, limit: int) -> dict[str, Any]:
        grid = x.tensor.quantization
        if grid is None:
            return {"weight": weight.numpy(), "weight_scales": None, "bias": bias.numpy()}
        flat = weight.numpy().reshape(len(weight), -1) / np.float32(x.gain)
        scales = (np.abs(flat).max(1) / limit).astype(np.float32)
        codes = np.clip(np.rint(flat / scales[:, None]), -limit, limit).astype(np.int8).reshape(weight.shape)
        steps = (np.float32(grid.scale) * scales).astype(np.float64)
        return {"weight": codes, "weight_scales": scales, "bias": np.rint(bias.numpy() / steps).astype(np.int32)}

    def _range(self, values: torch.Tensor) -> Quantization:
        """The affine grid over all values seen, zero included."""
        low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
        scale = float(np.float32(max(high - low, 1e-3) / 255))
        return Quantization(scale=scale, zero_point=int(np.clip(round(-128 - low / scale), -128, 127)))

    def _tensor(self, name: str, values: torch.Tensor, grid: Quantization | None) -> Tensor:
        shape = tuple(int(size) for size in values.shape[1:])
        return Tensor(name=f"{name}_{len(self.operators)}", shape=shape, quantization=grid if self.int8 else None)

    def _append(self, operator: Operator, values: torch.Tensor, gain: float = 1.0) -> Wire:
        self.operators.append(operator)
        return Wire(operator.output, values, gain)
