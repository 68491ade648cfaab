"""Run as a program: workers that die while they evaluate; prints what came of it. The one argument is a folder."""

import os
import sys
from pathlib import Path

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import MachineError
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.nets.classifiers.mobilenet_v3 import architecture_of
from qat.search.evaluation import CandidateTraining, Job, Outcome
from qat.search.workers import ray_workers
from qat.training.plan import TrainPlan


def job(number: int) -> Job:
    """A candidate; 2 dies with its worker always, 1 only once."""
    return Job(number=number, architecture=architecture_of("mobilenet_v3_small"), parent=None, seed=0)


def main(folder: Path) -> None:
    """Evaluates two jobs that come through, then one that does not."""
    nothing = PictureSet(sources=(), targets=())
    pictures = Pictures(train=nothing, validation=nothing, labels=("one", "two"))
    contract = Contract(name="none", labels=pictures.labels, image=ImageSpec(size_px=32))
    task = CandidateTraining(pictures=pictures, contract=contract, plan=TrainPlan(), steps=1)

    def run(job: Job, _training: CandidateTraining) -> Outcome:
        mark = folder / f"{job.number}"
        if job.number == 2 or (job.number == 1 and not mark.exists()):
            mark.touch()
            os._exit(1)
        return Outcome(accuracy_share=0.25 * (job.number + 1), state=None)

    try:
        with ray_workers(task, workers=1, run=run) as evaluate:
            shares = [outcome.accuracy_share for _, outcome in evaluate([job(0), job(1)])]
            list(evaluate([job(2)]))
    except MachineError as error:
        print(*shares)
        print(error.message)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
