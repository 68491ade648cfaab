"""Measures what augmentation gains for detectors and segmenters that train on few pictures, with three seeds each.

Run: python -m benchmarks.accuracy.augmentation

SSDLite and LR-ASPP on MobileNetV3-Small, by the tasks' own plans, train on a fixed set of composed digits that is drawn
once for all: nothing is composed afresh, and nothing is mirrored, since digits have sides. They are evaluated on
pictures of other digits. Two trainings run at a time, a core each, for some 25 minutes. They leave checkpoints in
runs/benchmarks/augmentation; after an interruption, the same command resumes.
"""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.system.environment import installed_versions
from mobile_sdk.workflow.choices import DIGITS
from mobile_sdk.workflow.tasks import TASKS
from qat.data.boxes.composed_digits import composed_digits
from qat.data.masks.composed_digits import composed_masks
from qat.progress import say
from qat.tasks.detection.training import evaluate_detector
from qat.tasks.segmentation.training import evaluate_segmenter

OUT = Path("runs/benchmarks/augmentation")
NET = "mobilenet_v3_small"
SEEDS = (0, 1, 2)
PICTURES, WATCHED = 500, 20  # training pictures; held-out pictures, few because every epoch takes time for them
EPOCHS = {"detection": 60, "segmentation": 80}
WORKERS = 2


@dataclass(frozen=True)
class Training:
    """Describes one training; everything else is the same for all trainings of a task."""

    task: str
    seed: int
    is_augmented: bool


def main() -> None:
    """Trains, and compares the results."""
    quiet()
    trainings = [Training(task, seed, with_it) for seed in SEEDS for task in EPOCHS for with_it in (False, True)]
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        shares = dict(zip(trainings, pool.map(learned, trainings), strict=True))
    rows = [row(task, seed, shares) for task in EPOCHS for seed in SEEDS]
    targets = [target(task, [each for each in rows if each["task"] == task]) for task in EPOCHS]
    write_result("augmentation", rows, installed_versions(("mobile-sdk", "torch", "pycocotools")), targets)


def learned(training: Training) -> float:
    """Returns the measure, 0..1, on held-out pictures."""
    torch.set_num_threads(1)
    task = TASKS[training.task]()
    pictures, judge = (
        (composed_digits(PICTURES), evaluate_detector)
        if training.task == "detection"
        else (composed_masks(PICTURES), evaluate_segmenter)
    )
    plan = task.plan(None, DIGITS, EPOCHS[training.task], training.seed)
    if not training.is_augmented:
        plan = replace(plan, augmentation=None)
    torch.manual_seed(training.seed)
    contract = task.contract(None, DIGITS, pictures.labels, task.image(DIGITS, None))
    net = task.build(NET, contract, 1.0)
    watched = replace(pictures, validation=pictures.validation[:WATCHED])
    name = f"{training.task}-{training.seed}-{'augmented' if training.is_augmented else 'plain'}"
    task.train(net, contract, watched, plan, out=OUT / name)
    share: float = judge(net, pictures).value
    say(f"{name}: {share:.2%}")
    return share


def row(task: str, seed: int, shares: dict[Training, float]) -> dict[str, Any]:
    """Returns one line of the table."""
    without, augmented = (round(100 * shares[Training(task, seed, with_it)], 1) for with_it in (False, True))
    of = TASKS[task]()
    return {
        "task": task,
        "net": of.title(NET),
        "pictures": PICTURES,
        "epochs": EPOCHS[task],
        "seed": seed,
        "measure": of.measure,
        "without %": without,
        "augmented %": augmented,
        "gain": round(augmented - without, 1),
    }


def target(task: str, rows: Sequence[dict[str, Any]]) -> Target:
    """Compares training with augmentation with training without, which is the stock, in the mean over the seeds."""
    without, augmented = (mean(each[f"{which} %"] for each in rows) for which in ("without", "augmented"))
    work = f"{rows[0]['net']}, {PICTURES} composed pictures again and again, augmented or not, {len(SEEDS)} seeds"
    return Target.gain(work, f"% {rows[0]['measure']}", stock=without, ours=augmented, at_least=0.0)


if __name__ == "__main__":
    main()
