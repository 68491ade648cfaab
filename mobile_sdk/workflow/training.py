"""Trains a float net from settings and pictures, and writes net.safetensors."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mobile_sdk.errors import SettingError
from mobile_sdk.system.progress import Progress
from mobile_sdk.workflow.main_process import end_others
from mobile_sdk.workflow.output_paths import folder_to_write
from mobile_sdk.workflow.run_files import TRAINING
from mobile_sdk.workflow.run_folder import check_net_file, logged, plan_settings, save_trained, stage
from mobile_sdk.workflow.settings import NetSettings, TrainSettings
from mobile_sdk.workflow.sources.source_net import SourceNet
from mobile_sdk.workflow.sources.start import Start, choose_start
from mobile_sdk.workflow.tasks import choose_task
from mobile_sdk.workflow.tasks.task import Task
from qat.distributed.torchrun import is_main_process
from qat.nets.saved_net import SavedNet
from qat.nets.weights.published import load_weights
from qat.progress import say, shown
from qat.training.plan import TrainPlan


def train(asked: TrainSettings, *, progress: Progress = True) -> SourceNet:
    """Trains the net of the settings, or resumes its training, and writes `net.safetensors` in the folder `out`.

    Of the processes that `torchrun` started the main one returns; the others end by OtherProcess.
    """
    with shown(progress):
        asked.check_balance()
        task = choose_task(asked.task, asked.head, asked.output_stride)
        if not task.starts_from_weights and (asked.recipe or asked.weights or asked.labels):
            raise SettingError(
                f"expected neither --recipe, --weights nor --labels for {task.name}, found one", hint="leave it out"
            )
        plan = choose_plan(task, asked, epochs=asked.epochs)
        start = choose_start(asked)
        task.check_labelled(start.pictures, asked.data)
        say(task.described(start.pictures))
        folder = folder_to_write(asked.out)
        with logged(folder, tensorboard=asked.tensorboard):
            trained = train_net(start, plan, asked.data, folder, overwrite=asked.overwrite)
        end_others()
        return trained


def choose_plan(task: Task[Any], asked: NetSettings, *, epochs: int | None) -> TrainPlan:
    """Returns the plan for float training that the settings name, changed where they say so."""
    plan = task.plan(asked.recipe, asked.data, epochs, asked.seed)
    return replace(
        plan,
        batch=plan.batch if asked.batch_size is None else asked.batch_size,
        learning_rate=plan.learning_rate if asked.learning_rate is None else asked.learning_rate,
        class_balance=asked.class_balance,
    )


def train_net(start: Start, plan: TrainPlan, data: str, out: Path, *, overwrite: bool = False) -> SourceNet:
    """Trains the net in `out/train`, resuming there, and writes `out/net.safetensors`."""
    task, pictures = start.task, start.pictures
    torch.manual_seed(plan.seed)
    net = task.build(start.net, start.contract, start.width)
    if start.weights:
        say(str(load_weights(net, start.weights.path)))
    compose = task.composer(len(pictures.train), data, plan.seed)
    plan = task.augmenting(plan, pictures, composes=compose is not None)
    check_net_file(out, overwrite)
    learned = task.train(net, start.contract, pictures, plan, compose=compose, out=out / TRAINING, overwrite=overwrite)
    saved = SavedNet(
        **task.header(start.net, start.width),
        contract=start.contract,
        settings=plan_settings(plan),
        history=stage("float", learned.epochs),
        by_label=learned.by_label,
    )
    if is_main_process():
        save_trained(net, saved, out)
    return SourceNet.of(task, net, saved)
