"""Finds the Pareto front of nets: those that no other net beats in both latency and accuracy."""

from collections.abc import Sequence

Point = tuple[float, float]
"""Holds latency in milliseconds and accuracy as a share."""


def pareto_front(points: Sequence[Point]) -> list[int]:
    """Returns the indices of the points that none dominates, the fastest first; of equal points the first.

    A point dominates another that is neither faster nor more accurate, and not equal to it.
    """
    ranked = sorted(range(len(points)), key=lambda index: (points[index][0], -points[index][1], index))
    front: list[int] = []
    for index in ranked:
        if not front or points[index][1] > points[front[-1]][1]:
            front.append(index)
    return front
