"""Reads pooling in all of PyTorch's forms: windows, adaptive sizes, means and maxima over axes."""

from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from mobile_sdk.graph.operators import Function
from qat.capture.readers.arithmetic import read_maximum, read_minimum
from qat.capture.readers.functions import insert_function, put_function
from qat.capture.readers.moves import moved, moves_nothing, read_move
from qat.capture.rewriter import Rewriter, arguments, name_of, operand, pair, shape_of, unsupported
from qat.layers.quantizers.step_gradients import LEVELS
from qat.layers.window_share import WindowShare, is_expressible
from qat.steps import STEP, Kind, Window

aten = torch.ops.aten
Padding = tuple[int, int, int, int]
_NONE: Padding = (0, 0, 0, 0)
_OTHER_AXES = "but over height and width"


class AveragePool(nn.Module):
    """Computes the mean in a window whose padding, counted as zeros, differs from side to side."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        """Returns the means of `x` (N, C, H, W)."""
        top, bottom, left, right = self.window.padding
        return F.avg_pool2d(F.pad(x, (left, right, top, bottom)), self.window.kernel, self.window.stride)


def read_mean(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a mean; one over height and width may be taken one after the other, or over the pixels of a view."""
    if (source := _reduced(node)) is None:
        if all(name_of(user) == "mean" and _reduced(user) is not None for user in node.users):
            rewriter.leave(node, _OTHER_AXES)
        else:
            _mean_over_axes(rewriter, node)
        return
    keep = len(shape_of(node)) == 4
    rewriter.become(node, aten.mean.dim, (source, [2, 3], keep), Kind.GLOBAL_MEAN)


def _mean_over_axes(rewriter: Rewriter, node: fx.Node) -> None:
    source, axes, keep = arguments(node, None, None, False)
    count = len(shape_of(source))
    axes = sorted(axis % count for axis in ([axes] if isinstance(axes, int) else axes or range(count)))
    if 0 in axes:
        raise unsupported(node, "over the batch")
    details = tuple(axis - 1 for axis in axes)
    rewriter.become(node, aten.mean.dim, (source, axes, keep), Kind.AXES_MEAN, axes=details)


