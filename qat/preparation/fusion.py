"""Fuses activations with the roundings around them, so that a training step reads and keeps each tensor once.

The graph that `freeze` walks does not change: training runs another one over the same modules.
"""

import copy
from typing import TypeVar

import torch
from torch import Tensor, fx, nn

from mobile_sdk.graph.operators import Clamp
from qat.layers.quantizers.fake_quant import TensorQuantizer
from qat.layers.quantizers.rounding import (
    Curve,
    CurveTable,
    HardSwishCurve,
    SiluCurve,
    extremes,
    round_to,
    rounded_curve,
)
from qat.layers.weighted import HardSwish
from qat.steps import traits_of

_Part = TypeVar("_Part", bound=nn.Module)


def fused(captured: fx.GraphModule) -> fx.GraphModule:
    """Returns the net over the same modules, in fewer passes over its tensors; it computes the same bits.

    A tensor with other readers, such as an output added to the graph, is left as it is.
    """
    graph = copy.deepcopy(captured.graph)
    modules: dict[str, nn.Module] = dict(captured.named_modules(remove_duplicate=False))
    for node in graph.nodes:
        quantizer, source = _called(node, modules, TensorQuantizer), _only_read_by(node)
        if quantizer is None or source is None:
            continue
        traits, swish, before = traits_of(source), _called(source, modules, HardSwish), _only_read_by(source)
        first = None if before is None else _called(before, modules, TensorQuantizer)
        if traits is not None and traits.clamp is not None and quantizer.ends_at(*traits.ends):
            _take_in(node, [source], RoundedClamp(traits.clamp, quantizer), modules)
        elif swish is not None and before is not None and first is not None and quantizer.bounds.low is not None:
            _take_in(node, [source, before], RoundedSwish(first, swish, quantizer), modules)
        elif (parts := _silu(source, modules)) is not None:
            taken, before_silu, gate = parts
            _take_in(node, taken, RoundedSilu(before_silu, gate, quantizer), modules)
    return fx.GraphModule(modules, graph)


class RoundedClamp(nn.Module):
    """Computes a ReLU or ReLU6 that is the saturation of the grid after it."""

    def __init__(self, clamp: Clamp, quantizer: TensorQuantizer) -> None:
        super().__init__()
        self.clamp = nn.ReLU() if clamp is Clamp.RELU else nn.ReLU6()
        self.quantizer = quantizer

    def forward(self, x: Tensor) -> Tensor:
        """Returns the clamped `x`, rounded."""
        if self.quantizer.is_following:
            self.quantizer.move(*extremes(x))  # of `x` before the clamp: a range contains zero and ends at 6 anyway
        if not self.quantizer.is_rounding:
            clamped: Tensor = self.clamp(x)
            return clamped
        return round_to(self.quantizer.rounding(), x)


class RoundedSwish(nn.Module):
    """Computes an h-swish with the rounding before it, which it alone reads, and the rounding after it."""

    def __init__(self, before: TensorQuantizer, swish: HardSwish, after: TensorQuantizer) -> None:
        super().__init__()
        self.before, self.swish, self.after = before, swish, after

    def forward(self, x: Tensor) -> Tensor:
        """Returns h-swish of the rounded `x`, rounded."""
        before, swish, after = self.before, self.swish, self.after
        if not (before.is_rounding and swish.quantizing and after.is_rounding):
            result: Tensor = after(swish(before(x)))
            return result
        return _by_table(before, HardSwishCurve(), after, x)


class RoundedSilu(nn.Module):
    """Computes a SiLU, a product with a rounded sigmoid, with the roundings before and after it."""

    def __init__(self, before: TensorQuantizer, gate: TensorQuantizer, after: TensorQuantizer) -> None:
        super().__init__()
        self.before, self.gate, self.after = before, gate, after

    def forward(self, x: Tensor) -> Tensor:
        """Returns SiLU of the rounded `x`, rounded."""
        before, gate, after = self.before, self.gate, self.after
        if not (before.is_rounding and gate.is_rounding and after.is_rounding):
            rounded = before(x)
            result: Tensor = after(rounded * gate(torch.sigmoid(rounded)))
            return result
        return _by_table(before, SiluCurve(gate=gate.rounding()), after, x)


def _by_table(before: TensorQuantizer, curve: Curve, after: TensorQuantizer, x: Tensor) -> Tensor:
    """Returns a curve of the rounded `x`, rounded; ranges that follow move first."""
    seen = extremes(x) if before.is_following or after.is_following else None
    if seen is not None:
        before.move(*seen)
    table = CurveTable(before.rounding(), curve, x.device)
    if seen is not None:
        after.move(*table.extremes(*seen))
    return rounded_curve(table, after.rounding(), x)


def _silu(
    product: fx.Node, modules: dict[str, nn.Module]
) -> tuple[list[fx.Node], TensorQuantizer, TensorQuantizer] | None:
    """Returns the nodes of `x * gate(sigmoid(x))`, the last one first, and the quantizers of `x` and of the sigmoid.

    The product has its operands in either order.
    """
    operands = [each for each in product.args if isinstance(each, fx.Node)]
    if product.target is not torch.ops.aten.mul.Tensor or len(operands) != 2:
        return None
    for before, gate in (operands, operands[::-1]):
        sigmoid = _only_read_by(gate)
        is_silu = sigmoid is not None and sigmoid.target is torch.ops.aten.sigmoid.default and sigmoid.args == (before,)
        first, second = (_called(each, modules, TensorQuantizer) for each in (before, gate))
        if sigmoid is None or not is_silu or first is None or second is None:
            continue
        if len(gate.users) == 1 and len(before.users) == 2:
            return [product, gate, sigmoid, before], first, second
    return None


def _called(node: fx.Node, modules: dict[str, nn.Module], kind: type[_Part]) -> _Part | None:
    module = modules.get(str(node.target)) if node.op == "call_module" else None
    return module if isinstance(module, kind) else None


def _only_read_by(node: fx.Node) -> fx.Node | None:
    """Returns the node of the one operand of `node`, if it has no other reader."""
    source = node.args[0] if len(node.args) == 1 else None
    return source if isinstance(source, fx.Node) and len(source.users) == 1 else None


def _take_in(node: fx.Node, taken: list[fx.Node], module: nn.Module, modules: dict[str, nn.Module]) -> None:
    """Makes `node` call `module` on the input of the last of the `taken` nodes, and removes these."""
    node.target = f"fused_{node.name}"
    node.args = (taken[-1].args[0],)
    modules[node.target] = module
    for gone in taken:
        gone.graph.erase_node(gone)
