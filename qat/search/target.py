"""The latency that a search is to come to: which can be none, because no net reaches it or all do."""

from collections.abc import Callable
from math import inf

from mobile_sdk.errors import SettingError
from qat.nets.architecture import Architecture
from qat.search.space import Space

Judge = Callable[[Architecture], float]
"""The latency of an architecture in milliseconds, predicted or measured."""


def check_target(target_ms: float) -> None:
    """Raises SettingError where the target is no latency: 0, below it, infinite or not a number."""
    if not 0 < target_ms < inf:
        raise SettingError(f"expected a target above 0 ms, found {target_ms:g} ms", hint="say --target-share 0.5")


def check_reachable(space: Space, judge: Judge, target_ms: float) -> None:
    """Raises SettingError where no net of the space comes down to the target, or none is slower than it."""
    if judge(space.narrowest) > target_ms:
        least_ms = judge(fastest(space, judge))
        if least_ms > target_ms:
            raise SettingError(
                f"expected a target that nets of the space can reach, {least_ms:.3f} ms at the least, found "
                f"{target_ms:.3f} ms",
                hint="raise the target, or start from a narrower net (--width)",
            )
    most_ms = judge(space.widest)
    if target_ms > most_ms:
        raise SettingError(
            f"expected a target that some net of the space misses, {most_ms:.3f} ms at the most, found "
            f"{target_ms:.3f} ms",
            hint="lower the target, or start from a wider net (--width)",
        )


def fastest(space: Space, judge: Judge) -> Architecture:
    """The fastest net of the space: the narrowest, but for genes whose least value is not the fastest one.

    Fewer channels elsewhere, no squeeze-and-excite and a ReLU never take longer. Equal bottlenecks side by side bring a
    shortcut's sum, and a runtime's larger kernels may be its faster ones.
    """
    found = space.narrowest
    for gene in space.genes:
        if gene.kind in ("bottleneck", "kernel"):
            found = min((space.with_gene(found, gene, value) for value in gene.values), key=judge)
    return found
