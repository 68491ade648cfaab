"""Reads products of two computed matrices, softmax, and norms by a tensor's own values."""

from torch import fx

from qat.capture.rewriter import Rewriter, arguments, shape_of, unsupported
from qat.layers.weighted import Normalization
from qat.steps import Kind, channel_axis


def read_product(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a product of two matrices, or of one of each head."""
    a, b = (shape_of(each) for each in node.args)
    if len(a) != len(b) or len(a) not in (3, 5) or a[:-2] != b[:-2]:
        raise unsupported(node, f"of shapes {a} and {b}")
    rewriter.mark(node, Kind.MATMUL)


def read_softmax(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a softmax along channels."""
    source, axis = arguments(node, None, None)[:2]
    axes = len(shape_of(node))
    if axis % axes != channel_axis(axes):
        raise unsupported(node, f"along axis {axis} of {shape_of(node)}")
    rewriter.become(node, node.target, (source, axis), Kind.SOFTMAX)


def read_normalization(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a norm by a tensor's own values."""
    _, axes, groups, is_centred, epsilon, gain, offset = node.args
    layer = Normalization(
        axes=tuple(axis - 1 for axis in axes),  # type: ignore[union-attr, operator, misc]
        groups=groups,  # type: ignore[arg-type]
        is_centred=is_centred,  # type: ignore[arg-type]
        epsilon=epsilon,  # type: ignore[arg-type]
        weight=rewriter.parameter(node, gain),
        bias=rewriter.parameter(node, offset),
    )
    rewriter.replace(node, layer, Kind.NORMALIZE)


READERS = {
    "softmax": read_softmax,
    "_softmax": read_softmax,
    "normalize": read_normalization,
}
