"""Finds the order of operators that needs the least memory, and a place for every tensor in one arena.

The order solves the general problem of MobileNetV2, arXiv 1801.04381, section 5.1, exactly: the minimum over all orders
of the peak of bytes alive. Places are given to the largest tensor first, each as low as it fits: Pisarchyk and Lee,
arXiv 2001.03288, "greedy by size", which LiteRT and XNNPACK follow as well.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, pairwise

from mobile_sdk.graph.operators import Graph, Head, Operator, Tensor
from mobile_sdk.memory.strips import cuts
from mobile_sdk.memory.usage import last_uses, least_bytes, operand_tensors, peak_bytes, tensor_bytes

ALIGNMENT = 16  # bytes, of a tensor's first byte
MOST_STATES = 50_000  # of a search between two cuts, one or two seconds; a longer search keeps the graph's own order


@dataclass(frozen=True, kw_only=True, eq=False)
class MemoryPlan:
    """Holds a graph with its operators in order, and the places of its tensors: name → first byte in the arena.

    Picture and outputs have no place there: every runtime keeps them in the app's tensors. `peak_bytes` is the most
    that is alive at once, the picture included; `arena_bytes` is the size of all places. `bound_bytes` is equation (2),
    a lower bound for every order. `least_peak_bytes` is the least peak that was found, over all orders if
    `is_exhaustive`.
    """

    graph: Graph
    bound_bytes: int
    least_peak_bytes: int
    is_exhaustive: bool
    peak_bytes: int
    arena_bytes: int
    places: Mapping[str, int]


def plan_memory(graph: Graph) -> MemoryPlan:
    """Orders the operators and places their tensors.

    The graph's own order stays unless the order of least peak takes a smaller arena: places of unequal tensors leave
    gaps.
    """
    segments = [_least_order(graph, *ends) for ends in pairwise(cuts(graph))]
    least = replace(graph, operators=tuple(operator for order, _ in segments for operator in order))
    chosen, places = min(((each, _places(each)) for each in (graph, least)), key=lambda pair: _arena_bytes(*pair))
    return MemoryPlan(
        graph=chosen,
        bound_bytes=least_bytes(graph),
        least_peak_bytes=peak_bytes(least),
        is_exhaustive=all(is_least for _, is_least in segments),
        peak_bytes=peak_bytes(chosen),
        arena_bytes=_arena_bytes(chosen, places),
        places=places,
    )


def _least_order(graph: Graph, first: int, stop: int) -> tuple[Sequence[Operator], bool]:
    """Returns an order of least peak of the operators between two cuts, and whether it is proven to be the least."""
    source = graph.operators[first - 1].output if first else graph.input
    inside = graph.operators[first:stop]
    ends = [operator.output for operator in inside if operator.output in graph.outputs or operator is inside[-1]]
    heads = tuple(Head(name=end.name, tensor=end) for end in ends)
    alone = Graph(input=source, operators=inside, heads=heads)
    bound = least_bytes(alone)
    if peak_bytes(alone) == bound:
        return alone.operators, True
    found = _search(alone, bound)
    return (alone.operators, False) if found is None else ([alone.operators[index] for index in found], True)


def _search(graph: Graph, bound: int) -> Sequence[int] | None:
    """Searches best-first over sets of executed operators (bit masks): the first complete one has the least peak.

    Among equal peaks the longer order goes on, so that a peak that equals the bound is found directly.
    """
    segment, arrivals = _Segment(graph), count()
    queue: list[tuple[int, int, int, int, tuple[int, ...]]] = [(bound, 0, next(arrivals), 0, ())]
    seen: set[int] = set()
    while queue and len(seen) < MOST_STATES:
        peak, _, _, done, order = heapq.heappop(queue)
        if len(order) == len(graph.operators):
            return order
        if done in seen:
            continue
        seen.add(done)
        for index, live in segment.following(done):
            state = (max(peak, live), -len(order) - 1, next(arrivals), done | 1 << index, (*order, index))
            heapq.heappush(queue, state)
    return None


class _Segment:
    """Holds the operators that must run before each operator, and those after which each tensor is free."""

    def __init__(self, graph: Graph) -> None:
        makers = {operator.output.name: 1 << index for index, operator in enumerate(graph.operators)}
        self._graph = graph
        self._needs = [sum(makers.get(name, 0) for name in operand_tensors(operator)) for operator in graph.operators]
        self._readers = dict.fromkeys((graph.input.name, *makers), 0)
        for index, operator in enumerate(graph.operators):
            for name in operand_tensors(operator):
                self._readers[name] |= 1 << index
        for output in graph.outputs:
            self._readers[output.name] |= 1 << len(graph.operators)  # never done
        self._makers = makers | {graph.input.name: 0}
        self._sizes = {tensor.name: tensor_bytes(tensor) for tensor in _tensors(graph)}

    def following(self, done: int) -> Iterator[tuple[int, int]]:
        """Yields every operator that can run next, with the bytes alive while it runs."""
        alive = sum(
            size
            for name, size in self._sizes.items()
            if self._makers[name] & done == self._makers[name] and self._readers[name] & ~done
        )
        for index, needs in enumerate(self._needs):
            if not done >> index & 1 and needs & done == needs:
                yield index, alive + self._sizes[self._graph.operators[index].output.name]


def _arena_bytes(graph: Graph, places: Mapping[str, int]) -> int:
    return max((places[tensor.name] + tensor_bytes(tensor) for tensor in _inner_tensors(graph)), default=0)


def _places(graph: Graph) -> dict[str, int]:
    lives = _lives(graph)
    placed: list[tuple[int, int, str]] = []  # first byte, end, name
    for tensor in sorted(_inner_tensors(graph), key=tensor_bytes, reverse=True):
        size, (born, dies) = tensor_bytes(tensor), lives[tensor.name]
        place = 0
        for start, end, other in sorted(placed):
            if lives[other][0] <= dies and born <= lives[other][1]:
                if place + size <= start:
                    break
                place = max(place, end + -end % ALIGNMENT)
        placed.append((place, place + size, tensor.name))
    return {name: start for start, _, name in placed}


def _lives(graph: Graph) -> dict[str, tuple[int, int]]:
    """Returns name → the operators between which the tensor is alive, both included."""
    last, end = last_uses(graph), len(graph.operators)
    born = {graph.input.name: -1} | {operator.output.name: index for index, operator in enumerate(graph.operators)}
    return {name: (index, last.get(name, end)) for name, index in born.items()}


def _tensors(graph: Graph) -> Iterator[Tensor]:
    yield graph.input
    yield from (operator.output for operator in graph.operators)


def _inner_tensors(graph: Graph) -> Iterator[Tensor]:
    return (tensor for tensor in _tensors(graph) if tensor not in (graph.input, *graph.outputs))
