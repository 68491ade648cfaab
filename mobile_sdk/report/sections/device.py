"""Reports the measured device's state before and after, and whether it slowed down."""

from collections.abc import Iterator

from mobile_sdk.benchmarking.measurements import Measurement, Numbers
from mobile_sdk.devices.state import DeviceState

_NOT_TOLD = "not told"


def state_rows(numbers: Numbers) -> list[tuple[str, str, str]]:
    """Returns rows (name, before, after), one for every property that either state has."""
    before, after = dict(_state_lines(numbers.state_before)), dict(_state_lines(numbers.state_after))
    names = dict.fromkeys((*before, *after))
    return [(name, before.get(name, _NOT_TOLD), after.get(name, _NOT_TOLD)) for name in names]


def slowdown_rows(measured: list[Measurement]) -> list[tuple[str, str, str]]:
    """Returns rows of a bundle, the cores that it was kept on, and the last tenth of its rounds over the first."""
    return [
        (
            each.bundle,
            ", ".join(map(str, each.samples.cores)) if each.samples and each.samples.cores else "left to the system",
            f"{each.summary.last_over_first:.3f}" if each.summary and each.summary.last_over_first else "–",
        )
        for each in measured
    ]


def _state_lines(state: DeviceState | None) -> Iterator[tuple[str, str]]:
    if state is None:
        return
    yield "Processor", state.processor or state.machine
    yield "System", f"{state.system or 'unknown'}, {state.kernel}"
    for core in state.cores:
        clocks = (("at", core.now_mhz), ("of at most", core.max_mhz), ("now limited to", core.limit_mhz))
        parts = [f"{word} {mhz:.0f} MHz" for word, mhz in clocks if mhz is not None]
        if parts or core.governor:
            yield f"Core {core.index}", ", ".join([*parts, *([core.governor] if core.governor else [])])
    if state.temperature_c is not None:
        yield "Hottest zone", f"{state.temperature_c:.1f} °C"
    if state.thermal_status is not None:
        yield "Thermal status", str(state.thermal_status)
    if state.battery_share is not None:
        yield "Battery", f"{state.battery_share:.0%}"
    if state.charger is not None:
        yield "Charger", state.charger
