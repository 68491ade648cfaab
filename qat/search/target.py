"""Checks the target latency of a search, and describes the net that was found for it."""

from collections.abc import Callable
from math import ceil, floor, inf

from mobile_sdk.errors import SettingError
from qat.nets.architecture import Architecture
from qat.search.space.space import Space

Judge = Callable[[Architecture], float]
"""Returns the latency of an architecture in milliseconds, predicted or measured."""


def check_target(target_ms: float) -> None:
    """Raises SettingError if the target is no latency: 0, below it, infinite or not a number."""
    if not 0 < target_ms < inf:
        raise SettingError(f"expected a target above 0 ms, found {target_ms:g} ms", hint="say --target-share 0.5")


def check_reachable(space: Space, judge: Judge, target_ms: float) -> None:
    """Raises SettingError if no net of the space meets the target, or none is slower than it."""
    if judge(space.narrowest) > target_ms:
        least_ms = judge(fastest(space, judge))
        if least_ms > target_ms:
            raise SettingError(
                f"expected a target that nets of the space can reach, {rounded_up(least_ms)} at the least, found "
                f"{target_ms:.3f} ms",
                hint="raise the target, or start from a narrower net (--width)",
            )
    most_ms = judge(space.widest)
    if target_ms > most_ms:
        raise SettingError(
            f"expected a target below the slowest net of the space, {floor(1000 * most_ms) / 1000:.3f} ms, found "
            f"{target_ms:.3f} ms",
            hint="lower the target, or start from a wider net (--width)",
        )


def rounded_up(latency_ms: float) -> str:
    """Returns a latency in thousandths of a millisecond, rounded up, so that it can be reached as a target."""
    return f"{ceil(1000 * latency_ms) / 1000:.3f} ms"


def fastest(space: Space, judge: Judge) -> Architecture:
    """Returns the fastest net of the space: the narrowest, but for genes whose least value is not the fastest.

    Fewer channels elsewhere, no squeeze-and-excite and a ReLU never take longer. Equal bottlenecks in sequence add a
    shortcut's sum, and a runtime's larger kernels may be its faster ones.
    """
    found = space.narrowest
    for gene in space.genes:
        if gene.kind in ("bottleneck", "kernel"):
            found = min((space.with_gene(found, gene, value) for value in gene.values), key=judge)
    return found


def target_line(target_ms: float, latency_ms: float, *, nets: int, again_ms: float | None = None) -> str:
    """Returns a line on whether a net of `latency_ms` meets the target, or is the nearest of `nets` if none does.

    `again_ms` is the net's latency in a second measurement: the fastest of many noisy measurements is too low.
    """
    if latency_ms <= target_ms:
        line = f"target {target_ms:.3f} ms met: {latency_ms:.3f} ms, {beside_target(target_ms, latency_ms)}"
    else:
        line = (
            f"target {target_ms:.3f} ms missed: none of {nets:,} nets reached it, the nearest takes "
            f"{latency_ms:.3f} ms, {beside_target(target_ms, latency_ms)}"
        )
    return (
        line if again_ms is None else f"{line}; measured again {again_ms:.3f} ms, {beside_target(target_ms, again_ms)}"
    )


def beside_target(target_ms: float, latency_ms: float) -> str:
    """Returns by how much a latency is above or below the target, in words."""
    percent = 100 * (latency_ms / target_ms - 1)
    if percent <= 0:
        return f"{abs(percent):.1f} % below it"
    return f"{percent:.1f} % above it" if percent >= 0.1 else "less than 0.1 % above it"
