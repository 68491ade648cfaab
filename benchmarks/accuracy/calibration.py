"""Measures EfficientNet-Lite0 in int8 without training: stock, ours stage by stage, ours without any data.

Run: python -m benchmarks.accuracy.calibration

The nets are calibrated on 16 crops of 14 photographs and evaluated on 320 crops of four others, against the float net.
Stock is PT2E with XNNPACKQuantizer on the same 16 crops, its exported .pte run by ExecuTorch; ours is the reference,
which every bundle equals in every element. It takes some ten minutes on two cores.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.against import stock
from benchmarks.core.photographs import CALIBRATED, JUDGED, crops
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from benchmarks.core.user_nets import EfficientNetLite0, efficientnet_lite0
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.comparison import Comparison, compare
from mobile_sdk.contract import Contract
from mobile_sdk.graph.reference import Reference
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from qat.calibration.calibration import calibration_stages
from qat.calibration.plan import CalibrationPlan
from qat.calibration.synthesis import synthesise
from qat.data.picture_set import PictureSet
from qat.freezing.freezing import freeze
from qat.preparation.preparation import prepare

CALIBRATION_CROPS, JUDGED_CROPS = 16, 320
BATCH = 20  # pictures that the float net computes at a time


class Judge:
    """Compares scores with the float net's on crops of photographs that were not used for calibration."""

    def __init__(self, net: EfficientNetLite0) -> None:
        self._pictures = crops(JUDGED, JUDGED_CROPS, seed=2)
        self.tensors = self._pictures.tensors(net.image)
        self._pixels = self._pictures.bytes(net.image)
        with torch.no_grad():
            self._wanted = torch.cat([net(batch) for batch in self.tensors.split(BATCH)]).numpy()

    def of_scores(self, scores: NDArray[Any]) -> Comparison:
        """Compares a runtime's scores (320, 1000)."""
        return compare(scores, self._wanted)

    def of_program(self, program: Program) -> Comparison:
        """Compares the reference's scores, which are the phone's."""
        codes = Reference(program.graph).run(self._pixels)
        assert program.graph.output.quantization is not None
        return self.of_scores(in_steps(codes, program.graph) * program.graph.output.quantization.scale)


def ours(
    net: EfficientNetLite0, contract: Contract, pictures: PictureSet, plan: CalibrationPlan
) -> Iterator[tuple[str, Program]]:
    """Yields the program after every stage of calibration."""
    prepared = prepare(net, contract)
    for stage in calibration_stages(prepared, pictures, plan):
        yield stage.name, freeze(prepared, contract)


def stock_scores(net: EfficientNetLite0, calibration: PictureSet, pictures: torch.Tensor) -> NDArray[np.float32]:
    """Returns the scores of the stock flow's exported file."""
    with tempfile.TemporaryDirectory() as folder:
        converted = stock.quantize_pt2e(net, [calibration.tensors(net.image)])
        path = stock.lower_to_pte(converted, pictures[:1].contiguous(), Path(folder) / "model.pte")
        return stock.load_pte(path).logits(pictures)


def main() -> None:
    """Measures everything."""
    quiet()
    net = efficientnet_lite0().eval()
    contract = Contract(name="efficientnet_lite0", labels=net.labels, image=net.image)
    judge, calibration = Judge(net), crops(CALIBRATED, CALIBRATION_CROPS, seed=1)
    found: dict[str, Comparison] = {}
    started_s = time.monotonic()
    for stage, program in ours(net, contract, calibration, CalibrationPlan()):
        found[f"ours: {stage}"] = judge.of_program(program)
    took_s = time.monotonic() - started_s
    quick = CalibrationPlan(equalise=True, search_ranges=False, round_weights=False, reconstruct=False)
    for stage, program in ours(net, contract, calibration, quick):
        found[f"ours, equalised: {stage}"] = judge.of_program(program)
    for stage, program in ours(net, contract, synthesise(net, contract), CalibrationPlan.made_up()):
        found[f"ours, without data: {stage}"] = judge.of_program(program)
    found["stock"] = judge.of_scores(stock_scores(net, calibration, judge.tensors))
    print(f"ours, every stage judged: {took_s:.0f} s")
    write_result(
        "calibration", [_row(*each) for each in found.items()], ExecuTorchRuntime().versions(), _targets(found)
    )


def _row(title: str, each: Comparison) -> dict[str, Any]:
    return {
        "flow": title,
        "pictures": JUDGED_CROPS,
        "SQNR dB": round(_db(each), 2),
        "same top-1 %": round(100 * each.top1_agreement, 1),
    }


def _targets(found: dict[str, Comparison]) -> list[Target]:
    theirs, ours, without = (
        found[title] for title in ("stock", "ours: reconstruction", "ours, without data: reconstruction")
    )
    work = "EfficientNet-Lite0 calibrated on 16 crops"
    absolute = {"judged": "ours", "sense": "at least"}
    share = {"unit": "%", "stock": 100 * theirs.top1_agreement, "ours": 100 * ours.top1_agreement}
    return [
        Target.gain(f"{work}: SQNR of the scores", "dB", stock=_db(theirs), ours=_db(ours), at_least=6),
        Target(
            work=f"{work}: SQNR of the scores",
            unit="dB",
            stock=_db(theirs),
            ours=_db(ours),
            figure=_db(ours),
            bound=20,
            **absolute,
        ),  # type: ignore[arg-type]
        Target(work=f"{work}: same winner as float32", figure=share["ours"], bound=95, **share, **absolute),  # type: ignore[arg-type]
        Target(
            work="the same without data: below the result with pictures",
            unit="dB",
            stock=None,
            ours=_db(without),
            judged="with − without",
            figure=_db(ours) - _db(without),
            bound=3,
            sense="at most",
        ),
    ]


def _db(comparison: Comparison) -> float:
    assert comparison.sqnr_db is not None, "int8 scores are never equal to float ones"
    return comparison.sqnr_db


if __name__ == "__main__":
    main()
