"""Brings the axis of pictures first wherever a net has put it elsewhere, or merged it with windows, heads or tokens.

`nn.MultiheadAttention` computes on (T, N, C) and on (N * heads, T, d), window attention on (N * windows, T, C). Each
such tensor has a twin here in which the pictures' axis is the first one and stands alone; all other values keep their
order. Views of a tensor are views of its twin, permutations those of its other axes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import fx

from qat.capture.rewriter import arguments, name_of, shape_of
from qat.capture.rewriting.placing import BINARY, POINTWISE, aten, is_computed, placed, placed_as


def bring_batch_first(graph: fx.Graph) -> None:
    """Replaces tensors whose first axis is not the pictures' alone, up to those where it is again."""
    (picture, *_) = graph.find_nodes(op="placeholder")
    finder = _Finder(shape_of(picture)[0])
    for node in list(graph.nodes):
        if node.op == "placeholder":
            finder.places[node] = _Place(0, 1, 1)
        elif node.op == "call_function":
            finder.visit(node)


@dataclass(frozen=True)
class _Place:
    """Says where pictures are: axis `axis` has `before` × pictures × `after` positions, in row-major order."""

    axis: int
    before: int
    after: int

    @property
    def is_first(self) -> bool:
        return self == _Place(0, 1, 1)

    @property
    def rest(self) -> int:
        return self.before * self.after


class _Finder:
    """Holds the place of every node that depends on the picture, and the twins of those whose place is not the first.

    A node that no rule knows has no place, nor have those behind it: they stay as they are.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self.places: dict[fx.Node, _Place] = {}
        self._twins: dict[fx.Node, fx.Node] = {}

    def visit(self, node: fx.Node) -> None:
        sources = [source for source in node.all_input_nodes if is_computed(source)]
        if not sources or not all(source in self.places for source in sources) or not _has_shape(node):
            return
        name = name_of(node)
        rule = _VIEWS.get(name)
        if rule is not None:
            place = rule(self, node, self.places[sources[0]])
        elif all(self.places[source].is_first for source in sources):
            place = _Place(0, 1, 1) if shape_of(node)[:1] == (self._count,) else None
        else:
            place = self._compute(name, node, sources)
        if place is not None:
            self.places[node] = place
            if place.is_first and node in self._twins:
                node.replace_all_uses_with(self._twins[node])
                self.places[self._twins[node]] = place

    def twin(self, node: fx.Node) -> fx.Node:
        """Returns the tensor with pictures first that holds the node's values."""
        return self._twins.get(node, node)

    # -- views and permutations

    def view(self, node: fx.Node, place: _Place) -> _Place | None:
        before, after = shape_of(node.args[0]), shape_of(node)
        outer = prod(before[: place.axis]) * place.before
        new = _placed_in(after, outer, self._count)
        if new is None or (place.is_first and new.is_first):
            return new
        source, shape = self.twin(node.args[0]), self._twin_shape(after, new)  # type: ignore[arg-type]
        if shape_of(source) == shape:
            self._twins[node] = source
        else:
            self._become(node, aten.reshape.default, source, list(shape))
        return new

    def permutation(self, node: fx.Node, place: _Place) -> _Place | None:
        axes = len(shape_of(node))
        order = _order(node, axes)
        new = _Place(order.index(place.axis), place.before, place.after)
        if place.is_first and new.is_first:
            return new
        kept = self._twin_axes(axes, place)
        wanted = self._twin_axes(axes, new)
        twin_order = [0, *(1 + kept.index(order[axis]) for axis in wanted)]
        source = self.twin(node.args[0])  # type: ignore[arg-type]
        if twin_order == sorted(twin_order):
            self._twins[node] = source
        else:
            self._become(node, aten.permute.default, source, twin_order)
        return new

    def cut(self, node: fx.Node, place: _Place) -> _Place | None:
        """Follows a selection along another axis, which disappears or is shorter."""
        axes = len(shape_of(node.args[0]))
        source, axis, *rest = list[Any](node.args)
        axis %= axes
        if axis == place.axis:
            return None
        new = place
        if len(shape_of(node)) < axes and axis < place.axis:
            new = _Place(place.axis - 1, place.before, place.after)
        if not (place.is_first and new.is_first):
            own = 1 + self._twin_axes(axes, place).index(axis)
            self._become(node, node.target, self.twin(source), own, *rest)
        return new

    # -- computations

    def _compute(self, name: str, node: fx.Node, sources: Sequence[fx.Node]) -> _Place | None:
        place, axes = self.places[sources[0]], len(shape_of(sources[0]))
        if name in _OF_SEVERAL:
            return _OF_SEVERAL[name](self, node, sources)
        if name in POINTWISE or (name == "linear" and place.axis < axes - 1):
            self._become(node, node.target, self.twin(sources[0]), *node.args[1:])
        elif name == "softmax":
            axis = arguments(node, None, None)[1] % axes
            if axis == place.axis:
                return None
            own = 1 + self._twin_axes(axes, place).index(axis)
            self._become(node, node.target, self.twin(sources[0]), own)
        elif name in ("layer_norm", "rms_norm") and len(node.args[1]) == 1 and place.axis < axes - 1:  # type: ignore[arg-type]
            self._become(node, node.target, self.twin(sources[0]), *node.args[1:])
        elif place.axis == 0 and axes == 4 and name in ("conv2d", "_native_batch_norm_legit_no_training"):
            return self._by_channels(node, place)
        elif name == "_native_batch_norm_legit_no_training" and place.rest > 1 and axes == 2:
            rows = self.twin(sources[0])
            self._twins[node] = placed_as(shape_of(rows), node, node.target, rows, *node.args[1:])
        else:
            return None
        return place

    def binary(self, node: fx.Node, sources: Sequence[fx.Node]) -> _Place | None:
        a, b = node.args[:2]
        computed = [each for each in (a, b) if is_computed(each)]
        places = {self.places[each] for each in computed}  # type: ignore[index]
        if len(places) != 1 or (len(computed) == 2 and shape_of(a) != shape_of(b)):
            return None
        (place,) = places
        own = [self.twin(each) if is_computed(each) else self._constant(node, each, place) for each in (a, b)]  # type: ignore[arg-type]
        if None in own:
            return None
        self._become(node, node.target, *own, *node.args[2:])
        return place

    def _constant(self, node: fx.Node, value: Any, place: _Place) -> Any:
        """Returns a constant for the twin: without the pictures' axis, along which it must be equal; None if not."""
        if not isinstance(value, fx.Node):
            return value
        axis = place.axis - len(shape_of(node)) + len(shape_of(value))
        if axis < 0:
            return value
        if shape_of(value)[axis] != 1:
            return None
        sizes = [size for index, size in enumerate(shape_of(value)) if index != axis or place.rest > 1]
        return placed(node, aten.reshape.default, value, sizes)

    def matmul(self, node: fx.Node, sources: Sequence[fx.Node]) -> _Place | None:
        if not len(sources) == len(node.args) == 2:
            return None
        a, b = (self.places[source] for source in sources)
        axes = len(shape_of(node))
        if a != b or len(shape_of(sources[0])) != len(shape_of(sources[1])) or a.axis >= axes - 2:
            return None
        self._become(node, node.target, *map(self.twin, sources))
        return a

    def join(self, node: fx.Node, sources: Sequence[fx.Node]) -> _Place | None:
        parts, axis = arguments(node, None, 0)
        place, axes = self.places[sources[0]], len(shape_of(node))
        axis %= axes
        if list(sources) != list(parts) or {self.places[part] for part in parts} != {place} or axis == place.axis:
            return None
        self._become(node, aten.cat.default, list(map(self.twin, parts)), 1 + self._twin_axes(axes, place).index(axis))
        return place

    def _by_channels(self, node: fx.Node, place: _Place) -> _Place | None:
        """Computes on maps of windows, (N * windows, C, H, W): each window's channels beside the others'.

        A convolution's groups, and the channels of a batch norm, are those of one window, as often as there are
        windows.
        """
        source, *rest = list[Any](node.args)
        if not _are_constants(node, rest):
            return None
        times, shape = place.rest, shape_of(source)
        wide = placed(node, aten.reshape.default, self.twin(source), [self._count, times * shape[1], *shape[2:]])
        own = [
            placed(node, aten.repeat.default, each, [times, *[1] * (len(shape_of(each)) - 1)])
            if isinstance(each, fx.Node)
            else each
            for each in rest
        ]
        if name_of(node) == "conv2d":
            _, _, _, stride, padding, dilation, groups = arguments(node, *[None] * 3, [1, 1], [0, 0], [1, 1], 1)
            own = [*[*own, None][:2], stride, padding, dilation, times * groups]
        after = shape_of(node)
        new = placed_as((self._count, times * after[1], *after[2:]), node, node.target, wide, *own)
        self._become(node, aten.reshape.default, new, [self._count, times, *after[1:]])
        return place

    # -- twins

    def _become(self, node: fx.Node, target: Any, *arguments: Any) -> None:
        self._twins[node] = placed(node, target, *arguments)

    def _twin_axes(self, axes: int, place: _Place) -> list[int]:
        """Returns the axes of a tensor that its twin has behind the pictures', in order."""
        return [axis for axis in range(axes) if axis != place.axis or place.rest > 1]

    def _twin_shape(self, shape: Sequence[int], place: _Place) -> tuple[int, ...]:
        sizes = {axis: place.rest if axis == place.axis else size for axis, size in enumerate(shape)}
        return (self._count, *(sizes[axis] for axis in self._twin_axes(len(shape), place)))


