"""Draws the int8 graph of an architecture from its table, with what a latency needs, in milliseconds."""

from mobile_sdk.graph.builder import GraphBuilder
from mobile_sdk.graph.operators import Add, Clamp, Graph, Mul, Tensor
from qat.nets.architecture import ActivationName, Architecture, Bottleneck
from qat.nets.blocks import make_divisible


def drawn_graph(architecture: Architecture, *, classes: int, size_px: int | tuple[int, ...]) -> Graph:
    """Returns the program of the trained net with its operators, shapes and order; its weights are random.

    `size_px` is the side of square RGB pictures, or (channels, height, width).

    A test compares it with graphs that are captured from built nets, which take a hundred times as long.
    """
    build, activation = GraphBuilder(size_px), architecture.activation
    x = _activated(build, build.input, architecture.stem, 3, stride=2, activation=activation)
    for index, block in enumerate(architecture.blocks):
        drawn = _block(build, x, block, expands=architecture.expands(index))
        if architecture.has_shortcut(index):
            is_stem = index == 0 and activation == "hard_swish"  # no layer's weights can take its factor 1/6
            drawn = build.binary(Add, build.scaled(x) if is_stem else x, drawn)
        x = drawn
    x = build.mean(_activated(build, x, architecture.last, activation=activation))
    if activation == "relu":
        x = build.linear(x, architecture.hidden, clamp=Clamp.RELU)
    else:
        x = build.hard_swish(build.linear(x, architecture.hidden))
    build.linear(x, classes)
    return build.graph()


def _block(build: GraphBuilder, x: Tensor, block: Bottleneck, *, expands: bool) -> Tensor:
    if expands:
        x = _activated(build, x, block.expanded, activation=block.activation)
    x = _activated(
        build, x, block.expanded, block.kernel, stride=block.stride, groups=block.expanded, activation=block.activation
    )
    if block.has_se:
        squeezed = build.conv(build.mean(x), make_divisible(block.expanded / 4), clamp=Clamp.RELU)
        x = build.binary(Mul, x, build.conv(squeezed, block.expanded))
    return build.conv(x, block.channels)


def _activated(
    build: GraphBuilder,
    x: Tensor,
    channels: int,
    kernel: int = 1,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: ActivationName,
) -> Tensor:
    if activation == "relu":
        return build.conv(x, channels, kernel, stride=stride, groups=groups, clamp=Clamp.RELU)
    return build.hard_swish(build.conv(x, channels, kernel, stride=stride, groups=groups))
