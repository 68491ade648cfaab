"""A latency that was to be reached, and what is told of the net that was found for it: met, or missed by how much."""


def told_target(target_ms: float, latency_ms: float, *, nets: int, again_ms: float | None = None) -> str:
    """Returns one line: whether a net of `latency_ms` meets the target, the nearest of `nets` where it does not.

    `again_ms` is the same net's latency in a second measurement: of many noisy ones the fastest are taken.
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
