"""`mobile-sdk train` trains a float net on pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobile_sdk.cli.blocks import (
    DataOptions,
    NetOptions,
    PlanOptions,
    RecipeOptions,
    ResultOptions,
    StartOptions,
    fields_of,
)
from mobile_sdk.cli.tables import show_text
from mobile_sdk.cli.terminal import quiet, show_json
from mobile_sdk.tasks.class_quality import named, worst_labels
from mobile_sdk.workflow.run_files import NET_FILE
from mobile_sdk.workflow.settings import TrainSettings
from qat.progress import Shown

if TYPE_CHECKING:
    from mobile_sdk.workflow.sources.source_net import SourceNet


def train(
    data: DataOptions,
    net: NetOptions,
    recipe: RecipeOptions,
    start: StartOptions,
    plan: PlanOptions,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where net.safetensors goes.")] = Path("runs/train"),
    *,
    result: ResultOptions,
) -> None:
    """Train a float net. Killed at any moment, the same command goes on from the last epoch.

    With more --epochs than a finished training in DIR had, the further ones begin from its weights.

    torchrun --standalone --nproc-per-node 2 -m mobile_sdk train … does it on two processes or GPUs, and so do quantize
    and run.
    """
    quiet()
    from mobile_sdk.workflow.training import train as train_net

    asked = TrainSettings(**fields_of(data, net, recipe, start, plan), out=out, overwrite=result.overwrite)
    _show(train_net(asked, progress=Shown.get()), out, result.json)


def _show(trained: "SourceNet", out: Path, json: bool) -> None:
    """Shows the quality of the net on held-out pictures, on average and label by label."""
    task, labels = trained.task, trained.contract.labels
    share = trained.history[-1]["validation_accuracy_share"]
    if json:
        by_label = named(labels, trained.by_label)
        show_json(
            {"net": str(out / NET_FILE), task.json_measure: share, "by_label": by_label, "history": trained.history}
        )
        return
    show_text(f"{out / NET_FILE}: {trained.name}, {task.measure} {share:.2%}")
    if worst := worst_labels(labels, trained.by_label):
        show_text(worst)
