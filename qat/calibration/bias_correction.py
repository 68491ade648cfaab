"""Corrects biases: a layer's bias cancels the shift that rounding causes in its mean output.

Source: Nagel et al., arXiv 1906.04721, section 4.2, from images as in its appendix D. Layers are corrected in the order
of computation, so that each also cancels what the layers before it leave.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from qat.layers.weighted import Weighted
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.steps import channel_axis


@torch.no_grad()
def correct_biases(net: FakeQuantNet, teacher: FakeQuantNet, pictures: Tensor) -> None:
    """Moves the biases of `net`, whose ranges are known, so that no layer's channel has a mean error on `pictures`.

    Pictures are floats (N, 3, H, W); `teacher` is the net's copy that does not round. Means are those before the
    layer's activation, and before its own output is rounded.
    """
    _Correction(teacher, net).walk(pictures)


def shift_bias(layer: Weighted, shift: Tensor) -> None:
    """Adds `shift` (O,) to the layer's output, through its batch norm if it has one."""
    if layer.norm is not None:
        layer.norm.bias.add_(shift)
    elif layer.bias is not None:
        layer.bias.add_(shift)
    else:
        layer.bias = nn.Parameter(shift.clone())


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


class _Correction(PairedWalk):
    def at_layer(self, layer: Weighted, x: Pair, exact: Tensor) -> None:
        error = exact - layer(x.rounded)
        shift_bias(layer, error.movedim(channel_axis(error.ndim), 0).flatten(1).mean(1))
