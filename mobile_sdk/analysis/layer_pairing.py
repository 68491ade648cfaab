"""Which tensor of an int8 program stands for which of its float32 twin, on what grid and weights, in the twin's units.

Both graphs come from one walk over one net, so their tensors share names. An int8 tensor may hold a multiple of the
twin's values (h-swish's product is six times h-swish); here every grid and weight is divided by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import SettingError
from mobile_sdk.graph.arithmetic import bias_scales, quantization_of
from mobile_sdk.graph.operators import (
    Activation,
    ActivationKind,
    Add,
    Concat,
    Constant,
    Conv2d,
    Dequantize,
    Graph,
    Linear,
    Mul,
    Operator,
    Quantization,
)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """An int8 grid in the twin's units: `real = scale * (q - zero_point)`; the scale need not be a float32."""

    scale: float
    zero_point: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Counterpart:
    """One operator of the twin, and what the program does in its place; None where the program is as exact as it.

    `snapped` is the operator with the program's weights and bias. `gate` is the grid of an h-swish's gate
    relu6(x + 3), `operands` are the grids onto which the program brings operands first.
    """

    operator: Operator
    snapped: Conv2d | Linear | None = None
    output: Grid | None = None
    gate: Grid | None = None
    operands: Mapping[int, Grid]


def counterparts(program: Graph, twin: Graph) -> tuple[Counterpart, ...]:
    """One for every operator of `twin`, in its order; SettingError where `program` was not made from the same net."""
    is_pair = program.output.shape == twin.output.shape and program.input == twin.input
    if not is_pair or (program.precision == "float32") or twin.precision != "float32":
        raise _strangers(f"{_told(program)} and {_told(twin)}")
    walk = _Walk(program)
    return tuple(walk.pair(operator) for operator in twin.operators)


class _Walk:
    """Goes through the twin and knows which multiple of each of its tensors the program holds."""

    def __init__(self, program: Graph) -> None:
        self._made = {operator.output.name: operator for operator in program.operators}
        self._multiples: dict[str, float] = {}

    def pair(self, operator: Operator) -> Counterpart:
        """The operator's counterpart; its output's multiple is noted."""
        name = operator.output.name
        plain = Counterpart(operator=operator, operands={})
        if isinstance(operator, Dequantize):
            self._multiples[name] = 1.0
            return plain
        inputs = [self._multiples[x.name] for x in operator.inputs if not isinstance(x, Constant)]
        if isinstance(operator, Mul) and isinstance(operator.b, Constant) and name not in self._made:
            self._multiples[name] = inputs[0] / operator.b.value  # the next weights take the factor in
            return plain
        if isinstance(operator, Conv2d | Linear):
            return self._weighted(operator, inputs[0])
        self._multiples[name] = self._multiple(operator, inputs)
        gate = self._made.get(f"{name}.gate")
        return replace(
            plain,
            output=self._grid(name),
            gate=_on(quantization_of(gate.output), inputs[0]) if gate else None,
            operands=self._operands(operator),
        )

    def _weighted(self, operator: Conv2d | Linear, multiple: float) -> Counterpart:
        """A layer, or an average that a runtime's own pooling will not do; a gate's 1/6 may be in its weights."""
        name = operator.output.name
        is_gate, own = name not in self._made, self._own(name)
        if not isinstance(own, Conv2d | Linear) or own.weight.shape != operator.weight.shape:
            raise _strangers(f"{type(own).__name__} where the twin has {type(operator).__name__} at {operator.path}")
        self._multiples[name] = 1.0
        grid = self._grid(name)
        if own.weight_scales is None:
            return Counterpart(operator=operator, output=grid, operands={})
        weight, bias = _real(own)
        if _is_average(operator) and _is_nearer(operator.weight, weight, 1.0, multiple):
            self._multiples[name], multiple = multiple, 1.0  # its weights know nothing of the multiple
            grid = self._grid(name)
        weight, bias = (weight * multiple * 6, bias * 6 - 3) if is_gate else (weight * multiple, bias)
        snapped = replace(operator, weight=weight.astype(np.float32), bias=bias.astype(np.float32))
        return Counterpart(operator=operator, snapped=snapped, output=grid, operands={})

    def _multiple(self, operator: Operator, inputs: list[float]) -> float:
        own = self._own(operator.output.name)
        if own.output.quantization is None:
            return 1.0
        if any(f"{operator.output.name}.operand{index}" in self._made for index in range(len(inputs))):
            return 1.0  # of plain operands
        match operator:
            case Activation(kind=ActivationKind.HARD_SIGMOID):
                return 6 * inputs[0] if isinstance(own, Add) else 1.0  # a layer's own saturation
            case Activation(kind=ActivationKind.HARD_SWISH):
                return 6 * inputs[0] ** 2
            case Mul(b=Constant()):
                return 1.0
            case Mul():
                return float(np.prod(inputs))
            case Add() | Concat():
                return inputs[0] if len(set(inputs)) == 1 else 1.0
            case _:
                return inputs[0]

    def _operands(self, operator: Operator) -> dict[int, Grid]:
        """The grids onto which the operands are brought before the operator, by their position."""
        name, multiple = operator.output.name, self._multiples[operator.output.name]
        found = {}
        for index in range(len(operator.inputs)):
            for made in (f"{name}.operand{index}", f"{name}.part{index}"):
                if made in self._made:
                    found[index] = _on(quantization_of(self._made[made].output), multiple)
        return found

    def _grid(self, name: str) -> Grid | None:
        """The grid on which the tensor reaches an int8 reader, None where none reads it."""
        if (own := self._own(name)).output.name != name:
            return None  # what a gate is made of
        tensor = self._made[f"{name}.codes"].output if f"{name}.codes" in self._made else own.output
        return None if tensor.quantization is None else _on(tensor.quantization, self._multiples[name])

    def _own(self, name: str) -> Operator:
        """The program's operator; what the twin has before a gate is the gate itself there."""
        made = name if name in self._made else name.replace(".before", "")
        if made not in self._made:
            raise _strangers(f"no tensor {name} in the program")
        return self._made[made]


def _on(grid: Quantization, multiple: float) -> Grid:
    return Grid(scale=grid.scale / multiple, zero_point=grid.zero_point)


def _real(layer: Conv2d | Linear) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights and bias as the real numbers that their codes stand for."""
    assert layer.weight_scales is not None
    scales = layer.weight_scales.astype(np.float64)
    weight = layer.weight * scales.reshape(-1, *[1] * (layer.weight.ndim - 1))
    return weight, layer.bias * bias_scales(quantization_of(layer.input), layer.weight_scales).astype(np.float64)


def _is_average(layer: Conv2d | Linear) -> bool:
    return bool((layer.weight == layer.weight.flat[0]).all() and layer.weight.any() and not layer.bias.any())


def _is_nearer(of: NDArray[np.float32], to: NDArray[np.float64], one: float, other: float) -> bool:
    """Whether the factor that brings `to` nearest to `of` is `one` rather than the `other`."""
    ratio = float((of * to).sum() / max((to * to).sum(), 1e-30))
    return abs(ratio - one) < abs(ratio - other)


def _told(graph: Graph) -> str:
    return f"{graph.precision} {graph.input.shape} to {graph.output.shape}"


def _strangers(found: str) -> SettingError:
    return SettingError(
        f"expected a program and the float32 twin of the same net, found {found}",
        hint="give program.pt2 and float.pt2 of one `mobile-sdk quantize`",
    )
