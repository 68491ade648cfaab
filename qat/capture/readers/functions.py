"""Reads functions of one number that PyTorch has no operator for, or one of other settings, as a layer."""

import numpy as np
import torch
from torch import fx

from mobile_sdk.graph.operators import Function
from qat.capture.rewriter import Rewriter, arguments, name_of, operand, shape_of, unsupported
from qat.layers.constants import FunctionOfOne
from qat.steps import Kind

aten = torch.ops.aten
LARGEST = float(torch.finfo(torch.float32).max)  # the end of a clamp that has one side


def put_function(rewriter: Rewriter, node: fx.Node, source: fx.Node, function: Function, *parameters: float) -> None:
    """Replaces the node by the function of `source`."""
    node.replace_all_uses_with(insert_function(rewriter, node, source, function, *parameters))
    rewriter.graph.erase_node(node)


def insert_function(
    rewriter: Rewriter, node: fx.Node, source: fx.Node, function: Function, *parameters: float
) -> fx.Node:
    """Returns a new node before `node`, the function of `source`; its parameters become float32."""
    rounded = tuple(float(np.float32(each)) for each in parameters)
    layer, details = FunctionOfOne(function, rounded), {"function": function, "parameters": rounded}
    return rewriter.insert_layer(node, layer, source, shape_of(source), Kind.FUNCTION, **details)


def put_leaky_relu(rewriter: Rewriter, node: fx.Node, source: fx.Node, slope: float) -> None:
    """Replaces the node by x above zero, and `slope * x` below."""
    if abs(slope) < torch.finfo(torch.float32).tiny:  # XNNPACK refuses zero and what lies beside it
        rewriter.become(node, aten.relu.default, (source,), Kind.RELU)
    else:
        put_function(rewriter, node, source, Function.LEAKY_RELU, slope)


def read_elu(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads ELU, and SELU and CELU, which are ELUs of other settings."""
    source, *settings = arguments(node, None, 1.0, 1.0, 1.0)
    if tuple(settings) == (1, 1, 1):
        put_function(rewriter, node, source, Function.ELU)
    elif min(settings[1:]) > 0 and settings[0] != 0:
        put_function(rewriter, node, source, Function.SCALED_ELU, *settings)
    else:
        raise unsupported(node, f"with the settings {tuple(settings)}")


def read_selu(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads SELU, of the constants of arXiv 1706.02515."""
    settings = (1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1.0)
    put_function(rewriter, node, operand(node), Function.SCALED_ELU, *settings)


def read_celu(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads CELU, whose slope has no step."""
    source, alpha = arguments(node, None, 1.0)
    if not alpha > 0:
        raise unsupported(node, f"with an alpha of {alpha}")
    put_function(rewriter, node, source, Function.SCALED_ELU, alpha, 1.0, 1 / alpha)


def read_softplus(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads softplus; beyond PyTorch's threshold it is x in float32, too."""
    source, beta, threshold = arguments(node, None, 1.0, 20.0)
    if beta == 0 or threshold < 15:  # e^-15 is smaller than a float32's last bit beside 1
        raise unsupported(node, f"with a beta of {beta} and a threshold of {threshold}")
    if beta == 1:
        put_function(rewriter, node, source, Function.SOFTPLUS)
    else:
        put_function(rewriter, node, source, Function.SCALED_SOFTPLUS, beta)


def read_log_sigmoid(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads log(sigmoid(x)), which is a softplus turned round."""
    put_function(rewriter, node, operand(node), Function.SCALED_SOFTPLUS, -1.0)


def read_gelu(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads GELU in both of its forms."""
    is_exact = node.kwargs.get("approximate", "none") == "none"
    put_function(rewriter, node, operand(node), Function.GELU if is_exact else Function.GELU_TANH)


def read_plain(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a function that has PyTorch's name and no settings."""
    put_function(rewriter, node, operand(node), Function(name_of(node)))


def read_sqrt(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a square root, of what is above zero."""
    put_function(rewriter, node, operand(node), Function.POWER, 0.5)


def read_rsqrt(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads one over a square root, of what is above zero."""
    put_function(rewriter, node, operand(node), Function.POWER, -0.5)


READERS = {
    "elu": read_elu,
    "selu": read_selu,
    "celu": read_celu,
    "softplus": read_softplus,
    "log_sigmoid": read_log_sigmoid,
    "log_sigmoid_forward": read_log_sigmoid,
    "gelu": read_gelu,
    "sqrt": read_sqrt,
    "rsqrt": read_rsqrt,
    **dict.fromkeys(("log", "sin", "cos", "reciprocal"), read_plain),
}
