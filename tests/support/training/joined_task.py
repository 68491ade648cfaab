"""Runs in each process of the tests of joint training; `torchrun` starts it, once for each."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from qat.calibration.calibration import calibrate
from qat.data.augmentation.classification import Augmentation
from qat.distributed.torchrun import process_rank
from qat.tasks.classification.training import fit
from qat.training.optimization.phases import Phase
from qat.training.plan import NesterovSgd, TrainPlan
from tests.support.child_process import HANG_S, run
from tests.support.repository import ROOT
from tests.support.training.small_task import CONTRACT, PLAN, figures, pictures, tiny_net
from tests.support.training.uneven_steps import steps

STEPS = 7  # whole batches of 8 in 60 pictures
LEARN = Phase(name="learn steps", begins_share=0.0, observes=False, batch_norm_follows=False, learns_steps=True)
ONE_STEP = TrainPlan(  # an odd batch, all there is: one process takes four pictures, the other five
    epochs=1, batch=9, optimizer=NesterovSgd(), warm_up_epochs=0.0, ema_decay=None, augmentation=Augmentation()
)


def torchrun(*arguments: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Starts them as a user would."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *arguments],
        env={**environment, "OMP_NUM_THREADS": "1"},
    )


class PlainNet(nn.Module):
    """Without dropout: nothing in a step is drawn by chance."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6()),
            *(nn.Conv2d(8, 8, 3, 2, 1, groups=8, bias=False), nn.BatchNorm2d(8)),
        )
        self.classifier = nn.Sequential(nn.Linear(8 * 16, 6, bias=False), nn.BatchNorm1d(6), nn.Linear(6, 3))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.features(x).flatten(1))
        return scores


def gradients() -> dict[str, dict[str, Tensor]]:
    """Returns gradients of one step of a float net, and of a fake-quantized one that learns its steps."""
    from qat.preparation.preparation import prepare

    few = pictures(train_count=9)
    torch.manual_seed(0)
    plain = PlainNet()
    student = prepare(plain, CONTRACT)
    calibrate(student, few.train)
    fit(plain, few, ONE_STEP, contract=CONTRACT, progress=False)
    fit(student, few, replace(ONE_STEP, phases=(LEARN,)), progress=False)
    return {
        name: {key: value.grad.clone() for key, value in net.named_parameters() if value.grad is not None}
        for name, net in (("float", plain), ("fake-quantized", student))
    }


def tensors(net: nn.Module) -> dict[str, Tensor]:
    return {name: value for name, value in net.state_dict().items() if isinstance(value, Tensor)}


def learn_in_every_way(out: Path) -> None:
    """Float training, then int8 by labels, and by the float net; each process keeps what it has got."""
    from qat.preparation.preparation import prepare

    net = tiny_net(seed=process_rank())  # the main process's weights are everybody's start
    histories = [fit(net, pictures(), PLAN, contract=CONTRACT, out=out / "float")]
    large = tiny_net()  # parts of 16, by which batch norm may normalise alone; below, parts of 4 and 5
    histories.append(fit(large, pictures(), replace(PLAN, batch=32), contract=CONTRACT))
    fine, taught = prepare(net, CONTRACT), prepare(net, CONTRACT)
    histories.append(fit(fine, pictures(), TrainPlan.finetune(3, after=PLAN), out=out / "fine"))
    calibrate(taught, pictures().train)
    odd = TrainPlan.distil(3, after=replace(PLAN, batch=9))
    histories.append(fit(taught, pictures(), odd, teacher=net, out=out / "taught"))
    nets = {"float": tensors(net), "large": tensors(large), "fine": tensors(fine), "taught": tensors(taught)}
    said = [figures(each) for each in histories]
    uneven = {name: (moved, figures(history)) for name, moved, history in steps()}
    kept = {"nets": nets, "histories": said, "gradients": gradients(), "uneven": uneven}
    torch.save(kept, out / f"process{process_rank()}.pt")


def learn_and_be_killed(out: Path, step: int) -> None:
    """Float training in which process 1 dies at a step of the run; 0 spares it."""
    net = tiny_net()

    def kill(*_: object) -> None:
        if process_rank() == 1 and net.steps == step:
            os.kill(os.getpid(), signal.SIGKILL)

    net.register_forward_hook(kill)
    fit(net, pictures(), PLAN, contract=CONTRACT, out=out / "float")
    torch.save({"net": tensors(net), "steps": net.steps}, out / f"process{process_rank()}.pt")


def ask_for_nonsense() -> int:
    """A command that all processes refuse; the others wait for their end, however long a busy machine takes to it."""
    from mobile_sdk.cli import app, processes

    processes.PATIENCE_S = HANG_S
    return app.call(["train", "--task", "nonsense"])


def main(what: str, out: Path) -> None:
    torch.set_num_threads(1)
    if what == "every way":
        learn_in_every_way(out)
    elif what == "nonsense":
        sys.exit(ask_for_nonsense())
    else:
        learn_and_be_killed(out, int(what))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
