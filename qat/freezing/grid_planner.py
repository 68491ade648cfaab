"""Widens the grids that runtimes would refuse: tensors that are dead, or tiny beside what they are added to.

XNNPACK bounds the ratio of an operator's input and output scales. A net may exceed it: a residual branch whose batch
norm still has the gain zero, a ReLU that no picture activates. Widening the smaller grid costs nothing then, as its
steps stay far below those of the other tensor.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mobile_sdk.contract import NetInput
from mobile_sdk.errors import CaptureError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.arithmetic import GATE, HARD_SIGMOID_SPAN
from mobile_sdk.graph.operators import Quantization
from qat.freezing.emitter import Pending, not_written
from qat.layers.box_decoder import Decoder
from qat.layers.integer_rounding import ADDEND_CODES, float32
from qat.layers.weighted import Weighted
from qat.steps import KINDS, Kind, Step

LEAST_ADDEND = 2 * arithmetic.ADD_RATIO_RANGE[0]  # of the sum's scale; a margin of two for what is rounded later
LEAST_PRODUCT = 2 * arithmetic.PRODUCT_RATIO_RANGE[0]  # both scales of a product over its own
LARGEST_SCALE = 2.0**126  # whose inverse is a float32 with all its bits
LARGEST_FACTOR = arithmetic.REQUANTIZATION_RANGE[1] / 2  # input scale over output scale, for all operators alike
LARGEST_MEAN_FACTOR = 2.0**14  # a mean's: beyond it, float32 does not hold its sums to half a code

_GIVEN = frozenset(
    {
        *(Kind.WEIGHTED, Kind.CONCAT, Kind.MUL, Kind.HARD_SIGMOID, Kind.WINDOW_SHARE, Kind.FUNCTION),
        *(Kind.CONSTANT, Kind.MATMUL, Kind.SOFTMAX, Kind.NORMALIZE),
    }
)
"""The output's grid of these is given, or, a product's, bounded by both operands at once."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Represents a value of the net: on the grid of tensor `name`, times `factor`."""

    name: str
    factor: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Grids:
    """Holds the grid of every tensor by name, and whose must stay as it is: a concatenation has one with its parts."""

    by_name: Mapping[str, Quantization]
    final: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class _Bound:
    """Bounds the scale of `target`: at least `share` times the scales of `sources`, over that of `divisor`."""

    target: str
    sources: tuple[str, ...]
    share: float
    divisor: str | None = None


