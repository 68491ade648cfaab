"""Runs the whole pipeline: settings → pictures → float net → int8 program → bundles, verdicts, numbers and a report."""

import time
from math import prod
from pathlib import Path
from typing import Any

from mobile_sdk.arguments import NOTHING, expect
from mobile_sdk.errors import SettingError
from mobile_sdk.program.program import Program
from mobile_sdk.system.progress import Progress
from mobile_sdk.workflow.deployment import FOLLOWING_PIXELS, Deployment, deploy, step
from mobile_sdk.workflow.output_paths import folder_to_write
from mobile_sdk.workflow.quantization import plan_in_int8, quantize_net
from mobile_sdk.workflow.run_files import NET_FILE
from mobile_sdk.workflow.run_folder import logged
from mobile_sdk.workflow.settings import RunSettings
from mobile_sdk.workflow.sources.source_net import SourceNet, trained
from mobile_sdk.workflow.sources.start import Start, choose_start
from mobile_sdk.workflow.tasks import choose_task
from mobile_sdk.workflow.tasks.task import Task
from mobile_sdk.workflow.training import choose_plan, train_net
from qat.progress import duration_text, followed_by, say, shown
from qat.training.plan import TrainPlan

INT8_EPOCH = 1.5  # in float ones: benchmarks/results, qat_step


def run(settings: RunSettings, *, command: str | None = None, progress: Progress = True) -> Deployment:
    """Does what `mobile-sdk run` does, and writes the same files.

    The report shows `command` as the way to do it again; by default, the command line of these settings. Of the
    processes that `torchrun` started the main one returns; the others end by OtherProcess.

    Example: `mobile_sdk.run(mobile_sdk.RunSettings(data="photos", out="runs/photos")).report`
    """
    expect("settings", settings, RunSettings, hint="give mobile_sdk.RunSettings(data=…)")
    expect("command", command, str, NOTHING)
    with shown(progress):
        started_s = time.monotonic()
        program, folder, pictures = _learn(settings)
        done = deploy(program, folder, pictures, command=command or settings.command(), progress=progress)
        say(f"done in {duration_text(time.monotonic() - started_s)}")
        return done


def _learn(asked: RunSettings) -> tuple[Program, Path, Any]:
    """Takes steps 1 to 3; returns the program, its folder and the pictures to evaluate it on."""
    asked.check_balance()
    task = choose_task(asked.task, asked.head, asked.output_stride)
    _check_weights(task, asked)
    of_run = None if asked.recipe else task.epochs_of_run(asked.data)
    plan = choose_plan(task, asked, epochs=asked.epochs or of_run)
    epochs = task.epochs_in_int8 if asked.qat_epochs is None else asked.qat_epochs
    if asked.tensorboard and asked.epochs == 0 and not epochs:
        raise SettingError("expected --tensorboard beside epochs, found none of them", hint="leave it out")
    with step(1, task.title_of_pictures):
        start = choose_start(asked, learns=asked.epochs != 0 or epochs > 0, trains_float=asked.epochs != 0)
        pictures = start.pictures
        say(f"{len(pictures.train)} pictures to learn from, {len(pictures.validation)} to validate")
        say(task.described(pictures))
    folder = folder_to_write(asked.out or Path("runs", start.contract.name))
    rest = FOLLOWING_PIXELS / (len(pictures.train) * prod(start.contract.input.shape[-2:]))
    with logged(folder, tensorboard=asked.tensorboard):
        with followed_by(INT8_EPOCH * epochs + rest):
            source = _float_net(start, asked, plan, folder)
        title = "train in int8 and freeze" if epochs else "calibrate and freeze"
        with step(3, title), followed_by(rest / 2 / INT8_EPOCH):
            finetune = plan_in_int8(source, epochs, plan) if epochs else None
            program = quantize_net(
                source, pictures, finetune, folder, weight_bits=asked.asked_bits, overwrite=asked.overwrite
            )
    return program, folder, pictures.validation


def _check_weights(task: Task[Any], asked: RunSettings) -> None:
    """Raises SettingError for weights that the task does not start from, or for none if nothing is trained."""
    if not task.starts_from_weights and (asked.weights or asked.labels or asked.recipe or asked.epochs == 0):
        raise SettingError(
            f"expected neither --weights, --labels, --recipe nor --epochs 0 for {task.name}, found one",
            hint="leave it out",
        )
    if asked.epochs == 0 and asked.weights is None:
        raise SettingError("expected --epochs 0 beside --weights, found no weights", hint="train for an epoch or more")


def _float_net(start: Start, asked: RunSettings, plan: TrainPlan, folder: Path) -> SourceNet:
    """Takes step 2: trains the net in float, or keeps its weights if that is asked for or there are no labels."""
    task = start.task
    is_taken = asked.epochs == 0 or (asked.epochs is None and not task.is_labelled(start.pictures))
    if start.weights and is_taken:
        if asked.class_balance:
            raise SettingError(
                "expected --class-balance beside training in float, found weights that are taken as they are",
                hint="leave it out, or give --epochs 1 or more",
            )
        with step(2, f"{start.weights.title} as it is in {start.weights.path}"):
            return start.weights.float_net(start.contract)
    task.check_labelled(start.pictures, asked.data)
    with step(2, f"train {start.title} in float"):
        train_net(start, plan, asked.data, folder, overwrite=asked.overwrite)
    return trained(folder / NET_FILE)
