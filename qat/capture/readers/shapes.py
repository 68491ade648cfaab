"""Reads dropout, resizing and changes of shape as steps."""

from operator import mul

import torch
from torch import fx, nn

from mobile_sdk.graph.interpolation import is_settled
from qat.capture.readers.positions import take
from qat.capture.rewriter import Rewriter, arguments, name_of, operand, pair, shape_of, unsupported
from qat.layers.box_decoder import Decoder
from qat.layers.resizing import ResizeBilinear
from qat.steps import Kind

aten = torch.ops.aten


def read_dropout(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads dropout, of values or of whole channels, as a module that train() and eval() switch."""
    _, share, whole_channels = arguments(node, None, 0.5, False)
    rewriter.replace(node, nn.Dropout2d(share) if whole_channels else nn.Dropout(share), Kind.DROPOUT)


def read_resize(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads bilinear interpolation to any size, between pixels' centres or between corner pixels."""
    source, _, align_corners, factors = arguments(node, None, None, False, None)
    before, after = pair(shape_of(source)[2:]), pair(shape_of(node)[2:])
    scaled = None if factors is None or align_corners else tuple(map(mul, before, factors))
    if scaled not in (None, after):
        why = f"from {before} to {scaled}, which are parts of pixels: pass size={after}"
        raise unsupported(node, f"{why} or recompute_scale_factor=True")
    if before == after:
        read_nothing(rewriter, node)
        return
    if source.op == "placeholder":
        raise unsupported(node, "of the picture itself")
    nearest = _nearest_settled(before, after, align_corners=align_corners)
    if nearest != after:
        raise unsupported(node, f"from {before} to {after}, which processors round differently: resize to {nearest}")
    layer = ResizeBilinear(after, align_corners=align_corners)
    rewriter.replace(node, layer, Kind.RESIZE, align_corners=align_corners)


def _nearest_settled(before: tuple[int, int], after: tuple[int, int], *, align_corners: bool) -> tuple[int, int]:
    """Returns the size nearest to `after`, side by side, to which all processors interpolate alike."""
    sides = []
    for length, wanted in zip(before, after, strict=True):
        near = sorted(range(1, 2 * wanted + 1), key=lambda side, wanted=wanted: abs(side - wanted))  # type: ignore[misc]
        sides.append(next(side for side in near if is_settled(length, side, align_corners=align_corners)))
    return sides[0], sides[1]


def read_expand(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a gate repeated to a map's size: products repeat it themselves, others get a bilinear resizing."""
    before, after = shape_of(node.args[0]), shape_of(node)
    if before == after or (before == (*after[:2], 1, 1) and all(name_of(user) == "mul" for user in node.users)):
        read_nothing(rewriter, node)
    elif before == (*after[:2], 1, 1) and len(after) == 4:
        rewriter.replace(node, ResizeBilinear((after[2], after[3])), Kind.RESIZE)
    elif len(before) == len(after) and before[0] == after[0]:
        source = operand(node)
        for axis, (size, wanted) in enumerate(zip(before, after, strict=True)):
            source = take(rewriter, node, source, axis, [0] * wanted) if size != wanted else source
        node.replace_all_uses_with(source)
    else:
        raise unsupported(node, f"from {before} to {after}")


def read_nothing(rewriter: Rewriter, node: fx.Node) -> None:
    """Removes a node that computes its input."""
    source = node.args[0]
    assert isinstance(source, fx.Node)
    node.replace_all_uses_with(source)


def read_conversion(rewriter: Rewriter, node: fx.Node) -> None:
    """Removes a conversion to float32, which all tensors have already, or to float64, which phones do not compute."""
    if node.meta["val"].dtype not in (torch.float32, torch.float64):
        raise unsupported(node, f"to {node.meta['val'].dtype}")
    read_nothing(rewriter, node)


def read_boxes(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a detector's decoding of boxes, as one layer."""
    _, origins, steps, scores = arguments(node, None, None, None, None)
    corners, sizes = (rewriter.parameter(node, value) for value in (origins, steps))
    assert corners is not None and sizes is not None
    rewriter.replace(node, Decoder(corners.data, sizes.data, scores), Kind.BOXES)


READERS = {
    "decode_boxes": read_boxes,
    "dropout": read_dropout,
    "upsample_bilinear2d": read_resize,
    "expand": read_expand,
    "_to_copy": read_conversion,
    "to": read_conversion,
    "type_as": read_conversion,
    "expand_as": read_expand,
    "contiguous": read_nothing,
    "clone": read_nothing,
    "alias": read_nothing,
    "detach": read_nothing,
    "lift_fresh_copy": read_nothing,
}
