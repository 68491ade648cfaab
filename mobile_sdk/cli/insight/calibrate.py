"""`mobile-sdk calibrate` measures what predict needs to know of a device."""

from pathlib import Path
from typing import Annotated

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.tables import show_table
from mobile_sdk.cli.terminal import progress, quiet, show_json
from mobile_sdk.runtimes import called, timed_here
from mobile_sdk.workflow.output_paths import file_to_write

COLUMNS = ("device", "runtime", "threads", "operators", "error, unseen operator %")


def calibrate(
    device: Annotated[
        str, typer.Option("--device", help="Where to measure: one of `mobile-sdk devices` that measures time.")
    ] = "host",
    runtime: Annotated[
        str | None,
        typer.Option(
            "--runtime", "--to", metavar="NAME[,…]", help="Runtimes to measure in. Default: all that devices run."
        ),
    ] = None,
    threads: options.Threads = 1,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where the models go; predict takes it as --device.")
    ] = Path("device.json"),
    json: options.Json = False,
) -> None:
    """Measure a few dozen small int8 operators on a device, in minutes, so that predict works for it."""
    quiet()
    file_to_write(out)
    from mobile_sdk.latency.calibration import calibrate as measure

    names = timed_here() if runtime is None else [called(name.strip()) for name in runtime.split(",")]
    with progress("calibrate") as report:
        models = measure(device, runtimes=names, threads=threads, progress=report)
    models.save(out)
    if json:
        show_json(models.model_dump(mode="json"))
        return
    rows = [
        (
            each.setup.device,
            each.setup.runtime,
            str(each.setup.threads),
            str(each.rows),
            "unknown" if each.unseen_operator_share is None else f"{100 * each.unseen_operator_share:.1f}",
        )
        for each in models.models
    ]
    show_table(COLUMNS, rows, numbers=COLUMNS[2:])
    print(f"next: mobile-sdk predict mobilenet_v2 --device {out}")
