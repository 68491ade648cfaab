"""EfficientNet-Lite0 in int8 without training: stock, ours stage by stage, ours without any data.

Run: python -m benchmarks.calibration

Calibrated on 16 crops of 14 photographs, judged on 320 crops of four others, against the float net. Stock is PT2E with
XNNPACKQuantizer on the same 16 crops, its exported .pte run by ExecuTorch; ours is the reference, which every bundle
equals in every element. Some ten minutes on two cores.
"""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import stock
from benchmarks.photographs import CALIBRATED, JUDGED, crops
from benchmarks.results_file import write_result
from benchmarks.targets import Target
from mobile_sdk.agreement import in_steps
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract
from mobile_sdk.numerics import Comparison, compare
from mobile_sdk.program import Program
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.reference import Reference
from qat.calibration import quantize
from qat.calibration_plan import CalibrationPlan
from qat.picture_set import PictureSet
from qat.synthesis import synthesise
from tests.user_nets import EfficientNetLite0, efficientnet_lite0

CALIBRATION_CROPS, JUDGED_CROPS = 16, 320
BATCH = 20  # pictures that the float net computes at a time


class Judge:
    """Compares scores with the float net's on crops of photographs that nobody calibrated on."""

    def __init__(self, net: EfficientNetLite0) -> None:
        self._pictures = crops(JUDGED, JUDGED_CROPS, seed=2)
        self.tensors = self._pictures.tensors(net.image)
        self._pixels = self._pictures.bytes(net.image)
        with torch.no_grad():
            self._wanted = torch.cat([net(batch) for batch in self.tensors.split(BATCH)]).numpy()

    def of_scores(self, scores: NDArray[Any]) -> Comparison:
        """Of a runtime's scores (320, 1000)."""
        return compare(scores, self._wanted)

    def of_program(self, program: Program) -> Comparison:
        """Of the reference, and so of the phone."""
        codes = Reference(program.graph).run(self._pixels)
        assert program.graph.output.quantization is not None
        return self.of_scores(in_steps(codes, program.graph) * program.graph.output.quantization.scale)


def plans() -> Iterator[tuple[str, CalibrationPlan]]:
    """Ours, a stage more each time; then what the default leaves out."""
    plan = CalibrationPlan.extremes()
    yield "ours, extremes and nearest codes", plan
    for stage in ("search_ranges", "round_weights", "correct_biases", "reconstruct"):
        plan = replace(plan, **{stage: True})
        yield f"ours, + {stage.replace('_', ' ')}", plan
    yield "ours, equalised, not reconstructed", replace(plan, equalise=True, reconstruct=False)


def stock_scores(net: EfficientNetLite0, calibration: PictureSet, pictures: torch.Tensor) -> NDArray[np.float32]:
    """What the stock flow's exported file computes."""
    with tempfile.TemporaryDirectory() as folder:
        converted = stock.quantize_pt2e(net, [calibration.tensors(net.image)])
        path = stock.lower_to_pte(converted, pictures[:1].contiguous(), Path(folder) / "model.pte")
        return stock.load_pte(path).logits(pictures)


def without_data(net: EfficientNetLite0, contract: Contract) -> Program:
    """Ours, on pictures made up from batch norms."""
    return quantize(net, contract, synthesise(net, contract), CalibrationPlan.made_up())


def main() -> None:
    """Measures everything."""
    quiet()
    net = efficientnet_lite0().eval()
    contract = Contract(name="efficientnet_lite0", labels=net.labels, image=net.image)
    judge, calibration = Judge(net), crops(CALIBRATED, CALIBRATION_CROPS, seed=1)
    found: dict[str, Comparison] = {}
    took_s: dict[str, float] = {}

    def measure(title: str, judged: Any) -> None:
        started_s = time.monotonic()
        found[title] = judged()
        took_s[title] = time.monotonic() - started_s

    measure("stock", lambda: judge.of_scores(stock_scores(net, calibration, judge.tensors)))
    for title, plan in plans():
        measure(title, lambda plan=plan: judge.of_program(quantize(net, contract, calibration, plan)))
    measure("ours, without data", lambda: judge.of_program(without_data(net, contract)))
    rows = [_row(title, each, took_s[title]) for title, each in found.items()]
    write_result("calibration", rows, ExecuTorchRuntime().versions(), _targets(found))


def _row(title: str, each: Comparison, took_s: float) -> dict[str, Any]:
    return {
        "flow": title,
        "pictures": JUDGED_CROPS,
        "SQNR dB": round(_db(each), 2),
        "same top-1 %": round(100 * each.top1_agreement_share, 1),
        "calibrated and judged, s": round(took_s, 1),
    }


def _targets(found: dict[str, Comparison]) -> list[Target]:
    theirs, ours, without = found["stock"], found["ours, + reconstruct"], found["ours, without data"]
    work = "EfficientNet-Lite0 calibrated on 16 crops"
    absolute = {"judged": "ours", "sense": "at least"}
    share = {"unit": "%", "stock": 100 * theirs.top1_agreement_share, "ours": 100 * ours.top1_agreement_share}
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