def read_sum(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a sum as a mean times how many values it has."""
    source, axes, keep = arguments(node, None, None, False)
    mean = rewriter.place(node, aten.mean.dim, (source, axes, keep), shape_of(node))
    count = prod(shape_of(source)) // prod(shape_of(node))
    rewriter.become(node, aten.mul.Tensor, (mean, float(count)), Kind.SCALE, constant=float(count))
    read_mean(rewriter, mean)


def read_amax(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads the maximum over any axes: that over height and width, in the same forms, as a window of the whole map."""
    if len(node.args) > 1 and isinstance(node.args[1], fx.Node):
        read_maximum(rewriter, node)
        return
    if (source := _reduced(node)) is None:
        if node.users and all(name_of(user) == name_of(node) and _reduced(user) is not None for user in node.users):
            rewriter.leave(node, _OTHER_AXES)
        else:
            _max_over_axes(rewriter, node)
        return
    sides = (shape_of(source)[2], shape_of(source)[3])
    window = Window(kernel=sides, stride=sides, padding=_NONE)
    if len(shape_of(node)) == 4:
        _max_pool(rewriter, node, source, window)
        return
    pooled = rewriter.place(node, aten.max_pool2d.default, (source, list(sides)), (*shape_of(node), 1, 1))
    node.args = (pooled,)
    _max_pool(rewriter, pooled, source, window)
    rewriter.replace(node, nn.Flatten(1), Kind.FLATTEN)


def read_amin(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads the minimum over axes as a maximum turned round."""
    source = operand(node)
    if len(node.args) > 1 and isinstance(node.args[1], fx.Node):
        read_minimum(rewriter, node)
        return
    turned = insert_function(rewriter, node, source, Function.AFFINE, -1.0, 0.0)
    largest = rewriter.place(node, aten.amax.default, (turned, *node.args[1:]), shape_of(node))
    put_function(rewriter, node, largest, Function.AFFINE, -1.0, 0.0)
    read_amax(rewriter, largest)


def _max_over_axes(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a maximum in the window of a map; of other axes than a map's sides, the map has rows of what is reduced."""
    source, axes, _ = arguments(node, None, None, False)
    batch, *sizes = shape = shape_of(source)
    axes = sorted(axis % len(shape) for axis in ([axes] if isinstance(axes, int) else axes or range(len(shape))))
    if 0 in axes:
        raise unsupported(node, "over the batch")
    if len(shape) == 4 and 1 not in axes:
        sides = (shape[2] if 2 in axes else 1, shape[3] if 3 in axes else 1)
    else:
        kept = [axis for axis in range(1, len(shape)) if axis not in axes]
        sides = (1, prod(shape[axis] for axis in axes))
        turned = moved(rewriter, node, aten.permute.default, source, [0, *kept, *axes])
        source = moved(rewriter, node, aten.reshape.default, turned, [batch, 1, prod(sizes) // sides[1], sides[1]])
    window = Window(kernel=sides, stride=sides, padding=_NONE)
    channels, *left = shape_of(source)[1:]
    after = (batch, channels, *(length // side for length, side in zip(left, sides, strict=True)))
    pooled = rewriter.place(node, aten.max_pool2d.default, (source,), after)
    node.target, node.args, node.kwargs = aten.reshape.default, (pooled, list(shape_of(node))), {}
    _max_pool(rewriter, pooled, source, window)
    read_move(rewriter, node)


def read_adaptive_avg_pool2d(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads an adaptive mean, as windows of one size if it has such."""
    source, size = arguments(node, None, None)
    if (window := _adaptive(node, source)) is not None:
        _average_pool(rewriter, node, source, window)
    else:
        rewriter.become(node, aten.adaptive_avg_pool2d.default, (source, size), Kind.ADAPTIVE_POOL)


def read_adaptive_max_pool2d(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads an adaptive maximum as windows of one size."""
    source, size = arguments(node, None, None)
    if (window := _adaptive(node, source)) is None:
        sides = pair(shape_of(source)[2:])
        found = f"to {size} from {sides[0]} x {sides[1]}, whose windows have several sizes"
        raise unsupported(node, f"{found}: pool to a size that divides it")
    _max_pool(rewriter, node, source, window)


def read_avg_pool2d(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads the mean in a window, whatever is counted at the map's border."""
    source, kernel, stride, padding, _, counts_padding, divisor = arguments(
        node, None, None, [], [0, 0], False, True, None
    )
    window = _window(node, source, kernel, stride, padding)
    if divisor is not None and divisor != prod(window.kernel):
        pooled, factor = rewriter.place(node, aten.avg_pool2d.default, (source,), shape_of(node)), prod(window.kernel)
        rewriter.become(node, aten.mul.Tensor, (pooled, factor / divisor), Kind.SCALE, constant=factor / divisor)
        _average_pool(rewriter, pooled, source, window)
        return
    counted = _sides(padding) if counts_padding else _NONE
    share = WindowShare(window, counted, pair(shape_of(source)[2:]), pair(shape_of(node)[2:]))
    if divisor is not None or (share.share == 1).all():
        _average_pool(rewriter, node, source, window)
        return
    if not is_expressible(share):
        raise unsupported(node, "with windows that reach beyond both sides of the map")
    pooled = rewriter.place(node, aten.avg_pool2d.default, (source,), shape_of(node))
    shares = rewriter.insert_layer(
        node, share, source, shape_of(node), Kind.WINDOW_SHARE, window=window, constant=share.grid.scale * LEVELS
    )
    node.args = (pooled, shares)
    rewriter.become(node, aten.mul.Tensor, (pooled, shares), Kind.MUL)
    _average_pool(rewriter, pooled, source, window)


def read_max_pool2d(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads the maximum in a window."""
    source, kernel, stride, padding, dilation, _ = arguments(node, None, None, [], [0, 0], [1, 1], False)
    if pair(dilation) == (1, 1):
        _max_pool(rewriter, node, source, _window(node, source, kernel, stride, padding))
    else:
        _dilated_max_pool(rewriter, node)


def _dilated_max_pool(rewriter: Rewriter, node: fx.Node) -> None:
    """Pools maps of every so many-th pixel, each a channel of its own, and puts their pixels side by side again."""
    source, kernel, stride, padding, dilation = arguments(node, None, None, [], [0, 0], None)
    padding, (factor, across) = pair(padding), pair(dilation)
    is_even = not any(length % factor for length in (*padding, *shape_of(source)[2:]))
    if factor != across or pair(stride or kernel) != (1, 1) or not is_even:
        raise unsupported(node, "with dilation, but in steps of one, by a number that divides sides and padding")
    phases = moved(rewriter, node, aten.pixel_unshuffle.default, source, factor)
    batch, channels, height, width = shape_of(node)
    shape = (batch, channels * factor**2, height // factor, width // factor)
    inner = [each // factor for each in padding]
    pooled = rewriter.place(node, aten.max_pool2d.default, (phases, kernel, [1, 1], inner), shape)
    _max_pool(rewriter, pooled, phases, _window(pooled, phases, kernel, [1, 1], inner))
    node.replace_all_uses_with(moved(rewriter, node, aten.pixel_shuffle.default, pooled, factor))
    rewriter.graph.erase_node(node)


READERS = {
    "mean": read_mean,
    "sum": read_sum,
    "amax": read_amax,
    "max": read_amax,
    "amin": read_amin,
    "min": read_amin,
    "adaptive_avg_pool2d": read_adaptive_avg_pool2d,
    "adaptive_max_pool2d": read_adaptive_max_pool2d,
    "avg_pool2d": read_avg_pool2d,
    "max_pool2d": read_max_pool2d,
}


def _reduced(node: fx.Node) -> fx.Node | None:
    """Returns the map (N, C, H, W) whose pixels, all of them, the node reduces to one; None if it does not."""
    source, left = _axes_left(node, name_of(node))
    is_of_pixels = len(shape_of(source)) == 4 and [axes for axes in left if axes] == [(0,), (1,)]
    return source if is_of_pixels else None


def _axes_left(node: fx.Node, reduction: str) -> tuple[fx.Node, list[tuple[int, ...]]]:
    """Returns the first input of reductions of this name, and which of its axes each axis of the node holds.

    A view of the pixels as one axis may be among the reductions. A reduced axis that is kept holds none of the axes.
    """
    if (STEP in node.meta and not moves_nothing(node)) or node.op != "call_function":
        return node, [(axis,) for axis in range(len(shape_of(node)))]
    source = node.args[0]
    assert isinstance(source, fx.Node)
    if name_of(node) == reduction and not any(isinstance(other, fx.Node) for other in node.args[1:]):
        _, axes, kept = arguments(node, None, None, False)
        start, left = _axes_left(source, reduction)
        axes = [axes] if isinstance(axes, int) else axes or range(len(left))
        reduced = {axis % len(left) for axis in axes}
        held = [() if axis in reduced else part for axis, part in enumerate(left)]
        return start, held if kept else [part for axis, part in enumerate(held) if axis not in reduced]
    batch, channels, *sides = shape_of(source)
    if len(sides) == 2 and shape_of(node) == (batch, channels, sides[0] * sides[1]):
        return source, [(0,), (1,), (2, 3)]
    return node, [(axis,) for axis in range(len(shape_of(node)))]


def _window(node: fx.Node, source: fx.Node, kernel: Any, stride: Any, padding: Any) -> Window:
    """Returns the window, padded below and on the right as far as its last position reaches.

    One with a single position along a side ends at the padding: a larger one, for pictures of any size, sees no more.
    """
    above, below, before, after = _sides(padding)
    whole = (shape_of(source)[2] + above + below, shape_of(source)[3] + before + after)
    given = zip(pair(kernel), pair(stride or kernel), whole, shape_of(node)[2:], strict=True)
    (height, down), (width, across) = (
        (min(size, side), min(step, size, side)) if count == 1 else (size, step) for size, step, side, count in given
    )
    size, step = (height, width), (down, across)
    ends = [
        (count - 1) * each + length - side
        for count, each, length, side in zip(shape_of(node)[2:], step, size, shape_of(source)[2:], strict=True)
    ]
    reach = (above, max(below, ends[0] - above), before, max(after, ends[1] - before))
    return Window(kernel=size, stride=step, padding=reach)


def _sides(padding: Any) -> Padding:
    vertical, horizontal = pair(padding)
    return vertical, vertical, horizontal, horizontal


def _adaptive(node: fx.Node, source: fx.Node) -> Window | None:
    """Returns the window of an adaptive pool whose windows have one size and one distance; None if they have not."""
    kernel: list[int] = []
    stride: list[int] = []
    for length, count in zip(shape_of(source)[2:], shape_of(node)[2:], strict=True):
        starts = [index * length // count for index in range(count)]
        sizes = {-(-(index + 1) * length // count) - start for index, start in enumerate(starts)}
        steps = {after - before for before, after in pairwise(starts)} or sizes
        if len(sizes) != 1 or len(steps) != 1 or 0 in steps:
            return None
        kernel += sizes
        stride += steps
    return Window(kernel=(kernel[0], kernel[1]), stride=(stride[0], stride[1]), padding=_NONE)


def _average_pool(rewriter: Rewriter, node: fx.Node, source: fx.Node, window: Window) -> None:
    top, bottom, left, right = window.padding
    if window.kernel == shape_of(source)[2:] and not any(window.padding):
        rewriter.become(node, aten.mean.dim, (source, [2, 3], True), Kind.GLOBAL_MEAN)
    elif (top, left) == (bottom, right):
        details = (source, list(window.kernel), list(window.stride), [top, left])
        rewriter.become(node, aten.avg_pool2d.default, details, Kind.AVERAGE_POOL, window=window)
    else:
        rewriter.replace(node, AveragePool(window), Kind.AVERAGE_POOL, window=window)


def _max_pool(rewriter: Rewriter, node: fx.Node, source: fx.Node, window: Window) -> None:
    """Reads a maximum; in a window of one pixel, which runtimes refuse, it is read as a mean, which is equal."""
    if window.kernel == (1, 1):
        _average_pool(rewriter, node, source, window)
        return
    if window.stride[0] > window.kernel[0] or window.stride[1] > window.kernel[1]:
        raise unsupported(node, f"with the stride {window.stride}, larger than the window")
    top, bottom, left, right = window.padding
    reaches_beyond = bottom > top or right > left  # PyTorch calls it ceil_mode
    details = (source, list(window.kernel), list(window.stride), [top, left], [1, 1], reaches_beyond)
    rewriter.become(node, aten.max_pool2d.default, details, Kind.MAX_POOL, window=window)
