"""Reads tensors that no picture changes as operands: numbers on a grid of their own."""

from torch import Tensor, fx, nn

from qat.capture.rewriter import Rewriter, shape_of, unsupported
from qat.layers.constants import Constants
from qat.steps import Kind


def put_constants(rewriter: Rewriter, node: fx.Node, values: Tensor, *, learnt: bool = False) -> fx.Node:
    """Returns a new node before `node` with the values, for each picture the same.

    `values` are broadcast as PyTorch does to the axes of `node`'s output, of which the first is the batch. Raises
    CaptureError if pictures in a batch would have different values.
    """
    axes = len(shape_of(node))
    if values.ndim > axes:
        raise unsupported(node, f"with a constant of shape {tuple(values.shape)}")
    own = values.reshape(*[1] * (axes - values.ndim), *values.shape)
    if (own != own[:1]).any():
        raise unsupported(node, "with a constant that differs between pictures")
    (picture,) = rewriter.graph.find_nodes(op="placeholder")
    first = own[:1].detach().clone().float()
    layer = Constants(nn.Parameter(first) if learnt else first)
    return rewriter.insert_layer(node, layer, picture, tuple(first.shape), Kind.CONSTANT)
