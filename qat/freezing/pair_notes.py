"""Notes, while an int8 graph is written, what stands for each tensor of the float32 twin."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mobile_sdk.graph.arithmetic import HARD_SIGMOID_SHIFT, HARD_SIGMOID_SPAN
from mobile_sdk.graph.pairing import Held, Pair, PairedWeights
from qat.freezing.emitter import name_before, name_of_pixel
from qat.freezing.integer_values import Value


class PairNotes:
    """Collects one pair for each tensor of the twin that the program holds in int8, or leaves out."""

    def __init__(self) -> None:
        self._pairs: dict[str, Pair] = {}

    def finish(self) -> tuple[Pair, ...]:
        """Returns the pairs in the order of the first note on each."""
        return tuple(self._pairs.values())

    def leave_out(self, name: str) -> None:
        """Notes that nothing of the program stands for the twin's tensor: the next weights take its factor in."""
        self._note(name)

    def output(self, name: str, value: Value) -> None:
        """Notes that int8 operators read the twin's tensor as `value`."""
        self._note(name, output=_held(value))

    def gate(self, name: str, value: Value) -> None:
        """Notes the hard-sigmoid inside the h-swish `name`."""
        self._note(name, gate=_held(value))

    def operands(self, name: str, given: Sequence[Value], taken: Sequence[Value]) -> None:
        """Notes those operands of `name` that were brought onto another grid before the operator took them."""
        pairs = zip(given, taken, strict=True)
        self._note(name, operands=tuple(None if after is before else _held(after) for before, after in pairs))

    def weights(self, name: str, factor: float, *, is_gate: bool = False, is_on_map: bool = False) -> None:
        """Notes the layer `name`, whose weights times `factor` are the twin's.

        A gate's layer has the hard-sigmoid's shift and span in its weights; the twin's layer ends before it.
        """
        layer = name_of_pixel(name) if is_on_map else name
        if not is_gate:
            weights = PairedWeights(tensor=layer, weight_factor=factor)
            self._note(layer, weights=weights, output=Held(tensor=layer, multiple=1.0))
            return
        twin = name_before(name)
        self.leave_out(twin)
        weights = PairedWeights(
            tensor=layer,
            weight_factor=factor * HARD_SIGMOID_SPAN,
            bias_factor=HARD_SIGMOID_SPAN,
            bias_shift=-HARD_SIGMOID_SHIFT,
        )
        self._note(name_of_pixel(twin) if is_on_map else twin, weights=weights)

    def _note(self, twin: str, **facts: Any) -> None:
        self._pairs[twin] = replace(self._pairs.get(twin, Pair(twin=twin)), **facts)


def _held(value: Value) -> Held:
    return Held(tensor=value.tensor.name, multiple=value.multiple)
