"""Reads activations, arithmetic, pooling and changes of shape as steps."""

from typing import Any

import torch
from torch import fx, nn

from mobile_sdk.integer_graph import LARGEST_RESIZE
from qat.channel_readers import read_shuffled_view
from qat.detection.decoder import Decoder
from qat.layers import HardSwish
from qat.resizing import ResizeBilinear
from qat.rewriter import Rewriter, arguments, pair, shape_of, unsupported
from qat.steps import Kind, Window

aten = torch.ops.aten

# -- activations


def read_relu(rewriter: Rewriter, node: fx.Node) -> None:
    """max(x, 0)."""
    rewriter.become(node, aten.relu.default, (node.args[0],), Kind.RELU)


def read_relu6(rewriter: Rewriter, node: fx.Node) -> None:
    """min(max(x, 0), 6)."""
    rewriter.become(node, aten.hardtanh.default, (node.args[0], 0.0, 6.0), Kind.RELU6)


def read_hardtanh(rewriter: Rewriter, node: fx.Node) -> None:
    """PyTorch's own ReLU6 is a hardtanh."""
    _read_bounds(rewriter, node, *arguments(node, None, -1.0, 1.0)[1:])


def read_clamp(rewriter: Rewriter, node: fx.Node) -> None:
    """A clamp that is a ReLU or a ReLU6."""
    _read_bounds(rewriter, node, *arguments(node, None, None, None)[1:])


def read_hardswish(rewriter: Rewriter, node: fx.Node) -> None:
    """X * relu6(x + 3) / 6."""
    rewriter.replace(node, HardSwish(), Kind.HARD_SWISH)


def read_hardsigmoid(rewriter: Rewriter, node: fx.Node) -> None:
    """relu6(x + 3) / 6."""
    rewriter.become(node, aten.hardsigmoid.default, (node.args[0],), Kind.HARD_SIGMOID)


def read_dropout(rewriter: Rewriter, node: fx.Node) -> None:
    """Dropout, as a module that train() and eval() switch."""
    rewriter.replace(node, nn.Dropout(_share(node)), Kind.DROPOUT)


def read_feature_dropout(rewriter: Rewriter, node: fx.Node) -> None:
    """Dropout of whole channels."""
    rewriter.replace(node, nn.Dropout2d(_share(node)), Kind.DROPOUT)


def _share(node: fx.Node) -> float:
    share = arguments(node, None, 0.5)[1]
    return float(share)


def _read_bounds(rewriter: Rewriter, node: fx.Node, low: float | None, high: float | None) -> None:
    if low == 0 and high == 6:
        read_relu6(rewriter, node)
    elif low == 0 and high is None:
        read_relu(rewriter, node)
    else:
        raise unsupported(node, f"to {low}..{high}")


# -- arithmetic


def read_add(rewriter: Rewriter, node: fx.Node) -> None:
    """A sum of two tensors, or of a tensor and a constant."""
    a, b, alpha = arguments(node, None, None, 1)
    if alpha != 1:
        raise unsupported(node, f"with alpha {alpha}")
    _read_binary(rewriter, node, a, b, aten.add.Tensor, Kind.ADD, Kind.ADD_CONSTANT)


def read_mul(rewriter: Rewriter, node: fx.Node) -> None:
    """A product of two tensors, or of a tensor and a positive constant."""
    a, b = arguments(node, None, None)
    _read_binary(rewriter, node, a, b, aten.mul.Tensor, Kind.MUL, Kind.SCALE)


def read_div(rewriter: Rewriter, node: fx.Node) -> None:
    """A division by a positive constant."""
    a, b = arguments(node, None, None)
    if not isinstance(a, fx.Node) or isinstance(b, fx.Node) or b <= 0 or "rounding_mode" in node.kwargs:
        raise unsupported(node, "but by a positive constant")
    _read_binary(rewriter, node, a, 1.0 / b, aten.mul.Tensor, Kind.MUL, Kind.SCALE)


