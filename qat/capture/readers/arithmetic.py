"""Reads sums, differences, products and quotients, of two tensors or with constants, as steps.

A constant is a gain and an offset for each channel. One number is a step of its own, and costs nothing as a gain; a
number for each channel goes into the layer before it, or becomes a depthwise convolution of one pixel.
"""

from typing import Any

import torch
from torch import Tensor, fx, nn

from mobile_sdk.graph.operators import Function
from qat.capture.readers.constants import put_constants
from qat.capture.readers.functions import LARGEST, insert_function, put_function, put_leaky_relu
from qat.capture.rewriter import Rewriter, arguments, operand, shape_of, unsupported
from qat.layers.weighted import Conv2d, Linear, Weighted
from qat.steps import Kind

aten = torch.ops.aten


def read_add(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a sum of two tensors, or of a tensor and a constant."""
    a, b, alpha = arguments(node, None, None, 1)
    _read_sum(rewriter, node, a, b, 1.0, float(alpha))


def read_sub(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a difference."""
    a, b, alpha = arguments(node, None, None, 1)
    _read_sum(rewriter, node, a, b, 1.0, -float(alpha))


def read_rsub(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads the second operand less the first."""
    a, b, alpha = arguments(node, None, None, 1)
    _read_sum(rewriter, node, a, b, -float(alpha), 1.0)


def read_neg(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a negation."""
    read_affine(rewriter, node, operand(node), torch.tensor(-1.0), torch.tensor(0.0))


def read_mul(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a product of two tensors, or of a tensor and a constant."""
    a, b = arguments(node, None, None)
    if (gain := rewriter.constant(b)) is not None:
        read_affine(rewriter, node, a, gain, torch.tensor(0.0))
    elif (gain := rewriter.constant(a)) is not None:
        read_affine(rewriter, node, b, gain, torch.tensor(0.0))
    else:
        rewriter.become(node, aten.mul.Tensor, _whole_first(node, a, b), Kind.MUL)


def read_pow(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a power: products for 2, 3 and 4, a reciprocal, and any other power of what is above zero."""
    source, exponent = arguments(node, None, 2)
    power = rewriter.constant(exponent)
    if rewriter.constant(source) is not None or power is None or not _is_number(power):
        raise unsupported(node, "but of a tensor to one constant")
    number = float(power.flatten()[0])
    if number == -1:
        put_function(rewriter, node, source, Function.RECIPROCAL)
    elif number not in (2, 3, 4):
        if number == int(number):
            raise unsupported(node, f"to the power of {exponent}")
        put_function(rewriter, node, source, Function.POWER, number)
    elif number == 2:
        rewriter.become(node, aten.mul.Tensor, (source, source), Kind.MUL)
    else:
        square = rewriter.insert(node, aten.mul.Tensor, (source, source), shape_of(source), Kind.MUL)
        rewriter.become(node, aten.mul.Tensor, (square, source if number == 3 else square), Kind.MUL)


def read_div(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads a division by a constant, or by a tensor, as a product with its reciprocal."""
    a, b = arguments(node, None, None)
    divisor = rewriter.constant(b)
    if node.kwargs.get("rounding_mode"):
        raise unsupported(node, "with a rounding mode")
    if divisor is None:
        node.args = (a, insert_function(rewriter, node, b, Function.RECIPROCAL))
        read_mul(rewriter, node)
    elif rewriter.constant(a) is not None:
        raise unsupported(node, "of two constants")
    else:
        read_affine(rewriter, node, a, 1 / divisor.double(), torch.tensor(0.0))


def read_maximum(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads the larger of two tensors, b + relu(a - b)."""
    rise = _risen(rewriter, node)
    rewriter.become(node, aten.add.Tensor, (operand(node, 1), rise), Kind.ADD)


def read_minimum(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads the smaller of two tensors, a - relu(a - b)."""
    rise = _risen(rewriter, node)
    rewriter.become(node, aten.sub.Tensor, (operand(node, 0), rise), Kind.SUB)


def read_prelu(rewriter: Rewriter, node: fx.Node) -> None:
    """Reads x + (slope - 1) * min(x, 0) for a slope a channel, and a leaky ReLU for one slope of all."""
    source, weight = arguments(node, None, None)
    slopes = rewriter.parameter(node, weight)
    assert slopes is not None
    if _is_number(slopes.detach()):
        put_leaky_relu(rewriter, node, source, float(slopes.detach().flatten()[0]))
        return
    axes = [1, -1, *[1] * (len(shape_of(node)) - 2)]
    below = insert_function(rewriter, node, source, Function.CLAMP, -LARGEST, 0.0)
    bent = rewriter.place(node, aten.mul.Tensor, (below, 1.0), shape_of(node))
    node.args, node.kwargs = (source, bent), {}
    read_affine(rewriter, bent, below, slopes.detach().reshape(axes) - 1, torch.zeros(()))
    rewriter.become(node, aten.add.Tensor, _operands(node), Kind.ADD)


def _risen(rewriter: Rewriter, node: fx.Node) -> fx.Node:
    """Returns relu(a - b) of both operands."""
    a, b = _of_one_rank(node, *_operands(node))
    difference = rewriter.insert(node, aten.sub.Tensor, (a, b), shape_of(node), Kind.SUB)
    return rewriter.insert(node, aten.relu.default, (difference,), shape_of(node), Kind.RELU)


def read_affine(rewriter: Rewriter, node: fx.Node, source: fx.Node, gain: Tensor, offset: Tensor) -> None:
    """Reads `gain * source + offset`, both constants."""
    if not (gain.isfinite().all() and offset.isfinite().all()):
        raise unsupported(node, "with a constant that is not finite")
    factor, addend = float(gain.flatten()[0]), float(offset.flatten()[0])
    is_number = _is_number(gain) and _is_number(offset)
    if is_number and shape_of(source) == shape_of(node):
        if factor > 0 and addend == 0:
            rewriter.become(node, aten.mul.Tensor, (source, factor), Kind.SCALE, constant=factor)
            return
        if factor == 1:
            rewriter.become(node, aten.add.Tensor, (source, addend), Kind.ADD_CONSTANT, constant=addend)
            return
    layer = rewriter.layer_of(source)
    is_taken_in = isinstance(layer, Weighted) and len(source.users) == 1
    axis = len(shape_of(node)) - 1 if isinstance(layer, Linear) and is_taken_in else 1
    gains, offsets = (_by_channel(node, source, each, axis) for each in (gain, offset))
    if isinstance(layer, Weighted) and is_taken_in and gains is not None and offsets is not None:
        rescale(layer, gains, offsets)
        rewriter.take_in(node, source)
    elif is_number and shape_of(source) == shape_of(node):
        put_function(rewriter, node, source, Function.AFFINE, factor, addend)
    elif len(shape_of(node)) in (2, 4) and gains is not None and offsets is not None:
        put_depthwise(rewriter, node, source, depthwise(gains, offsets))
    else:
        _read_constants(rewriter, node, source, gain, offset)


def _read_constants(rewriter: Rewriter, node: fx.Node, source: fx.Node, gain: Tensor, offset: Tensor) -> None:
    """Reads a gain and an offset of any shape as a product, a sum or both, with tensors of constants."""
    if len(shape_of(source)) != len(shape_of(node)):
        raise unsupported(node, f"of shapes {shape_of(source)} and {tuple(gain.shape) or tuple(offset.shape)}")
    learnt, has_gain = rewriter.learns(node), not bool((gain == 1).all())
    if not offset.any():
        factors = put_constants(rewriter, node, gain, learnt=learnt)
        rewriter.become(node, aten.mul.Tensor, (source, factors), Kind.MUL)
        return
    if has_gain:
        product = rewriter.place(node, aten.mul.Tensor, (source, 1.0), shape_of(source))
        node.args, node.kwargs = (product,), {}
        read_affine(rewriter, product, source, gain, torch.zeros(()))
        source = operand(node)
    addends = put_constants(rewriter, node, offset, learnt=learnt)
    rewriter.become(node, aten.add.Tensor, (source, addends), Kind.ADD)


@torch.no_grad()
def rescale(layer: Weighted, gains: Tensor, offsets: Tensor) -> None:
    """Makes the layer return `gains` times its outputs, plus `offsets`; both are (O,)."""
    terms = [layer.weight, layer.bias] if layer.norm is None else [layer.norm.weight, layer.norm.bias]
    for term in terms:
        if term is not None:
            term.mul_(gains.reshape(-1, *[1] * (term.ndim - 1)))
    shift = layer.bias if layer.norm is None else layer.norm.bias
    if shift is not None:
        shift.add_(offsets)
    elif offsets.any():
        layer.bias = nn.Parameter(offsets.clone())


def depthwise(gains: Tensor, offsets: Tensor | None) -> Conv2d:
    """Returns a depthwise convolution of one pixel, with the weights `gains` and the biases `offsets`, both (C,)."""
    return Conv2d(
        weight=nn.Parameter(gains.reshape(-1, 1, 1, 1).clone()),
        bias=None if offsets is None or not offsets.any() else nn.Parameter(offsets.clone()),
        norm=None,
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        dilation=(1, 1),
        groups=len(gains),
    )


def put_depthwise(rewriter: Rewriter, node: fx.Node, source: fx.Node, layer: Conv2d) -> None:
    """Replaces the node by the layer, on `source`; a vector becomes a map of one pixel for it."""
    shape = shape_of(node)
    if len(shape) == 4:
        node.args = (source, *node.args[1:])
        rewriter.replace(node, layer, Kind.WEIGHTED)
        return
    if len(shape) != 2:
        raise unsupported(node, f"on a tensor of shape {shape}")
    pixel = (*shape, 1, 1)
    as_map = rewriter.insert_layer(node, nn.Unflatten(1, pixel[1:]), source, pixel, Kind.UNFLATTEN)
    node.args = (rewriter.insert_layer(node, layer, as_map, pixel, Kind.WEIGHTED),)
    rewriter.replace(node, nn.Flatten(1), Kind.FLATTEN)


def _read_sum(rewriter: Rewriter, node: fx.Node, a: Any, b: Any, gain_a: float, gain_b: float) -> None:
    """Reads `gain_a * a + gain_b * b`; either may be a constant."""
    one = torch.tensor(1.0)
    if (offset := rewriter.constant(b)) is not None:
        read_affine(rewriter, node, a, gain_a * one, gain_b * offset)
        return
    if (offset := rewriter.constant(a)) is not None:
        read_affine(rewriter, node, b, gain_b * one, gain_a * offset)
        return
    terms = sorted(((a, gain_a), (b, gain_b)), key=lambda term: term[1] < 0)
    node.args, node.kwargs = tuple(source for source, _ in terms), {}
    for position, (source, gain) in enumerate(terms):
        if abs(gain) != 1:
            scaled = rewriter.place(node, aten.mul.Tensor, (source, gain), shape_of(source))
            node.update_arg(position, scaled)
            read_affine(rewriter, scaled, source, abs(gain) * one, torch.tensor(0.0))
    if terms[1][1] < 0:
        rewriter.become(node, aten.sub.Tensor, _of_one_rank(node, *_operands(node)), Kind.SUB)
    else:
        rewriter.become(node, aten.add.Tensor, _whole_first(node, *_operands(node)), Kind.ADD)


def _operands(node: fx.Node) -> tuple[fx.Node, fx.Node]:
    return operand(node, 0), operand(node, 1)


def _whole_first(node: fx.Node, a: fx.Node, b: fx.Node) -> tuple[fx.Node, fx.Node]:
    """Returns the operands, the one with the output's shape first if there is one."""
    a, b = _of_one_rank(node, a, b)
    return (a, b) if shape_of(a) == shape_of(node) else (b, a)


def _of_one_rank(node: fx.Node, a: fx.Node, b: fx.Node) -> tuple[fx.Node, fx.Node]:
    """Returns the operands; raises CaptureError if the first axis of one of them is not the batch."""
    if not len(shape_of(a)) == len(shape_of(b)) == len(shape_of(node)):
        raise unsupported(node, f"of shapes {shape_of(a)} and {shape_of(b)}")
    return a, b


def _is_number(constant: Tensor) -> bool:
    return bool((constant == constant.flatten()[0]).all())


def _by_channel(node: fx.Node, source: fx.Node, constant: Tensor, axis: int) -> Tensor | None:
    """Returns the constant as (C,) float32, C along the axis of the node's output; None if others differ."""
    if shape_of(source) != shape_of(node):
        return None
    whole = constant.double().expand(shape_of(node)).transpose(0, axis).flatten(1)
    channels = whole[:, :1]
    return None if (whole != channels).any() else channels.flatten().float()


READERS = {
    "add": read_add,
    "sub": read_sub,
    "subtract": read_sub,
    "rsub": read_rsub,
    "neg": read_neg,
    "mul": read_mul,
    "multiply": read_mul,
    "maximum": read_maximum,
    "minimum": read_minimum,
    "prelu": read_prelu,
    "_prelu_kernel": read_prelu,
    "pow": read_pow,
    "square": read_pow,
    "div": read_div,
    "divide": read_div,
    "true_divide": read_div,
}
