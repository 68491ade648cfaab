"""The Pareto front of nets: those that no other net beats in both latency and accuracy."""

from collections.abc import Sequence

Point = tuple[float, float]
"""Latency in milliseconds, accuracy as a share."""


def pareto_front(points: Sequence[Point]) -> list[int]:
    """The indices of the points that none dominates, the fastest first; of equal points the first.

    One dominates another that is neither faster nor more accurate, and not its equal.
    """
    ranked = sorted(range(len(points)), key=lambda index: (points[index][0], -points[index][1], index))
    front: list[int] = []
    for index in ranked:
        if not front or points[index][1] > points[front[-1]][1]:
            front.append(index)
    return front