def _read_binary(
    rewriter: Rewriter, node: fx.Node, a: Any, b: Any, target: Any, kind: Kind, constant_kind: Kind
) -> None:
    if not isinstance(a, fx.Node):
        a, b = b, a
    if isinstance(b, fx.Node):
        rewriter.become(node, target, _broadcast(node, a, b, kind), kind)
    elif constant_kind is Kind.SCALE and b <= 0:
        raise unsupported(node, f"with the constant {b}")
    else:
        rewriter.become(node, target, (a, float(b)), constant_kind, constant=float(b))


def _broadcast(node: fx.Node, a: fx.Node, b: fx.Node, kind: Kind) -> tuple[fx.Node, fx.Node]:
    """Operands in the order (whole, gate); equal shapes, or in a product a gate (C, 1, 1)."""
    whole = shape_of(node)
    if shape_of(a) != whole:
        a, b = b, a
    is_gate = kind is Kind.MUL and len(whole) == 4 and shape_of(b) == (*whole[:2], 1, 1)
    if shape_of(a) != whole or not (is_gate or shape_of(b) == whole):
        raise unsupported(node, f"of shapes {shape_of(a)} and {shape_of(b)}")
    return a, b


# -- pooling


def read_mean(rewriter: Rewriter, node: fx.Node) -> None:
    """The mean over height and width."""
    source, axes, keep = arguments(node, None, None, False)
    axes = [axes] if isinstance(axes, int) else axes
    if len(shape_of(source)) != 4 or sorted(axis % 4 for axis in axes or ()) != [2, 3]:
        raise unsupported(node, "but over height and width")
    rewriter.become(node, aten.mean.dim, (source, [2, 3], keep), Kind.GLOBAL_MEAN)


