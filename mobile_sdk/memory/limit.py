"""Finds the cheapest strips with which a graph's activations stay within a limit."""

import heapq
import math
from collections.abc import Iterator
from itertools import count

from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Graph, Weighted
from mobile_sdk.graph.operators.traits import WorkKind
from mobile_sdk.memory.plan import plan_memory
from mobile_sdk.memory.strips import Stretch, cuts, ends_strips, in_strips, is_local
from mobile_sdk.memory.usage import operator_memory, peak_bytes, tensor_bytes

MOST_STRIPS = 8  # with more, rows computed twice are a large part of every strip
FURTHER_CUTS = 4  # of a stretch after its last wide operator: windows add up, and tensors are small by then
COPY = 8  # multiply-adds that take as long as one byte copied: about 80 and 10 in a nanosecond (x86-64, AVX512-VNNI)


def executed(graph: Graph, limit_kib: int | None) -> Graph:
    """Returns the graph as a bundle executes it: `within` that limit, or unchanged without one."""
    return graph if limit_kib is None else within(graph, limit_kib * 1024)


def within(graph: Graph, most_bytes: int) -> Graph:
    """Returns an equal int8 graph, its wide stretches in strips so that no more than `most_bytes` are alive at once.

    Of all ways to cut it, with up to eight strips a stretch, it takes the one that computes least twice and copies
    least, with the operators in the order that then needs least. Raises SettingError if no way is enough, and for a
    graph that is not int8 throughout.
    """
    if not graph.is_int8:
        found = f"expected an int8 graph to keep within a limit, found {graph.precision}"
        raise SettingError(found, hint="leave the limit out: strips are made of int8 tensors")
    return plan_memory(in_strips(graph, cheapest_stretches(graph, most_bytes))).graph


def cheapest_stretches(graph: Graph, most_bytes: int) -> tuple[Stretch, ...]:
    """Returns those stretches, in order: the shortest path from cut to cut, its length in `work`."""
    search, arrivals = _Search(graph, most_bytes), count()
    queue: list[tuple[int, int, int, tuple[Stretch, ...]]] = [(0, 0, next(arrivals), ())]
    done: set[int] = set()
    while queue:
        cost, position, _, stretches = heapq.heappop(queue)
        if position == len(graph.operators):
            return stretches
        if position not in done:
            done.add(position)
            for extra, step in search.steps(position):
                chosen = (step,) if step.strips > 1 else ()
                heapq.heappush(queue, (cost + extra, step.stop, next(arrivals), stretches + chosen))
    hint = "raise the limit, or split that block: quantize --split"
    stuck = graph.operators[max(done)]
    raise SettingError(f"expected activations within {most_bytes:,} bytes, found no way at {stuck.path}", hint=hint)


def multiply_adds(graph: Graph) -> int:
    """Counts the products that the graph's convolutions and linear layers add up."""
    weighted = [operator for operator in graph.operators if isinstance(operator, Weighted)]
    return sum(math.prod(each.output.shape) * math.prod(each.weight.shape[1:]) for each in weighted)


def work(graph: Graph) -> int:
    """Counts multiply-adds, and the copying of strips at its equivalent in multiply-adds."""
    copies = [operator.output for operator in graph.operators if operator.traits.work is WorkKind.ROWS]
    return multiply_adds(graph) + COPY * sum(map(tensor_bytes, copies))


class _Search:
    """Searches the operators between two cuts, separately from the others."""

    def __init__(self, graph: Graph, most_bytes: int) -> None:
        self._graph = graph
        self._most_bytes = most_bytes
        self._cuts = cuts(graph)
        self._is_wide = [row.live_bytes > most_bytes for row in operator_memory(graph)]
        self._is_local = [is_local(operator) and not ends_strips(graph, operator) for operator in graph.operators]

    def steps(self, position: int) -> Iterator[tuple[int, Stretch]]:
        """Yields what can follow a cut, with its added work: to the next cut unchanged, or a stretch in strips."""
        following = [cut for cut in self._cuts if cut > position]
        if not any(self._is_wide[position : following[0]]):
            yield 0, Stretch(first=position, stop=following[0], strips=1)
        for stop in following:
            if not all(self._is_local[position:stop]):
                return
            wide = [index for index in range(position, stop) if self._is_wide[index]]
            if wide and sum(wide[-1] < cut < stop for cut in self._cuts) <= FURTHER_CUTS:
                yield from self._in_strips(position, stop)

    def _in_strips(self, first: int, stop: int) -> Iterator[tuple[int, Stretch]]:
        """Yields the stretch in the fewest strips that are enough."""
        source = self._graph.operators[first - 1].output if first else self._graph.input
        alone = Graph(input=source, operators=self._graph.operators[first:stop])
        rows = alone.output.shape[1]
        for strips in range(2, min(MOST_STRIPS, rows) + 1):
            cut = in_strips(alone, [Stretch(first=0, stop=stop - first, strips=strips)])
            if peak_bytes(cut) <= self._most_bytes:
                yield work(cut) - work(alone), Stretch(first=first, stop=stop, strips=strips)
                return
