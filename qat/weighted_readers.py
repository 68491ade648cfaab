"""Reads convolutions, linear layers and batch norms, padding before them included, as layers of a captured net."""

from typing import Any

import torch
from torch import fx, nn

from qat.layers import Conv2d, Linear, Weighted
from qat.rewriter import Rewriter, arguments, pair, shape_of, unsupported
from qat.steps import Kind


def read_conv2d(rewriter: Rewriter, node: fx.Node) -> None:
    """A convolution; a pad before it becomes its own."""
    source, weight, bias, stride, padding, dilation, groups = arguments(node, None, None, None, 1, 0, 1, 1)
    kernel = shape_of(weight)[2:]
    above, below, before, after = _own_padding(node, padding, kernel, pair(dilation))
    top, bottom, left, right = rewriter.padding.get(source, (0, 0, 0, 0))
    layer = Conv2d(
        weight=_weight(rewriter, node, weight),
        bias=rewriter.parameter(node, bias),
        norm=None,
        stride=pair(stride),
        padding=(top + above, bottom + below, left + before, right + after),
        dilation=pair(dilation),
        groups=groups,
    )
    if source in rewriter.padding:
        node.replace_input_with(source, source.args[0])
    rewriter.replace(node, layer, Kind.WEIGHTED)


def read_pad(rewriter: Rewriter, node: fx.Node) -> None:
    """Zero padding that only convolutions read is theirs."""
    _, amounts, *rest = arguments(node, None, None, "constant", None)
    mode, value = rest if isinstance(rest[0], str) else ("constant", rest[0])
    if mode != "constant" or (value or 0) != 0:
        raise unsupported(node, "but for zeros")
    if len(amounts) not in (2, 4) or min(amounts) < 0:
        raise unsupported(node, f"by {list(amounts)}")
    if not all("conv2d" in str(user.target) for user in node.users):
        raise unsupported(node, "where others than convolutions read it")
    left, right, top, bottom = [*amounts, 0, 0][:4]
    rewriter.padding[node] = (top, bottom, left, right)


def read_linear(rewriter: Rewriter, node: fx.Node) -> None:
    """A fully connected layer on vectors."""
    _, weight, bias = arguments(node, None, None, None)
    if len(shape_of(node)) != 2:
        raise unsupported(node, f"on a tensor of shape {shape_of(node.args[0])}")
    layer = Linear(weight=_weight(rewriter, node, weight), bias=rewriter.parameter(node, bias), norm=None)
    rewriter.replace(node, layer, Kind.WEIGHTED)


def read_batch_norm(rewriter: Rewriter, node: fx.Node) -> None:
    """A batch norm goes into the layer before it, where nobody else reads what that layer computes."""
    source, gamma, beta, mean, variance, _, momentum, epsilon = arguments(node, *[None] * 5, False, 0.1, 1e-5)
    norm = nn.BatchNorm2d(shape_of(node)[1], eps=epsilon, momentum=momentum)
    for name, value in (("weight", gamma), ("bias", beta)):
        parameter = rewriter.parameter(node, value)
        if parameter is not None:
            setattr(norm, name, parameter)
    for name, value in (("running_mean", mean), ("running_var", variance)):
        buffer = rewriter.parameter(node, value)
        if buffer is None:
            raise unsupported(node, "without running statistics")
        setattr(norm, name, buffer.data)
    layer = rewriter.layer_of(source)
    if isinstance(layer, Weighted) and layer.norm is None and len(source.users) == 1:
        layer.norm = norm
        node.replace_all_uses_with(source)
        rewriter.graph.erase_node(node)
    else:
        _read_lone_batch_norm(rewriter, node, norm)


READERS = {
    "conv2d": read_conv2d,
    "pad": read_pad,
    "constant_pad_nd": read_pad,
    "linear": read_linear,
    "batch_norm": read_batch_norm,
}


def _own_padding(
    node: fx.Node, padding: Any, kernel: tuple[int, ...], dilation: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The convolution's padding as (top, bottom, left, right); "same" puts the odd pixel after."""
    if padding == "valid":
        return 0, 0, 0, 0
    if padding == "same":
        vertical, horizontal = ((size - 1) * step for size, step in zip(kernel, dilation, strict=True))
        return vertical // 2, vertical - vertical // 2, horizontal // 2, horizontal - horizontal // 2
    if isinstance(padding, str):
        raise unsupported(node, f"padded {padding!r}")
    above, before = pair(padding)
    return above, above, before, before


def _weight(rewriter: Rewriter, node: fx.Node, weight: Any) -> nn.Parameter:
    parameter = rewriter.parameter(node, weight)
    assert parameter is not None
    return parameter


def _read_lone_batch_norm(rewriter: Rewriter, node: fx.Node, norm: nn.BatchNorm2d) -> None:
    """A batch norm with no layer before it is a 1 × 1 depthwise convolution with weights of one."""
    if len(shape_of(node)) != 4:
        raise unsupported(node, "on a vector that no linear layer computes")
    channels = norm.num_features
    layer = Conv2d(
        weight=nn.Parameter(torch.ones(channels, 1, 1, 1)),
        bias=None,
        norm=norm,
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        dilation=(1, 1),
        groups=channels,
    )
    rewriter.replace(node, layer, Kind.WEIGHTED)
