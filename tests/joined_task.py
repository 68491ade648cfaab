"""What each of several processes does in the tests of training together; `torchrun` starts it, once for each."""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from small_task import CONTRACT, PLAN, figures, pictures, tiny_net

from qat.calibration import calibrate
from qat.launch import process_rank
from qat.plan import TrainPlan
from qat.preparation import prepare
from qat.training import fit


def main(out: Path) -> None:
    torch.set_num_threads(1)
    net = tiny_net(seed=process_rank())  # the main one's weights are everybody's start
    history = fit(net, pictures(), PLAN, contract=CONTRACT, out=out / "float")
    fine, taught = prepare(net, CONTRACT), prepare(net, CONTRACT)
    after = fit(fine, pictures(), TrainPlan.finetune(3, after=PLAN), out=out / "fine")
    calibrate(taught, pictures().train)
    last = fit(taught, pictures(), TrainPlan.distil(3, after=replace(PLAN, batch=9)), teacher=net, out=out / "taught")
    nets = {name: each.state_dict() for name, each in (("float", net), ("fine", fine), ("taught", taught))}
    nets = {name: {k: v for k, v in state.items() if isinstance(v, torch.Tensor)} for name, state in nets.items()}
    said = [figures(each) for each in (history, after, last)]
    torch.save({"nets": nets, "histories": str(said)}, out / f"rank{process_rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
