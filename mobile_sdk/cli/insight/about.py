"""Implements `mobile-sdk nets`, `devices`, `doctor` and `--version`, which list what there is."""

import re
from dataclasses import asdict
from importlib import metadata
from importlib.resources import files
from itertools import groupby
from json import loads as parse_json
from typing import TYPE_CHECKING, Any

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.tables import show_table, show_text
from mobile_sdk.cli.terminal import show_json
from mobile_sdk.errors import MachineError

if TYPE_CHECKING:
    from mobile_sdk.devices.state import DeviceState

NET_PAPER = re.compile(r"arXiv (\S+)")
DEVICE_COLUMNS = ("device", "for", "state")


def nets(json: options.Json = False) -> None:
    """List the nets, classifiers, detectors and segmenters: paper, parameters, multiply-adds, published quality."""
    entries = parse_json(files("qat").joinpath("nets/listing.json").read_text(encoding="utf-8"))
    if json:
        show_json(entries)
        return
    for task, group in groupby(entries, key=lambda entry: entry["task"]):
        listed = list(group)
        columns = ("net", "size px", "params M", "MACs M", f"{listed[0]['measure']} %", "arXiv")
        print(f"--task {task} --net NAME\n")
        show_table(columns, [_net_row(each) for each in listed], numbers=columns[1:5])
    show_text(
        "M is millions, a MAC a multiply-add. Size is that of the published quality; parameters and MACs are at that "
        "size and at width 1."
    )


def _net_row(entry: dict[str, Any]) -> tuple[str, ...]:
    size_px, quality = entry["size_px"], entry["quality"]
    return (
        entry["name"],
        "x".join(map(str, size_px)) if isinstance(size_px, list) else str(size_px),
        f"{entry['params_m']:.2f}",
        f"{entry['madds_m']:.0f}",
        "–" if quality is None else f"{100 * quality:.1f}",
        *NET_PAPER.findall(entry["paper"]),
    )


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
        (name, "accuracy and time" if times else "accuracy only", reason or "ready") for name, times, reason, _ in found
    ]
    show_table(DEVICE_COLUMNS, table, prose="state")
    for name, _, _, state in found:
        if state:
            show_text(f"{name}: {_described(state)}")


def _described(state: "DeviceState") -> str:
    """Returns processor, cores with clocks, governor, temperature and battery, as far as they are known."""
    clocks = [core.max_mhz for core in state.cores if core.max_mhz]
    kinds = [f"{clocks.count(mhz)} × {mhz:.0f} MHz" for mhz in sorted(set(clocks), reverse=True)]
    governors = dict.fromkeys(core.governor for core in state.cores if core.governor)
    said = (
        state.processor or state.machine,
        " + ".join(kinds) or f"{len(state.cores)} cores",
        f"governor {', '.join(governors)}" if governors else "",
        "" if state.temperature_c is None else f"{state.temperature_c:.0f} °C",
        "" if state.battery_share is None else f"battery {state.battery_share:.0%} {state.charger or ''}".strip(),
    )
    return ", ".join(filter(None, said))


def doctor(json: options.Json = False) -> None:
    """Say what this machine can run, and how to get the rest."""
    from mobile_sdk.devices.doctor import checks

    findings = checks()
    if json:
        show_json([asdict(finding) for finding in findings])
        return
    show_table(("what", "status", "found"), [(each.name, each.status, each.found) for each in findings], prose="found")
    lacking = [each for each in findings if each.status != "ok"]
    for each in lacking:
        print()
        show_text(f"{each.name} is for: {each.enables}")
        if each.get:
            print(f"  {each.get}")
    if not lacking:
        show_text("Nothing is missing.")


def show_version(wanted: bool) -> None:
    """Prints the version and ends, if `--version` is given."""
    if wanted:
        print(f"mobile-sdk {metadata.version('mobile-sdk')}")
        raise typer.Exit
