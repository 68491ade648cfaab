"""Evaluates the float net and its fake-quantized copy side by side, node by node."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, fx

from qat.layers.weighted import Weighted
from qat.preparation.fake_quant_net import FakeQuantNet


@dataclass(frozen=True)
class Pair:
    """Holds one tensor as the float net has it, and as the fake-quantized net does."""

    exact: Tensor
    rounded: Tensor


class PairedWalk(fx.Interpreter):
    """Runs all pictures at once through both nets; a subclass defines what happens at each layer.

    `teacher` is a copy of `net` that does not round; `node` is the one that is being computed.
    """

    node: fx.Node

    def __init__(self, teacher: FakeQuantNet, net: FakeQuantNet) -> None:
        super().__init__(net.captured)
        self._net, self._teacher = net, teacher

    def walk(self, pictures: Tensor) -> None:
        """Computes both nets for float `pictures` (N, 3, H, W)."""
        x = self._net.on_one_grid(pictures)
        self.run(Pair(x, x))

    def at_layer(self, layer: Weighted, x: Pair, exact: Tensor) -> None:
        """Acts before `layer` of the fake-quantized net computes from `x.rounded`; the float output is `exact`."""
        raise NotImplementedError

    def run_node(self, n: fx.Node) -> Any:
        """Records which node is computed, and computes it."""
        self.node = n
        return super().run_node(n)

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Pair:
        """Calls a module of each net, on each net's own value."""
        module, (x,) = self.fetch_attr(str(target)), args
        exact = self._teacher.captured.get_submodule(str(target))(_side_of(x, "exact"))
        if isinstance(module, Weighted):
            self.at_layer(module, x, exact)
        return Pair(exact, module(_side_of(x, "rounded")))

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Pair:
        """Applies a function of tensors to both."""
        exact, rounded = (_side_of(args, name) for name in ("exact", "rounded"))
        return Pair(target(*exact, **kwargs), target(*rounded, **kwargs))


def _side_of(values: Any, name: str) -> Any:
    """Returns the arguments with one side of every pair."""
    if isinstance(values, list | tuple):
        return [_side_of(value, name) for value in values]
    return getattr(values, name) if isinstance(values, Pair) else values
