"""Implements `mobile-sdk nets`, `devices`, `doctor` and `--version`, which list what there is."""

from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.terminal import quiet, show_json, show_table
from mobile_sdk.errors import MachineError

if TYPE_CHECKING:
    from mobile_sdk.devices.state import DeviceState

DEVICE_COLUMNS = ("device", "for", "state", "processor", "cores, MHz", "governor", "°C", "battery")


def nets(json: options.Json = False) -> None:
    """List the nets, classifiers, detectors and segmenters: paper, parameters, multiply-adds, published quality."""
    quiet()
    from qat.nets import list_detectors, list_nets, list_segmenters

    entries = (*list_nets(), *list_detectors(), *list_segmenters())
    if json:
        show_json([asdict(entry) for entry in entries])
        return
    rows = [
        (
            each.name,
            each.task,
            each.paper,
            str(each.size_px) if isinstance(each.size_px, int) else " × ".join(map(str, each.size_px)),
            f"{each.params_m:.2f}",
            f"{each.madds_m:.0f}",
            "" if each.quality is None else f"{100 * each.quality:.1f} {each.measure}",
        )
        for each in entries
    ]
    columns = ("net", "task", "paper", "picture, px", "parameters, M", "multiply-adds, M", "published, %")
    show_table(columns, rows, numbers=columns[3:6])


def devices(json: options.Json = False) -> None:
    """List where bundles can run: here, on an emulated core, on every phone that adb knows."""
    from mobile_sdk.devices import attached, state_of
    from mobile_sdk.devices import devices as known

    found = []
    for each in (*known(), *attached()):
        reason, state = each.unavailable(), None
        try:
            state = None if reason else state_of(each)
        except MachineError as error:  # it was disconnected meanwhile
            reason = error.message
        found.append((each.name, each.measures_time, reason, state))
    if json:
        names = ("device", "measures_time", "unavailable", "state")
        rows = [(*row, state.model_dump(mode="json") if state else None) for *row, state in found]
        show_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    table = [
        (name, "accuracy and time" if times else "accuracy only", reason or "ready", *_described(state))
        for name, times, reason, state in found
    ]
    show_table(DEVICE_COLUMNS, table)


def _described(state: "DeviceState | None") -> tuple[str, ...]:
    """Returns processor, cores with clocks, governor, temperature and battery, as far as they are known."""
    if state is None:
        return ("",) * 5
    clocks = [core.max_mhz for core in state.cores if core.max_mhz]
    kinds = [f"{clocks.count(mhz)} × {mhz:.0f}" for mhz in sorted(set(clocks), reverse=True)]
    governors = dict.fromkeys(core.governor for core in state.cores if core.governor)
    battery = "" if state.battery_share is None else f"{state.battery_share:.0%} {state.charger or ''}".strip()
    return (
        state.processor or state.machine,
        " + ".join(kinds) or str(len(state.cores)),
        ", ".join(governors),
        "" if state.temperature_c is None else f"{state.temperature_c:.0f}",
        battery,
    )


def doctor(json: options.Json = False) -> None:
    """Say what this machine can run, and how to get the rest."""
    from mobile_sdk.devices.doctor import checks

    findings = checks()
    if json:
        show_json([asdict(finding) for finding in findings])
        return
    rows = [
        (each.name, each.status, each.found, each.enables, each.get if each.get and each.status != "ok" else "")
        for each in findings
    ]
    show_table(("what", "status", "found", "enables", "how to get it"), rows)


def show_version(wanted: bool) -> None:
    """Prints the version and ends, if `--version` is given."""
    if wanted:
        print(f"mobile-sdk {metadata.version('mobile-sdk')}")
        raise typer.Exit
