"""Trains in one process or in several, as separate programs, for the scaling benchmarks to compare.

They run python -m benchmarks.core.joined_run FUNCTION ARGUMENT, alone or by torchrun; the main process prints JSON.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.program.record import Record
from mobile_sdk.workflow.quantization import judged
from mobile_sdk.workflow.tasks.classification import Classification
from qat.calibration.calibration import calibrate
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures, load_mnist
from qat.distributed.torchrun import is_main_process
from qat.freezing.freezing import freeze
from qat.nets import build_net
from qat.preparation.preparation import prepare
from qat.tasks.classification.training import fit
from qat.training.plan import TrainPlan

NET = "mobilenet_v3_small"
SIZE_PX, BATCH, STEPS, CLASSES = 96, 64, 8, 1000
EPOCHS = 3  # the first of them warms up
DIGITS_EPOCHS = 6
PLANS = {"labels": TrainPlan.finetune, "float net": TrainPlan.distil}


def run_joined(processes: int, function: str, argument: int) -> Any:
    """Returns the result of `function(argument)` in so many processes of one thread each."""
    launcher = (
        ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    )
    command = [sys.executable, *launcher, "-m", "benchmarks.core.joined_run", function, str(argument)]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def epoch_durations(_: int) -> dict[str, list[float]]:
    """Returns the seconds of each epoch but the first, in float and in int8 while ranges and statistics follow."""
    pictures = _noise()
    contract = Contract(name="noise", labels=pictures.labels, image=ImageSpec(size_px=SIZE_PX))
    torch.manual_seed(0)
    net = build_net(NET, contract)
    plan = TrainPlan(epochs=EPOCHS, batch=BATCH)
    in_float = fit(net, pictures, plan, progress=False)
    following = replace(TrainPlan.finetune(EPOCHS, after=plan), phases=plan.phases)
    in_int8 = fit(prepare(net, contract), pictures, following, progress=False)
    return {
        name: [epoch.duration_s for epoch in history.epochs[1:]]
        for name, history in (("float32", in_float), ("int8", in_int8))
    }


def accuracies(seed: int) -> dict[str, float]:
    """Returns validation accuracy, in %, on 1,000 held-out digits: float, and the reference's after int8 both ways."""
    pictures = load_mnist(seed=seed)
    contract = Contract(name="digits", labels=pictures.labels, image=ImageSpec(size_px=32))
    torch.manual_seed(seed)
    net = build_net(NET, contract)
    plan = replace(TrainPlan.digits(DIGITS_EPOCHS), seed=seed)
    found = {"float": 100 * (fit(net, pictures, plan, progress=False).epochs[-1].validation_accuracy_share or 0.0)}
    for learns_from, plan_of in PLANS.items():
        own = plan_of(2, after=plan)
        student = prepare(net, contract)
        calibrate(student, pictures.train)
        fit(student, pictures, own, teacher=net if own.distillation else None, progress=False)
        if is_main_process():
            record = judged(
                freeze(student, contract, Record(net=NET, quantized="qat")), Classification(), net, pictures.validation
            ).record
            assert record.reference_quality
            found[f"int8, {learns_from}"] = 100 * record.reference_quality.value
    return {name: round(share, 2) for name, share in found.items()}


def _noise() -> Pictures:
    """Returns pictures of noise in memory: their content does not matter to the time of a step."""
    random = np.random.default_rng(0)

    def part(count: int) -> PictureSet:
        rgb = random.integers(0, 256, (count, SIZE_PX, SIZE_PX, 3), np.uint8)
        return PictureSet(sources=tuple(rgb), targets=tuple(int(each) for each in random.integers(0, CLASSES, count)))

    return Pictures(train=part(BATCH * STEPS), validation=part(2), labels=tuple(str(each) for each in range(CLASSES)))


def _main(arguments: Sequence[str]) -> None:
    quiet()
    torch.set_num_threads(1)
    function, argument = arguments
    found = {"epoch_durations": epoch_durations, "accuracies": accuracies}[function](int(argument))
    if is_main_process():
        print(json.dumps(found))


if __name__ == "__main__":
    _main(sys.argv[1:])
