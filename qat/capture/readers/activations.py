"""Reads activations and other functions of one number as steps."""

import numpy as np
import torch
from torch import fx

from mobile_sdk.graph.operators import Function
from qat.capture.readers.functions import LARGEST, put_leaky_relu
from qat.capture.rewriter import Rewriter, arguments, name_of, operand, shape_of, unsupported
from qat.layers.weighted import HardSwish, TanhSoftplus
from qat.steps import Kind

aten = torch.ops.aten


def read_relu(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads max(x, 0)."""
    rewriter.become(node, aten.relu.default, (node.args[0],), Kind.RELU)


def read_relu6(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads min(max(x, 0), 6)."""
    rewriter.become(node, aten.hardtanh.default, (node.args[0], 0.0, 6.0), Kind.RELU6)


def read_hardtanh(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads PyTorch's own ReLU6, which is a hardtanh, and hardtanhs of other bounds."""
    _read_bounds(rewriter, node, *arguments(node, None, -1.0, 1.0)[1:])


def read_clamp(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a clamp of any bounds."""
    _read_bounds(rewriter, node, *arguments(node, None, None, None)[1:])


def read_hardswish(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads x * relu6(x + 3) / 6."""
    rewriter.replace(node, HardSwish(), Kind.HARD_SWISH)


def read_hardsigmoid(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads relu6(x + 3) / 6."""
    rewriter.become(node, aten.hardsigmoid.default, (node.args[0],), Kind.HARD_SIGMOID)


def read_function(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a function of one number that has no settings."""
    _become(rewriter, node, Function(name_of(node)))


def read_leaky_relu(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads x above zero, and `slope * x` below."""
    source, slope = arguments(node, None, 0.01)
    put_leaky_relu(rewriter, node, source, float(slope))


def read_silu(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads x * sigmoid(x), which is two steps."""
    source = operand(node)
    target, shape = aten.sigmoid.default, shape_of(node)
    gate = rewriter.insert(node, target, (source,), shape, Kind.FUNCTION, function=Function.SIGMOID)
    rewriter.become(node, aten.mul.Tensor, (source, gate), Kind.MUL)


def read_mish(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads x * tanh(softplus(x)), which is two steps."""
    source, shape = operand(node), shape_of(node)
    details = {"function": Function.TANH_SOFTPLUS}
    gate = rewriter.insert_layer(node, TanhSoftplus(), source, shape, Kind.FUNCTION, **details)
    rewriter.become(node, aten.mul.Tensor, (source, gate), Kind.MUL)


def _become(rewriter: Rewriter, node: fx.Node, function: Function, *parameters: float) -> None:
    details = {"function": function, "parameters": tuple(float(np.float32(each)) for each in parameters)}
    rewriter.become(node, node.target, (node.args[0], *parameters), Kind.FUNCTION, **details)


def _read_bounds(rewriter: Rewriter, node: fx.Node, low: float | None, high: float | None) -> None:
    if low == 0 and high == 6:
        read_relu6(rewriter, node)
    elif low == 0 and high is None:
        read_relu(rewriter, node)
    else:
        if low is not None and high is not None and not low <= high:
            raise unsupported(node, f"to {low}..{high}")
        ends = (-LARGEST if low is None else float(low), LARGEST if high is None else float(high))
        node.target = aten.clamp.default
        _become(rewriter, node, Function.CLAMP, *ends)


READERS = {
    "relu": read_relu,
    "relu6": read_relu6,
    "hardtanh": read_hardtanh,
    "clamp": read_clamp,
    "clamp_min": read_clamp,
    "clip": read_clamp,
    "hardswish": read_hardswish,
    "hardsigmoid": read_hardsigmoid,
    "leaky_relu": read_leaky_relu,
    "silu": read_silu,
    "mish": read_mish,
    **dict.fromkeys(("sigmoid", "tanh", "exp", "abs"), read_function),
}
"""Readers take nodes of PyTorch's graph and return steps."""
