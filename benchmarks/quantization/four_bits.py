"""Gives nets weights of four bits and activations of eight, and holds them against float: MobileNets on digits.

Run: python -m benchmarks.quantization.four_bits

The 1 x 1 convolutions and the classifiers have four bits, 95 % of the weights and more. The digits' nets are those of
`benchmarks.accuracy.qat_digits`: every seed draws its own 1,000 held-out digits, weights and batches.
EfficientNet-Lite0 has its ImageNet weights and no labels: it is calibrated on photographs, then learns from its float
net on crops of them; crops of others are judged. What is judged is the reference, so the phone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from benchmarks.core.photographs import CALIBRATED, JUDGED, ORDINARY, ORDINARY_OTHERS, crops, photograph
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from benchmarks.core.user_nets import efficientnet_lite0
from benchmarks.nets.trained_nets import of_digits
from mobile_sdk.cli.freed_memory import keep_freed_memory
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract
from mobile_sdk.graph.operators import Weighted
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from mobile_sdk.system.environment import installed_versions
from mobile_sdk.workflow.quantization import judged
from mobile_sdk.workflow.tasks.classification import Classification
from mobile_sdk.workflow.tasks.few_pictures import with_more_views
from qat.calibration.calibration import calibrate
from qat.data.crops import with_crops
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.freezing.freezing import freeze
from qat.nets import build_net
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.preparation import prepare
from qat.progress import say
from qat.tasks.classification.training import fit
from qat.training.plan import TrainPlan

NETS: Mapping[str, Callable[[Contract], nn.Module]] = {
    "mobilenet_v3_small": partial(build_net, "mobilenet_v3_small"),
    "mobilenet_v2": partial(build_net, "mobilenet_v2", width=0.5),
}
LEAST_POINTS = -0.3  # of four bits beside float, in the mean over the seeds
SEEDS = (0, 1, 2)
EPOCHS = 3
LEAST_DB, LEAST_SHARE = 18.0, 90.0  # of EfficientNet-Lite0 from photographs
PHOTOGRAPHS_EPOCHS = 60  # of 160 crops
JUDGED_CROPS = 100


@dataclass(frozen=True, kw_only=True)
class Part:
    """Holds the rows of one kind of work, which all have the columns of `row`, and its targets."""

    rows: Sequence[dict[str, Any]]
    targets: Sequence[Target]


def main() -> None:
    """Measures every part, and writes all of them into one file."""
    quiet()
    keep_freed_memory()  # as the command line does
    parts = [measure() for measure in PARTS]
    rows = [each for part in parts for each in part.rows]
    targets = [target for part in parts for target in part.targets]
    write_result("four_bits", rows, installed_versions(("mobile-sdk", "torch", "torchao")), targets)


def row(work: str, net: str, **measured: Any) -> dict[str, Any]:
    """Returns one line of the table; what a part does not measure is "–"."""
    columns = ("seed", "weights of 4 bits %", "unit", "beside", "4 bits", "winners as float %", "SQNR dB")
    return {"work": work, "net": net, **{column: measured.get(column, "–") for column in columns}}


def digits() -> Part:
    """Trains every net with every seed, in float, then in four bits by what the float net says."""
    found = {name: [each for seed in SEEDS for each in digits_of(name, seed)] for name in NETS}
    targets = [digits_target(name, rows) for name, rows in found.items()]
    return Part(rows=[each for rows in found.values() for each in rows], targets=targets)


def digits_of(name: str, seed: int) -> list[dict[str, Any]]:
    """Trains one float net; returns a row for four bits after calibration, and one after three epochs."""
    learned = of_digits(NETS[name], seed=seed)
    net, pictures = learned.net, learned.pictures
    student = prepare(net, learned.contract, weight_bits=4)
    calibrate(student, pictures.train)
    rows = [digits_row("calibrated", name, seed, student, net, pictures)]
    fit(student, pictures, TrainPlan.distil(EPOCHS, after=learned.plan), teacher=net, progress=False)
    rows.append(digits_row("trained", name, seed, student, net, pictures))
    for each in rows:
        say(f"{name}, seed {seed}, {each}")
    return rows


def digits_row(
    way: str, name: str, seed: int, student: FakeQuantNet, net: nn.Module, pictures: Pictures
) -> dict[str, Any]:
    """Judges the student's program as it is now, beside the float net."""
    record = Record(net=name, quantized="qat")
    program = judged(freeze(student, student.contract, record), Classification(), net, pictures.validation)
    found = program.record
    assert found.float_quality and found.reference_quality and found.agreement
    decibels = found.agreement.sqnr_db
    return row(
        f"digits, {way}",
        name,
        seed=seed,
        unit="% top-1",
        beside=round(100 * found.float_quality.value, 2),
        **{
            "weights of 4 bits %": share_of_four_bits(program),
            "4 bits": round(100 * found.reference_quality.value, 2),
            "winners as float %": round(100 * found.agreement.top1_agreement, 2),
            "SQNR dB": "–" if decibels is None else round(decibels, 1),
        },
    )


