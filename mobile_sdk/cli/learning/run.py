"""`mobile-sdk run` goes the whole way, from pictures to a report."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.blocks import DataOptions, NetOptions, PlanOptions, ResultOptions, StartOptions, fields_of
from mobile_sdk.cli.deployment.report import show_report
from mobile_sdk.cli.learning.layer_lists import whole_bits
from mobile_sdk.cli.terminal import quiet, show_json
from mobile_sdk.workflow.choices import DIGITS
from mobile_sdk.workflow.settings import RunSettings
from qat.progress import Shown

if TYPE_CHECKING:
    from mobile_sdk.workflow.deployment import Deployment


@dataclass(frozen=True, kw_only=True)
class FloatRunOptions:
    """Sets how the float net is trained."""

    recipe: options.Recipe = None
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            min=0,
            help="Epochs in float; 0 takes --weights as they are, which is the default for pictures without labels. "
            "Default: the recipe's own (30 of default), 10 for the digits; 40 for detection and segmentation.",
        ),
    ] = None


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
    in_float: FloatRunOptions,
    int8: Int8RunOptions,
    plan: PlanOptions,
    *,
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
    from mobile_sdk.workflow.pipeline import run as run_all

    asked = RunSettings(
        **fields_of(data, start, net, in_float, plan),
        qat_epochs=int8.qat_epochs,
        weight_bits=whole_bits(int8.weight_bits),
        max_mib=int8.max_mib,
        min_db=int8.min_db,
        min_accuracy=int8.min_accuracy,
        out=out,
        overwrite=result.overwrite,
    )
    done = run_all(asked, command=shlex.join(("mobile-sdk", *sys.argv[1:])), progress=Shown.get())
    if result.json:
        show_json(done.report.model_dump(mode="json"))
    else:
        show_report(done.report)
        _show_next(done, is_builtin=data.data == DIGITS)
    if not done.passed:
        raise typer.Exit(1)


def _show_next(done: "Deployment", *, is_builtin: bool) -> None:
    """Says what to open, and the commands that people run next."""
    bundles = [each.path for each in done.bundles if each.manifest.precision != "float32"]
    print(f"\nopen in a browser: {done.folder / 'report.html'}\nnext, for example:")
    print(f"  mobile-sdk embed {_quoted(bundles[0])} --android YOUR_APP")
    print(f"  mobile-sdk bench {_quoted(done.folder / 'bundles')}/* --device adb")
    if is_builtin:
        print("  mobile-sdk run --data YOUR_PICTURES")


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
