"""`mobile-sdk run` goes the whole way, from pictures to a report."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.blocks import DataOptions, NetOptions, PlanOptions, ResultOptions, StartOptions, fields_of
from mobile_sdk.cli.learning.layer_lists import whole_bits
from mobile_sdk.cli.terminal import quiet, show_json, show_rich
from mobile_sdk.workflow.settings import RunSettings


@dataclass(frozen=True, kw_only=True)
class Int8RunOptions:
    """Sets how int8 is trained."""

    qat_epochs: Annotated[
        int | None,
        typer.Option(
            "--qat-epochs", min=0, help="Epochs in int8; 0 only calibrates. Default: 3 for classification, else 0."
        ),
    ] = None
    weight_bits: options.WeightBits = "8"
    max_mib: options.MaxMib = None
    min_db: options.MinDb = None
    min_accuracy: options.MinAccuracy = None


def run(
    data: DataOptions,
    start: StartOptions,
    net: NetOptions,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            min=0,
            help="Epochs in float; 0 takes --weights as they are, which is the default for pictures without labels. "
            "Default: the recipe's own.",
        ),
    ] = None,
    *,
    int8: Int8RunOptions,
    plan: PlanOptions,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where everything goes. Default: runs/NAME.")
    ] = None,
    result: ResultOptions,
) -> None:
    """Go the whole way: pictures → int8 program → three exact bundles → verdict → numbers → report.html.

    Without --data it learns the built-in MNIST digits. With --weights it starts from a checkpoint; with --epochs 0 too,
    pictures need no labels. Killed at any moment, the same command goes on.
    """
    quiet()
    from mobile_sdk.report.terminal import summary_table
    from mobile_sdk.workflow.pipeline import run as run_all

    asked = RunSettings(
        **fields_of(data, start, net, plan),
        epochs=epochs,
        qat_epochs=int8.qat_epochs,
        weight_bits=whole_bits(int8.weight_bits),
        max_mib=int8.max_mib,
        min_db=int8.min_db,
        min_accuracy=int8.min_accuracy,
        out=out,
        overwrite=result.overwrite,
    )
    done = run_all(asked, command=shlex.join(("mobile-sdk", *sys.argv[1:])))
    if result.json:
        show_json(done.report.model_dump(mode="json"))
    else:
        show_rich(summary_table(done.report))
        print(f"{done.folder / 'report.html'}  {done.folder / 'report.json'}")
    if not done.passed:
        raise typer.Exit(1)