def share_of_four_bits(program: Program) -> float:
    """Returns which share of a program's weights has four bits, in per cent."""
    counts = {8: 0, 4: 0}
    for operator in program.graph.operators:
        if isinstance(operator, Weighted):
            counts[operator.weight_bits] += operator.weight.size
    return round(100 * counts[4] / sum(counts.values()), 1)


def digits_target(name: str, rows: Sequence[dict[str, Any]]) -> Target:
    """Compares four bits after training with the float net, in the mean over the seeds."""
    trained = [each for each in rows if each["work"] == "digits, trained"]
    in_float, in_four = (sum(each[key] for each in trained) / len(trained) for key in ("beside", "4 bits"))
    work = f"{name}, {len(SEEDS)} seeds of 1,000 digits: weights of 4 bits, trained, beside float"
    return Target.gain(work, "% top-1", stock=in_float, ours=in_four, at_least=LEAST_POINTS)


def photographs() -> Part:
    """Calibrates EfficientNet-Lite0 on photographs without labels, lets it learn from them, and judges it on others."""
    net = efficientnet_lite0().eval()
    contract = Contract(name="efficientnet_lite0", labels=net.labels, image=net.image)
    names = tuple(dict.fromkeys(each for each in (*ORDINARY, *ORDINARY_OTHERS, *CALIBRATED) if each not in JUDGED))
    taught = PictureSet(sources=tuple(map(photograph, names)), targets=(-1,) * len(names))
    student, held_out = prepare(net, contract, weight_bits=4), crops(JUDGED, JUDGED_CROPS, seed=2)
    calibrate(student, taught)
    rows = [photographs_row("calibrated", student, net, held_out)]
    pictures = Pictures(train=taught, validation=taught[:2], labels=contract.labels)
    plan, many = with_more_views(TrainPlan.distil(PHOTOGRAPHS_EPOCHS), pictures, contract)
    fit(student, many, plan, teacher=net, contract=contract, progress=False)
    rows.append(photographs_row("trained", student, net, held_out))
    work = f"efficientnet_lite0, {len(names)} photographs without labels: weights of 4 bits, trained, beside float"
    limit = (
        f"calibration alone gives {rows[0]['SQNR dB']} dB; what {len(names)} photographs teach holds less for others: "
        f"of crops of its own it keeps {taught_db(student, net, taught):.1f} dB"
    )
    bounds = (("SQNR dB", "dB SQNR", LEAST_DB), ("winners as float %", "% same winner", LEAST_SHARE))
    targets = [
        Target(
            work=work,
            unit=unit,
            stock=None,
            ours=rows[1][column],
            judged="ours",
            figure=rows[1][column],
            bound=bound,
            sense="at least",
            limit=limit,
        )
        for column, unit, bound in bounds
    ]
    return Part(rows=rows, targets=targets)


def photographs_row(way: str, student: FakeQuantNet, net: nn.Module, held_out: PictureSet) -> dict[str, Any]:
    """Judges the student's program as it is now by the float net's scores."""
    program = judged(freeze(student, student.contract), Classification(), net, held_out)
    agreement = program.record.agreement
    assert agreement and agreement.sqnr_db is not None
    found = row(
        f"photographs, {way}",
        "efficientnet_lite0",
        **{
            "weights of 4 bits %": share_of_four_bits(program),
            "winners as float %": round(100 * agreement.top1_agreement, 1),
            "SQNR dB": round(agreement.sqnr_db, 2),
        },
    )
    say(str(found))
    return found


def taught_db(student: FakeQuantNet, net: nn.Module, taught: PictureSet) -> float:
    """Returns the SQNR of the scores on crops of the photographs that were learned from."""
    views = with_crops(taught, student.contract.input, JUDGED_CROPS)
    agreement = judged(freeze(student, student.contract), Classification(), net, views).record.agreement
    assert agreement and agreement.sqnr_db is not None
    return agreement.sqnr_db


PARTS: Sequence[Callable[[], Part]] = (digits, photographs)
"""It holds the kinds of work in the order of their rows; a further one is a function that returns its part."""


if __name__ == "__main__":
    main()
