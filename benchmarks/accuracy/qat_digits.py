"""Compares training in int8 with the float net that it starts from: MobileNets on the built-in digits.

Run: python -m benchmarks.accuracy.qat_digits

Every seed draws its own 1,000 held-out digits, its own weights and its own batches; int8 is the reference's, so the
phone's. Distillation from the float net is compared with training on labels; both start from one calibration. One net
has SiLU in place of ReLU6. It takes some 25 minutes of a core.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn

from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from benchmarks.core.user_nets import silu_mobilenet_v2
from benchmarks.nets.trained_nets import OfDigits, of_digits
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract
from mobile_sdk.program.record import Record
from mobile_sdk.system.environment import installed_versions
from mobile_sdk.workflow.quantization import judged
from mobile_sdk.workflow.tasks.classification import Classification
from qat.calibration.calibration import calibrate
from qat.freezing.freezing import freeze
from qat.nets import build_net
from qat.preparation.preparation import prepare
from qat.progress import say
from qat.tasks.classification.training import fit
from qat.training.plan import TrainPlan

NETS: Mapping[str, Callable[[Contract], nn.Module]] = {
    "mobilenet_v3_small": partial(build_net, "mobilenet_v3_small"),
    "mobilenet_v2": partial(build_net, "mobilenet_v2", width=0.5),
    "mobilenet_v2 0.35 with SiLU": silu_mobilenet_v2,
}
BOUNDS = {"mobilenet_v3_small": -0.1, "mobilenet_v2": -0.1, "mobilenet_v2 0.35 with SiLU": -0.2}
SEEDS = (0, 1, 2)
PLANS = {"labels": TrainPlan.finetune, "float net": TrainPlan.distil}


def main() -> None:
    """Trains every net with every seed, in float, then in int8 both ways."""
    quiet()
    rows = [row for name in NETS for seed in SEEDS for row in measure(name, seed)]
    targets = [target(name, [row for row in rows if row["net"] == name]) for name in NETS]
    write_result("qat_digits", rows, installed_versions(("mobile-sdk", "torch", "torchao")), targets)


def measure(name: str, seed: int) -> list[dict[str, Any]]:
    """Trains one float net, and returns a row for each way of training it in int8."""
    learned = of_digits(NETS[name], seed=seed)
    rows = [in_int8(learned, learns_from) for learns_from in PLANS]
    for row in rows:
        say(f"{name}, seed {seed}, {row}")
    return [{"net": name, "seed": seed, **row} for row in rows]


def in_int8(learned: OfDigits, learns_from: str) -> dict[str, Any]:
    """Returns the net's accuracy after three epochs in int8."""
    net, pictures, contract = learned.net, learned.pictures, learned.contract
    own_plan = PLANS[learns_from](after=learned.plan)
    student = prepare(net, contract)
    calibrate(student, pictures.train)
    fit(student, pictures, own_plan, teacher=net if own_plan.distillation else None, progress=False)
    program = freeze(student, contract, Record(net=type(net).__name__, quantized="qat"))
    record = judged(program, Classification(), net, pictures.validation).record
    assert record.float_quality and record.reference_quality and record.agreement
    in_float, in_int8 = 100 * record.float_quality.value, 100 * record.reference_quality.value
    return {
        "learns from": learns_from,
        "float %": round(in_float, 2),
        "int8 %": round(in_int8, 2),
        "int8 − float": round(in_int8 - in_float, 2),
        "winners as float %": round(100 * record.agreement.top1_agreement, 2),
        "SQNR dB": None if record.agreement.sqnr_db is None else round(record.agreement.sqnr_db, 1),
    }


def target(name: str, rows: Sequence[dict[str, Any]]) -> Target:
    """Compares int8, distilled from the float net, with that net, which is the stock, in the mean over the seeds."""
    taught = [row for row in rows if row["learns from"] == "float net"]
    in_float, in_int8 = (sum(row[key] for row in taught) / len(taught) for key in ("float %", "int8 %"))
    work = f"{name}, {len(SEEDS)} seeds of 1,000 digits: int8 beside float"
    return Target.gain(work, "% top-1", stock=in_float, ours=in_int8, at_least=BOUNDS[name])


if __name__ == "__main__":
    main()
