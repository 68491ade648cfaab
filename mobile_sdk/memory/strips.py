"""Executes patch-wise: a stretch of operators runs on one strip of rows after the other, and gives equal codes.

Only a strip of the wide tensors inside the stretch is ever in memory. If a window reaches beyond its strip, the rows
there are computed twice. Source of the idea: MCUNetV2, arXiv 2110.15352, section 3.1. Here it uses strips, since rows
are contiguous in memory, and changes the graph, so that every runtime executes it with the operators that it has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

from mobile_sdk.errors import CompileError, SettingError
from mobile_sdk.graph.operators import Conv2d, Graph, JoinRows, Operator, Pool2d, Rows, Tensor
from mobile_sdk.graph.operators.traits import Strips
from mobile_sdk.memory.usage import last_uses, operand_tensors

Span = tuple[int, int]
"""It goes from the first row to before the second."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Holds the operators from `first` to before `stop`, executed in so many `strips`."""

    first: int
    stop: int
    strips: int


def cuts(graph: Graph) -> tuple[int, ...]:
    """Returns the positions where stretches begin and end: the graph's end, and where only one tensor is alive."""
    last, alive, end = last_uses(graph), {graph.input.name}, len(graph.operators)
    found = [0]
    for index, operator in enumerate(graph.operators):
        alive = {name for name in alive | {operator.output.name} if last.get(name, end) > index}
        if len(alive) == 1 or index + 1 == end:
            found.append(index + 1)
    return tuple(found)


def ends_strips(graph: Graph, operator: Operator) -> bool:
    """Tells whether strips have no place for the operator: its output leaves the graph in the middle of a stretch."""
    return operator is not graph.operators[-1] and operator.output in graph.outputs


def is_local(operator: Operator) -> bool:
    """Tells whether a row of the output depends only on rows near it, and on at least one of the map's."""
    maps = (operator.output, *operand_tensors(operator).values())
    if not all(len(each.shape) == 3 for each in maps):
        return False
    match operator.traits.strips:
        case Strips.NEVER:
            return False
        case Strips.BY_ROW:
            return all(each.shape[1:] == operator.output.shape[1:] for each in maps)
        case Strips.BY_WINDOW:
            return max(_windowed(operator).padding[:2]) < _windowed(operator).extent[0]


def in_strips(graph: Graph, stretches: Sequence[Stretch]) -> Graph:
    """Returns an equal int8 graph, its `stretches` (in order, disjoint) executed in strips of rows; every code stays.

    Raises SettingError for a stretch that does not go from cut to cut, or that cannot be made into strips.
    """
    operators: list[Operator] = []
    position = 0
    for stretch in stretches:
        _check(graph, stretch, position)
        operators += graph.operators[position : stretch.first]
        operators += _strips(graph, stretch)
        position = stretch.stop
    return replace(graph, operators=(*operators, *graph.operators[position:]))


def _check(graph: Graph, stretch: Stretch, position: int) -> None:
    inside = graph.operators[stretch.first : stretch.stop]
    if not (graph.is_int8 and {stretch.first, stretch.stop} <= set(cuts(graph)) and position <= stretch.first):
        reason = f"expected cuts of an int8 graph, in order, found {stretch}"
        raise SettingError(reason, hint="begin and end at one of `cuts`")
    if not inside or not all(is_local(operator) and not ends_strips(graph, operator) for operator in inside):
        raise SettingError(f"expected operators on maps that see rows near them, found {stretch}", hint="end it sooner")
    if not 2 <= stretch.strips <= inside[-1].output.shape[1]:
        raise SettingError(f"expected 2 strips or more, of one row at least, found {stretch}", hint="take fewer strips")