class GridPlanner:
    """Collects the grids of all tensors and their bounds, as an emitter; `finish` returns the grids, by name."""

    def __init__(self, source: NetInput) -> None:
        self._fixed = {"": source.scale}  # the input's
        self._grids: dict[str, Quantization] = {}
        self._bounds: list[_Bound] = []
        self._joined: set[str] = set()

    def picture(self) -> Source:
        """Returns the image, whose grid is given."""
        return Source(name="")

    def emit(self, name: str, pending: Pending, grid: Quantization) -> Source:
        """Returns a tensor that has a grid of its own; a gate's is fixed, as it saturates at its ends."""
        self._grids[name] = grid
        if any(KINDS[kind].is_gate for kind in (pending.step.kind, pending.activation) if kind is not None):
            self._fixed[name] = grid.scale
        for operand in pending.operands:
            self._bound_pair(name, operand, pending)
        if pending.step.kind is Kind.MUL:
            self._bound_product(name, *pending.operands)
        if pending.step.kind is Kind.MATMUL:
            a, b = pending.operands
            self._at_least(name, (a.name, b.name), a.factor * b.factor / LARGEST_FACTOR)
        if pending.step.kind is Kind.ADD_CONSTANT:
            self._at_least(name, (), abs(pending.step.constant) / ADDEND_CODES / LARGEST_FACTOR)
        return Source(name=name)

    def pass_on(self, name: str, step: Step, value: Source, *, is_sole_user: bool) -> Source:
        """Returns the output of a step on its input's grid."""
        return replace(value, factor=value.factor * step.constant) if step.kind is Kind.SCALE else value

    def boxes(self, name: str, step: Step, predictions: tuple[Source, ...], decoder: Decoder) -> Source:
        """Returns boxes, which are float32, so that nothing bounds their predictions' grids."""
        return Source(name="")

    def finish(self, values: Sequence[Source], names: Sequence[str]) -> Grids:
        """Returns every grid, widened until all bounds hold; widening one grid may require another."""
        scales = self._scales()
        moved = True
        while moved:
            moved = False
            for bound in self._bounds:
                least = bound.share * math.prod(scales[name] for name in bound.sources)
                least /= scales[bound.divisor] if bound.divisor is not None else 1.0
                if scales[bound.target] < least * (1 - 1e-6) and bound.target not in self._fixed:
                    scales[bound.target], moved = least, True
        endless = [name for name, scale in scales.items() if not scale < LARGEST_SCALE]
        if endless:  # a tensor and a multiple of it on one grid widen each other without end
            raise CaptureError(
                f"expected ranges that one grid can hold at {endless[0]}, found a tensor and a multiple of it on one",
                hint="put a convolution between the product with a constant and the concatenation",
            )
        by_name = {name: replace(grid, scale=float32(scales[name])) for name, grid in self._grids.items()}
        return Grids(by_name=by_name, final=frozenset(self._joined))

    def _bound_pair(self, name: str, operand: Source, pending: Pending) -> None:
        """Bounds an operator's output scale relative to one operand's."""
        match pending.step.kind:
            case Kind.WEIGHTED if not _is_fixed(pending.activation):  # for those `snap_weights` bounds the factor
                assert pending.layer is not None
                self._at_least(name, (operand.name,), operand.factor * _largest_scale(pending.layer) / LARGEST_FACTOR)
            case Kind.ADD | Kind.SUB | Kind.ADD_CONSTANT | Kind.RELU | Kind.RELU6:
                self._at_least(operand.name, (name,), LEAST_ADDEND / operand.factor)
                if not _is_fixed(pending.step.kind):
                    self._at_least(name, (operand.name,), operand.factor / LARGEST_FACTOR)
            case Kind.HARD_SWISH:
                # Its output begins at -0.375, so that a finer operand would gain nothing for the sum that is the gate.
                self._at_least(operand.name, (), GATE.scale * LEAST_ADDEND / operand.factor)
                self._at_least(operand.name, (name,), LEAST_PRODUCT / (operand.factor * GATE.scale / HARD_SIGMOID_SPAN))
                self._at_least(name, (operand.name,), operand.factor * GATE.scale / LARGEST_FACTOR)
            case Kind.SCALE:
                self._at_least(name, (operand.name,), operand.factor * pending.step.constant / LARGEST_FACTOR)
            case Kind.GLOBAL_MEAN | Kind.AXES_MEAN:
                self._at_least(name, (operand.name,), operand.factor / LARGEST_MEAN_FACTOR)
            case Kind.AVERAGE_POOL | Kind.ADAPTIVE_POOL:
                self._at_least(name, (operand.name,), operand.factor / LARGEST_FACTOR)
            case Kind.CONCAT if operand.name:
                self._joined |= {name, operand.name}
                self._at_least(name, (operand.name,), operand.factor)
                self._at_least(operand.name, (name,), 1 / operand.factor)
            case kind if kind in _GIVEN:
                pass
            case _:
                raise not_written(pending.step, "a bound of its scales")

    def _bound_product(self, name: str, a: Source, b: Source) -> None:
        factor = a.factor * b.factor
        self._at_least(name, (a.name, b.name), factor / LARGEST_FACTOR)
        # Too small a product is one of two tiny tensors: the smaller is widened, so that no other reader loses.
        smaller, larger = sorted((a.name, b.name), key=self._scales().__getitem__)
        share = LEAST_PRODUCT / factor
        self._bounds.append(_Bound(target=smaller, sources=(name,), share=share, divisor=larger))

    def _scales(self) -> dict[str, float]:
        return {name: grid.scale for name, grid in self._grids.items()} | self._fixed

    def _at_least(self, target: str, sources: tuple[str, ...], share: float) -> None:
        self._bounds.append(_Bound(target=target, sources=sources, share=share))


def _is_fixed(kind: Kind | None) -> bool:
    """Returns whether mathematics gives both ends of an activation's grid: a wider one would say less."""
    return kind is not None and None not in KINDS[kind].ends


def _largest_scale(layer: Weighted) -> float:
    _, scales, _ = layer.codes()
    return float(scales.max())
