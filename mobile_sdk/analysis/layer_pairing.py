"""Pairs each operator of a float32 twin with what its int8 program does in its place, in the twin's units.

Freezing notes the pairs (`mobile_sdk.graph.pairing`), and the program file stores them. An int8 tensor may hold a
multiple of the twin's values (h-swish's product is six times h-swish); here every grid and weight is divided by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mobile_sdk.errors import SettingError
from mobile_sdk.graph.arithmetic import bias_scales, quantization_of
from mobile_sdk.graph.operators import Dequantize, Graph, Operator, Weighted
from mobile_sdk.graph.pairing import Held, PairedWeights


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Describes an int8 grid in the twin's units: `real = scale * (q - zero_point)`.

    The scale need not be a float32.
    """

    scale: float
    zero_point: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Counterpart:
    """Holds one operator of the twin, and what the program does in its place; None if the program is as exact.

    `snapped` is the operator with the program's weights and bias. `gate` is the grid of the hard-sigmoid in an h-swish,
    `operands` are the grids onto which the program brings operands first.
    """

    operator: Operator
    snapped: Weighted | None = None
    output: Grid | None = None
    gate: Grid | None = None
    operands: Mapping[int, Grid]


def counterparts(program: Graph, twin: Graph) -> tuple[Counterpart, ...]:
    """Returns one counterpart for every operator of `twin`, in its order.

    Raises SettingError if `program` was not made from the same net, or by an SDK that stored no pairs.
    """
    shapes = [[output.shape for output in each.outputs] for each in (program, twin)]
    is_pair = shapes[0] == shapes[1] and program.input == twin.input
    if not is_pair or program.precision == "float32" or twin.precision != "float32":
        raise _not_a_pair(f"{_in_words(program)} and {_in_words(twin)}")
    if not program.pairs:
        raise SettingError(
            "expected a program and the float32 twin that it is paired with, found a program without pairs",
            hint="programs of an older SDK hold none: make both again with `mobile-sdk quantize`",
        )
    pairing = _Pairing(program)
    return tuple(pairing.counterpart(operator) for operator in twin.operators)


class _Pairing:
    """Looks up what a program stored about its twin."""

    def __init__(self, program: Graph) -> None:
        self._made = {operator.output.name: operator for operator in program.operators}
        self._pairs = {pair.twin: pair for pair in program.pairs}

    def counterpart(self, operator: Operator) -> Counterpart:
        """Returns the operator's counterpart; without a pair the program computes it in float32, as the twin does."""
        pair = self._pairs.get(operator.output.name)
        if pair is None:
            own = self._made.get(operator.output.name)
            if not isinstance(operator, Dequantize) and (own is None or own.output.quantization is not None):
                raise _not_a_pair(f"nothing in the program for the tensor {operator.output.name}")
            return Counterpart(operator=operator, operands={})
        return Counterpart(
            operator=operator,
            snapped=self._snapped(operator, pair.weights),
            output=self._grid(pair.output),
            gate=self._grid(pair.gate),
            operands={index: grid for index, held in enumerate(pair.operands) if (grid := self._grid(held))},
        )

    def _snapped(self, operator: Operator, weights: PairedWeights | None) -> Weighted | None:
        """Returns the twin's layer with the real numbers of the program's codes."""
        if weights is None or not isinstance(operator, Weighted):
            return None
        own = self._made.get(weights.tensor)
        if not isinstance(own, Weighted) or own.weight_scales is None or own.weight.shape != operator.weight.shape:
            raise _not_a_pair(f"no int8 layer like the twin's {type(operator).__name__} at {operator.path}")
        scales = own.weight_scales.astype(np.float64).reshape(-1, *[1] * (own.weight.ndim - 1))
        weight = own.weight * scales * weights.weight_factor
        bias = own.bias * bias_scales(quantization_of(own.input), own.weight_scales).astype(np.float64)
        bias = bias * weights.bias_factor + weights.bias_shift
        return replace(operator, weight=weight.astype(np.float32), bias=bias.astype(np.float32))

    def _grid(self, held: Held | None) -> Grid | None:
        if held is None:
            return None
        own = self._made.get(held.tensor)
        grid = own.output.quantization if own else None
        if grid is None:
            raise _not_a_pair(f"no int8 tensor {held.tensor}")
        return Grid(scale=grid.scale / held.multiple, zero_point=grid.zero_point)


def _in_words(graph: Graph) -> str:
    return f"{graph.precision} {graph.input.shape} to {', '.join(str(output.shape) for output in graph.outputs)}"


def _not_a_pair(found: str) -> SettingError:
    return SettingError(
        f"expected a program and the float32 twin of the same net, found {found}",
        hint="give program.pt2 and float.pt2 of one `mobile-sdk quantize`",
    )