def _strips(graph: Graph, stretch: Stretch) -> Iterator[Operator]:
    inside = graph.operators[stretch.first : stretch.stop]
    whole = graph.operators[stretch.first - 1].output if stretch.first else graph.input
    output = inside[-1].output
    ends = [output.shape[1] * index // stretch.strips for index in range(stretch.strips + 1)]
    parts = []
    for index, span in enumerate(pairwise(ends)):
        strip = _Strip(index, whole, _spans(inside, output, span))
        yield from strip.execute(inside)
        parts.append(strip.tensor(output))
    yield JoinRows(output=output, path=inside[-1].path, parts=tuple(parts))


def _spans(inside: Sequence[Operator], output: Tensor, span: Span) -> dict[str, Span]:
    """Returns the rows of every tensor, by name, that one strip of the output needs."""
    spans = {output.name: span}
    for operator in reversed(inside):
        for name, tensor in operand_tensors(operator).items():
            first, stop, _, _ = _reach(operator, spans[operator.output.name], tensor)
            known = spans.get(name, (first, stop))
            spans[name] = (min(first, known[0]), max(stop, known[1]))
    return spans


def _reach(operator: Operator, span: Span, source: Tensor) -> tuple[int, int, int, int]:
    """Returns the rows of `source` behind those of the output, and the padding above and below them."""
    if operator.traits.strips is Strips.BY_ROW:
        return (*span, 0, 0)
    window = _windowed(operator)
    first = span[0] * window.stride[0] - window.padding[0]
    stop = first + (span[1] - span[0] - 1) * window.stride[0] + window.extent[0]
    inside = (max(first, 0), min(stop, source.shape[1]))
    return (*inside, inside[0] - first, stop - inside[1])


def _windowed(operator: Operator) -> Conv2d | Pool2d:
    """Returns the operator as one that strips execute by its window; raises CompileError if it has none."""
    if not isinstance(operator, Conv2d | Pool2d):
        found = f"expected a window of rows, found {type(operator).__name__} at {operator.path}"
        raise CompileError(found, hint="give its class the extent, stride and padding of a window")
    return operator


class _Strip:
    """Makes the operators of one strip, in which a tensor is its rows `spans[name]`."""

    def __init__(self, index: int, whole: Tensor, spans: dict[str, Span]) -> None:
        self._index = index
        self._whole = whole
        self._spans = {**spans, whole.name: (0, whole.shape[1])}  # the whole output is in memory from top to bottom
        self._taken: dict[tuple[str, Span], Tensor] = {}

    def tensor(self, tensor: Tensor) -> Tensor:
        """Returns the strip of a tensor that is computed in the stretch."""
        if tensor.name == self._whole.name:
            return tensor
        first, stop = self._spans[tensor.name]
        shape = (tensor.shape[0], stop - first, *tensor.shape[2:])
        return replace(tensor, name=f"{tensor.name}.strip{self._index}", shape=shape)

    def execute(self, inside: Sequence[Operator]) -> Iterator[Operator]:
        """Yields every operator on its strip, after the operators that cut the rows that it needs out of others."""
        for operator in inside:
            span, changes = self._spans[operator.output.name], dict[str, Any](output=self.tensor(operator.output))
            sources = {}
            for name, tensor in operand_tensors(operator).items():
                first, stop, above, below = _reach(operator, span, tensor)
                yield from self._take(tensor, (first, stop), operator.path)
                sources[name] = self._taken[name, (first, stop)]
                if operator.traits.strips is Strips.BY_WINDOW:
                    changes["padding"] = (above, below, *_windowed(operator).padding[2:])
            yield replace(operator, **changes, **_operands_replaced(operator, sources))

    def _take(self, tensor: Tensor, span: Span, path: str) -> Iterator[Operator]:
        """Cuts those rows out of the tensor, unless they are all rows of it."""
        if (tensor.name, span) in self._taken:
            return
        strip, first = self.tensor(tensor), self._spans[tensor.name][0]
        if span == self._spans[tensor.name]:
            self._taken[tensor.name, span] = strip
            return
        name = f"{tensor.name}.strip{self._index}.rows{span[0]}to{span[1]}"
        rows = replace(strip, name=name, shape=(tensor.shape[0], span[1] - span[0], *tensor.shape[2:]))
        self._taken[tensor.name, span] = rows
        yield Rows(output=rows, path=path, input=strip, start=span[0] - first)


def _operands_replaced(operator: Operator, sources: dict[str, Tensor]) -> dict[str, Any]:
    """Returns the operator's fields that hold tensors, with `sources` in place of those of equal names."""

    def of(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(of(part) for part in value)
        return sources.get(value.name, value) if isinstance(value, Tensor) else value

    read = [each.name for each in fields(operator) if each.name in ("input", "a", "b", "parts")]
    return {name: of(getattr(operator, name)) for name in read}