def _placed_in(shape: Sequence[int], outer: int, count: int) -> _Place | None:
    """Returns the place in a row-major `shape` of `count` positions, each `outer` times repeated outside; or None."""
    passed = 1
    for axis, size in enumerate(shape):
        before, rest = divmod(outer, passed)
        after, left = divmod(size, before * count) if before else (0, 1)
        if rest == 0 and left == 0 and after:
            return _Place(axis, before, after)
        passed *= size
    return None


def _order(node: fx.Node, axes: int) -> list[int]:
    """Returns which axis of its operand each axis of a permutation is."""
    order = list(range(axes))
    if name_of(node) == "permute":
        return [axis % axes for axis in arguments(node, None, None)[1]]
    first, second = (0, 1) if name_of(node) == "t" else (axis % axes for axis in arguments(node, None, 0, 1)[1:])
    order[first], order[second] = order[second], order[first]
    return order


def _are_constants(node: fx.Node, values: Sequence[Any]) -> bool:
    """Tells whether no picture decides these operands of the node, and none has a name."""
    return not node.kwargs and not any(isinstance(each, fx.Node) and is_computed(each) for each in values)


def _has_shape(node: fx.Node) -> bool:
    return hasattr(node.meta.get("val"), "shape")


_VIEWS: Mapping[str, Callable[[_Finder, fx.Node, _Place], _Place | None]] = {
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"), _Finder.view),
    **dict.fromkeys(("permute", "transpose", "t"), _Finder.permutation),
    **dict.fromkeys(("select", "slice"), _Finder.cut),
}
_OF_SEVERAL: Mapping[str, Callable[[_Finder, fx.Node, Sequence[fx.Node]], _Place | None]] = {
    **dict.fromkeys(BINARY, _Finder.binary),
    "matmul": _Finder.matmul,
    "cat": _Finder.join,
}
