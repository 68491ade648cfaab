"""Reads convolutions, linear layers and batch norms, padding before them included, as layers of a captured net."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx, nn

from mobile_sdk.errors import CaptureError
from qat.capture.readers.arithmetic import depthwise, put_depthwise
from qat.capture.readers.padding import read_constant_padding, read_own_padding
from qat.capture.readers.tokens import read_product
from qat.capture.rewriter import BATCHES, Rewriter, arguments, pair, path_of, shape_of, unsupported
from qat.layers.transposed import ConvTranspose2d, by_other_channel
from qat.layers.weighted import BatchNorm, Conv2d, Linear, Weighted
from qat.steps import Kind, channel_axis


def read_conv2d(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a convolution, with a pad before it."""
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


def read_conv_transpose2d(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a transposed convolution."""
    _, weight, bias, stride, padding, more, groups, dilation = arguments(node, None, None, None, 1, 0, 0, 1, 1)
    (above, before), (below, after) = pair(padding), pair(more)
    layer = ConvTranspose2d(
        weight=nn.Parameter(by_other_channel(_weight(rewriter, node, weight).detach(), groups).contiguous()),
        bias=rewriter.parameter(node, bias),
        norm=None,
        stride=pair(stride),
        padding=(above, above - below, before, before - after),
        dilation=pair(dilation),
        groups=groups,
    )
    rewriter.replace(node, layer, Kind.WEIGHTED)


def read_pad(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads padding: convolutions take in zeros that they alone read."""
    _, amounts, *rest = arguments(node, None, None, "constant", None)
    mode, value = rest if isinstance(rest[0], str) else ("constant", rest[0])
    sides = [*amounts, 0, 0][:4]
    feeds_convolutions = all("conv2d" in str(user.target) for user in node.users) and len(amounts) in (2, 4)
    if mode == "constant" and not value and feeds_convolutions and min(amounts) >= 0:
        left, right, top, bottom = sides
        rewriter.padding[node] = (top, bottom, left, right)
    elif mode == "constant":
        read_constant_padding(rewriter, node, list(amounts), float(value or 0))
    else:
        read_own_padding(rewriter, node)


def read_linear(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a fully connected layer on vectors or rows."""
    _, weight, bias = arguments(node, None, None, None)
    if len(shape_of(node)) not in (2, 3):
        raise unsupported(node, f"on a tensor of shape {shape_of(node.args[0])}")
    layer = Linear(weight=_weight(rewriter, node, weight), bias=rewriter.parameter(node, bias), norm=None)
    rewriter.replace(node, layer, Kind.WEIGHTED)


def read_matmul(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads `x @ weight` as a fully connected layer of the transposed weight, and the product of two tensors."""
    source, weight = node.args
    if rewriter.constant(weight) is None and rewriter.constant(source) is None:
        read_product(rewriter, node)
        return
    if len(shape_of(node)) not in (2, 3) or len(shape_of(weight)) != 2:
        raise unsupported(node, f"of shapes {shape_of(node.args[0])} and {shape_of(weight)}")
    turned = nn.Parameter(_weight(rewriter, node, weight).detach().t().contiguous())
    rewriter.replace(node, Linear(weight=turned, bias=None, norm=None), Kind.WEIGHTED)


def read_batch_norm(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a batch norm into the layer before it, if it alone reads that layer's output."""
    source, *tensors, momentum, epsilon = arguments(node, *[None] * 7)
    layer, channels = rewriter.layer_of(source), shape_of(node)[channel_axis(len(shape_of(node)))]
    if isinstance(layer, Weighted) and layer.norm is None and len(source.users) == 1:
        kind = nn.BatchNorm1d if isinstance(layer, Linear) else nn.BatchNorm2d
        layer.norm = kind(channels, eps=epsilon, momentum=momentum)
        _fill(layer.norm, rewriter, node, tensors)
        rewriter.take_in(node, source)
    else:
        alone = depthwise(torch.ones(channels), None)
        alone.norm = nn.BatchNorm2d(channels, eps=epsilon, momentum=momentum)
        _fill(alone.norm, rewriter, node, tensors)
        put_depthwise(rewriter, node, source, alone)


def refuse_batch_norm(rewriter: Rewriter, node: fx.Node) -> None:
    """Refuses a batch norm that normalises by the batch even in eval()."""
    raise unsupported(node, "without running statistics")


def _fill(norm: BatchNorm, rewriter: Rewriter, node: fx.Node, tensors: Sequence[Any]) -> None:
    """Gives `norm` the node's gain, bias, mean and variance; raises CaptureError if they cannot be a batch norm's."""
    gamma, beta, mean, variance = (rewriter.parameter(node, value) for value in tensors)
    assert mean is not None and variance is not None
    if not (variance + norm.eps > 0).all():
        raise CaptureError(
            f"expected variances above 0 in {path_of(node)}, found {float(variance.detach().min()):g}",
            hint="load weights of a training that did not diverge",
        )
    for name, parameter in (("weight", gamma), ("bias", beta)):
        if parameter is not None:
            setattr(norm, name, parameter)
    norm.running_mean, norm.running_var = mean.data, variance.data
    if BATCHES in node.meta:
        norm.momentum, norm.num_batches_tracked = None, node.meta[BATCHES]


READERS = {
    "conv2d": read_conv2d,
    "conv_transpose2d": read_conv_transpose2d,
    "pad": read_pad,
    "constant_pad_nd": read_pad,
    "linear": read_linear,
    "matmul": read_matmul,
    "mm": read_matmul,
    "_native_batch_norm_legit_no_training": read_batch_norm,
    "_native_batch_norm_legit": refuse_batch_norm,
}


def _own_padding(
    node: fx.Node, padding: Any, kernel: tuple[int, ...], dilation: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Returns the convolution's padding as (top, bottom, left, right); "same" puts the odd pixel after."""
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
