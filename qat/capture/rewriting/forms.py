"""Chooses the form in which tensors of four axes are computed that are no maps (N, C, H, W) of channels.

A linear layer, a norm, a softmax and a product of matrices work along the last axis, which phones store last in three
forms: maps, whose channels lie there; rows of tokens (N, T, C); and matrices of heads (N, 1, heads, T, d). A tensor
(N, H, W, C) that was a map becomes one again, another one becomes rows. What is computed element by element stays in
the form that its operand has, so that values move only where a net moves them.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from torch import fx

from qat.capture.rewriter import arguments, name_of, shape_of
from qat.capture.rewriting.placing import BINARY, POINTWISE, aten, is_computed, placed

_TO_LAST, _TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


class _Form(Enum):
    """Says how the values of (N, A, B, C) lie: as a map (N, C, A, B), as rows (N, A * B, C), or as (N, 1, A, B, C)."""

    MAP = "map"
    ROWS = "rows"
    HEADS = "heads"


def choose_forms(graph: fx.Graph) -> None:
    """Replaces computations along the last of four axes by those on a form, and moves element-wise ones there too."""
    for node in list(graph.nodes):
        if node.op == "call_function" and len(getattr(node.meta.get("val"), "shape", ())) in (3, 4):
            new = _computed(node)
            if new is not None:
                node.replace_all_uses_with(new)


def _computed(node: fx.Node) -> fx.Node | None:
    name = name_of(node)
    if name == "softmax":
        return _softmax(node)
    if len(shape_of(node)) != 4:
        return None
    if name == "permute" and _order(node) == _TO_FIRST and _form_of(node.args[0]) is _Form.MAP:  # type: ignore[arg-type]
        return node.args[0].args[0]  # type: ignore[union-attr, return-value]
    if name == "matmul" and all(is_computed(each) for each in node.args):
        return _formed(node, _Form.HEADS)
    forms = [_form_of(each) for each in node.all_input_nodes if is_computed(each)]
    known = [form for form in forms if form is not None]
    if name == "linear" and is_computed(node.args[0]):
        return _formed(node, _Form.MAP if known == [_Form.MAP] else _Form.ROWS)
    if name == "normalize" and node.args[1] == [3]:
        return _formed(node, known[0] if known else _Form.ROWS)
    if known and (name in POINTWISE or (name in BINARY and _is_whole(node))):
        return _formed(node, known[0])
    return None


def _softmax(node: fx.Node) -> fx.Node | None:
    """Computes a softmax along the last axis; one along the channels of a map stays."""
    source, axis = arguments(node, None, None)
    axes = len(shape_of(node))
    axis %= axes
    if axes == 4 and axis == 1 and _form_of(source) is None:
        return None
    if axis == axes - 1:
        return None if axes == 3 else _formed(node, _form_of(source) or _Form.HEADS)
    turned = placed(node, aten.transpose.int, source, axis, axes - 1)
    last = placed(node, aten.softmax.int, turned, axes - 1)
    if axes == 4:
        last = _formed(last, _Form.HEADS)
    return placed(node, aten.transpose.int, last, axis, axes - 1)


def _formed(node: fx.Node, form: _Form) -> fx.Node:
    """Returns the node's value, computed in this form."""
    name, target = name_of(node), node.target
    first, *rest = list[Any](node.args)
    operands = [_in_form(node, first, form) if isinstance(first, fx.Node) else first, *rest]
    if name == "linear" and form is _Form.MAP:
        target = aten.conv2d.default
        operands[1] = placed(node, aten.reshape.default, rest[0], [*shape_of(rest[0]), 1, 1])
    elif name in ("normalize", "softmax"):
        operands[1] = [_LAST[form]] if name == "normalize" else _LAST[form]
    elif name in BINARY or name == "matmul":
        operands[1] = _in_form(node, rest[0], form) if isinstance(rest[0], fx.Node) else rest[0]
    inner = placed(node, target, *operands)
    inner.kwargs = dict(node.kwargs)
    return _out_of_form(node, inner, form)


_LAST: Mapping[_Form, int] = {_Form.MAP: 1, _Form.ROWS: 2, _Form.HEADS: 4}


def _in_form(node: fx.Node, value: fx.Node, form: _Form) -> fx.Node:
    """Returns an operand in this form: what it was before it left it, or moved there."""
    if not is_computed(value):
        return _constant(node, value, form)
    if _form_of(value) is form:
        return value.args[0]  # type: ignore[return-value]
    if value.op == "call_function" and name_of(value) in ("mul", "div") and isinstance(value.args[1], int | float):
        return placed(node, value.target, _in_form(node, value.args[0], form), value.args[1])  # type: ignore[arg-type]
    batch, *sizes = shape_of(value)
    match form:
        case _Form.MAP:
            return placed(node, aten.permute.default, value, _TO_FIRST)
        case _Form.ROWS:
            return placed(node, aten.reshape.default, value, [batch, sizes[0] * sizes[1], sizes[2]])
        case _Form.HEADS:
            return placed(node, aten.reshape.default, value, [batch, 1, *sizes])


def _out_of_form(node: fx.Node, inner: fx.Node, form: _Form) -> fx.Node:
    if form is _Form.MAP:
        return placed(node, aten.permute.default, inner, _TO_LAST)
    return placed(node, aten.reshape.default, inner, [*shape_of(node)[:3], shape_of(inner)[-1]])


def _form_of(node: fx.Node) -> _Form | None:
    """Returns the form that a tensor of four axes had before a view or a permutation gave it these."""
    name = name_of(node) if node.op == "call_function" else ""
    if name == "permute":
        return _Form.MAP if _order(node) == _TO_LAST else None
    if name not in ("view", "_unsafe_view", "reshape", "unflatten"):
        return None
    before, after = shape_of(node.args[0]), shape_of(node)
    if before[:1] != after[:1]:
        return None
    if len(before) == 3 and before[-1] == after[-1] and len(after) == 4:
        return _Form.ROWS
    return _Form.HEADS if before == (after[0], 1, *after[1:]) else None


def _order(node: fx.Node) -> list[int]:
    _, order = arguments(node, None, None)
    return [axis % len(shape_of(node)) for axis in order]


def _is_whole(node: fx.Node) -> bool:
    """Tells whether both operands, if pictures decide them, have the shape of the sum or product."""
    return all(shape_of(each) == shape_of(node) for each in node.args[:2] if is_computed(each))


def _constant(node: fx.Node, value: fx.Node, form: _Form) -> fx.Node:
    """Returns a constant operand of a sum or product as it stands beside this form."""
    shape = shape_of(value)
    whole = (*[1] * (4 - len(shape)), *shape)
    if form is _Form.HEADS or not shape:
        return value
    if form is _Form.MAP:
        turned = placed(node, aten.reshape.default, value, list(whole))
        return placed(node, aten.permute.default, turned, _TO_FIRST)
    if whole[1:3] == (1, 1):
        return placed(node, aten.reshape.default, value, [1, 1, whole[3]])
    repeated = placed(node, aten.expand.default, value, [1, *shape_of(node)[1:3], whole[3]])
    return placed(node, aten.reshape.default, repeated, [1, shape_of(node)[1] * shape_of(node)[2], whole[3]])
