"""`mobile-sdk nets`, `devices`, `doctor`, `--version`: what there is."""

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.terminal import quiet, show_json, show_table


def nets(json: options.Json = False) -> None:
    """List the nets: paper, parameters, multiply-adds, published accuracy."""
    quiet()
    from dataclasses import asdict

    from qat.nets import list_nets

    entries = list_nets()
    if json:
        show_json([asdict(entry) for entry in entries])
        return
    rows = [
        (
            each.name,
            each.paper,
            f"{each.params_m:.2f}",
            f"{each.madds_m:.0f}",
            f"{100 * each.top1_share:.1f}" if each.top1_share else "",
        )
        for each in entries
    ]
    columns = ("net", "paper", "parameters, M", "multiply-adds, M", "published ImageNet top-1, %")
    show_table(columns, rows, numbers=columns[2:])


def devices(json: options.Json = False) -> None:
    """List where bundles can run."""
    from mobile_sdk.devices import devices as known

    rows = [
        {"device": each.name, "measures_time": each.measures_time, "unavailable": each.unavailable()}
        for each in known()
    ]
    if json:
        show_json(rows)
        return
    table = [
        (row["device"], "accuracy and time" if row["measures_time"] else "accuracy only", row["unavailable"] or "ready")
        for row in rows
    ]
    show_table(("device", "for", "state"), table)


def doctor(json: options.Json = False) -> None:
    """Say what this machine can run, and how to get the rest."""
    from dataclasses import asdict

    from mobile_sdk.doctor import checks

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
    """Prints the version and ends, where `--version` is given."""
    if wanted:
        from importlib import metadata

        print(f"mobile-sdk {metadata.version('mobile-sdk')}")
        raise typer.Exit