def read_adaptive_avg_pool2d(rewriter: Rewriter, node: fx.Node) -> None:
    """Windows of one size, where the map divides into them."""
    source, size = arguments(node, None, None)
    height, width = shape_of(source)[2:]
    rows, columns = shape_of(node)[2:]
    if height % rows or width % columns:
        raise unsupported(node, f"to {size} from {height} x {width}, which it does not divide")
    kernel = (height // rows, width // columns)
    _pool(rewriter, node, source, Window(kernel=kernel, stride=kernel, padding=(0, 0)))


def read_avg_pool2d(rewriter: Rewriter, node: fx.Node) -> None:
    """The mean in a window, padding counted."""
    source, kernel, stride, padding, ceil, counts_padding, divisor = arguments(
        node, None, None, [], [0, 0], False, True, None
    )
    window = Window(kernel=pair(kernel), stride=pair(stride or kernel), padding=pair(padding))
    if ceil or divisor is not None or (any(window.padding) and not counts_padding):
        raise unsupported(node, "with ceil_mode, divisor_override or count_include_pad=False")
    _pool(rewriter, node, source, window)


def read_max_pool2d(rewriter: Rewriter, node: fx.Node) -> None:
    """The maximum in a window; a window of one pixel, which runtimes refuse, is its mean as well."""
    source, kernel, stride, padding, dilation, ceil = arguments(node, None, None, [], [0, 0], [1, 1], False)
    if ceil or pair(dilation) != (1, 1):
        raise unsupported(node, "with ceil_mode or dilation")
    window = Window(kernel=pair(kernel), stride=pair(stride or kernel), padding=pair(padding))
    if window.kernel == (1, 1):
        _pool(rewriter, node, source, window)
    elif window.stride[0] > window.kernel[0] or window.stride[1] > window.kernel[1]:
        raise unsupported(node, f"with the stride {window.stride}, larger than the window")
    else:
        rewriter.mark(node, Kind.MAX_POOL, window=window)


def _pool(rewriter: Rewriter, node: fx.Node, source: fx.Node, window: Window) -> None:
    if window.kernel == shape_of(source)[2:] and not any(window.padding):
        rewriter.become(node, aten.mean.dim, (source, [2, 3], True), Kind.GLOBAL_MEAN)
    else:
        details = (source, list(window.kernel), list(window.stride), list(window.padding))
        rewriter.become(node, aten.avg_pool2d.default, details, Kind.AVERAGE_POOL, window=window)


# -- shape


def read_resize(rewriter: Rewriter, node: fx.Node) -> None:
    """Bilinear interpolation between the centres of pixels, sides by powers of two, or from one pixel to any size."""
    source, _, between_corners = arguments(node, None, None, False)
    before, after = shape_of(source)[2:], shape_of(node)[2:]
    if between_corners:
        raise unsupported(node, "with align_corners=True")
    if before != (1, 1) and not all(_grows(*sides) for sides in zip(before, after, strict=True)):
        raise unsupported(node, f"from {before} to {after}, not by powers of two up to {LARGEST_RESIZE}")
    if source.op == "placeholder":
        raise unsupported(node, "of the picture itself")
    rewriter.replace(node, ResizeBilinear((after[0], after[1])), Kind.RESIZE)


def _grows(before: int, after: int) -> bool:
    factor, rest = divmod(after, before)
    return rest == 0 and factor <= LARGEST_RESIZE and factor.bit_count() == 1


def read_cat(rewriter: Rewriter, node: fx.Node) -> None:
    """A concatenation of channels."""
    parts, axis = arguments(node, None, 0)
    if axis % len(shape_of(node)) != 1:
        raise unsupported(node, "but of channels")
    if len(parts) == 1:
        node.replace_all_uses_with(parts[0])
    else:
        rewriter.mark(node, Kind.CONCAT)


def read_flatten(rewriter: Rewriter, node: fx.Node) -> None:
    """(C, 1, 1) to (C,), or a map before linear layers."""
    before, after = shape_of(node.args[0]), shape_of(node)
    if len(after) == 5 or read_shuffled_view(rewriter, node):
        return  # five axes are the first half of a shuffle, if anything
    if after == (*before[:2], 1) and all(_name(user) in _VIEWS for user in node.users):
        read_nothing(rewriter, node)  # one squeeze of two: the next one sees the whole change
        return
    if len(after) != 2 or after[0] != before[0]:
        raise unsupported(node, f"from {before} to {after}")
    if before[2:] not in ((), (1, 1)) and not _feeds_linear(node):
        raise unsupported(node, "of a map that others than linear layers read")
    rewriter.replace(node, nn.Flatten(1), Kind.FLATTEN)


def read_nothing(rewriter: Rewriter, node: fx.Node) -> None:
    """The node computes its input."""
    source = node.args[0]
    assert isinstance(source, fx.Node)
    node.replace_all_uses_with(source)


def _name(node: fx.Node) -> str:
    return str(node.target).removeprefix("aten.").split(".")[0]


def _feeds_linear(node: fx.Node) -> bool:
    """Whether only linear layers read the node, some of them behind dropout."""
    return all(
        "linear" in str(user.target) or ("dropout" in str(user.target) and _feeds_linear(user)) for user in node.users
    )


def read_boxes(rewriter: Rewriter, node: fx.Node) -> None:
    """A detector's decoding of boxes, as one layer."""
    _, origins, steps, scores = arguments(node, None, None, None, None)
    corners, sizes = (rewriter.parameter(node, value) for value in (origins, steps))
    assert corners is not None and sizes is not None
    rewriter.replace(node, Decoder(corners.data, sizes.data, scores), Kind.BOXES)


_VIEWS = ("flatten", "view", "reshape", "squeeze")
READERS = {
    "decode_boxes": read_boxes,
    "relu": read_relu,
    "relu6": read_relu6,
    "hardtanh": read_hardtanh,
    "clamp": read_clamp,
    "clamp_min": read_clamp,
    "hardswish": read_hardswish,
    "hardsigmoid": read_hardsigmoid,
    "dropout": read_dropout,
    "feature_dropout": read_feature_dropout,
    "add": read_add,
    "mul": read_mul,
    "div": read_div,
    "mean": read_mean,
    "adaptive_avg_pool2d": read_adaptive_avg_pool2d,
    "avg_pool2d": read_avg_pool2d,
    "max_pool2d": read_max_pool2d,
    "upsample_bilinear2d": read_resize,
    "cat": read_cat,
    "concat": read_cat,
    "flatten": read_flatten,
    "view": read_flatten,
    "reshape": read_flatten,
    "squeeze": read_flatten,
    "contiguous": read_nothing,
    "clone": read_nothing,
    "alias": read_nothing,
    "detach": read_nothing,
}
