"""Quantizes MobileNetV2 with its ImageNet weights from ten photographs without labels, and from sixteen unusual crops.

Run: python -m benchmarks.quantization.few_photographs

Ten ordinary photographs are calibrated on, then learned from, for 40 epochs of 160 crops; 320 crops of ten others are
judged. The unusual crops are of textures, coins, the sky, a retina; 160 crops of four photographs of things are judged.
Stock is PT2E with XNNPACKQuantizer on the same pictures, its exported .pte run by ExecuTorch; ours is the reference,
which every bundle equals in every element. Seconds are those of one run on a machine that may do other things.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.against import stock
from benchmarks.core.photographs import JUDGED, ORDINARY, ORDINARY_OTHERS, UNUSUAL, crops, photograph
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from benchmarks.nets.trained_nets import float_mobilenet_v2
from mobile_sdk.cli.freed_memory import keep_freed_memory
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.comparison import Comparison, compare
from mobile_sdk.contract import Contract
from mobile_sdk.graph.score_steps import real_values
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.workflow.tasks.few_pictures import with_more_views
from qat.calibration.calibration import calibrate
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.freezing.freezing import freeze
from qat.layers.weighted import Weighted
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.preparation import prepare
from qat.progress import say
from qat.tasks.classification.training import fit
from qat.training.plan import TrainPlan

EPOCHS = 40
BATCH = 20  # pictures that the float net computes at a time
UNUSUAL_CROPS = 16


class Judge:
    """Compares scores with the float net's on pictures that were not calibrated on."""

    def __init__(self, net: nn.Module, contract: Contract, pictures: PictureSet) -> None:
        self._contract, self._pictures = contract, pictures
        self.tensors = pictures.tensors(contract.image)
        with torch.no_grad():
            self._wanted = torch.cat([net(batch) for batch in torch.split(self.tensors, BATCH)]).numpy()

    def row(self, flow: str, seconds: float, scores: NDArray[Any]) -> dict[str, Any]:
        """Returns a flow's row, from its scores (N, 1000)."""
        found: Comparison = compare(scores, self._wanted)
        assert found.sqnr_db is not None, "int8 scores are never equal to float ones"
        share = round(100 * found.top1_agreement, 1)
        say(f"{flow}: {found.sqnr_db:.2f} dB, {share} % of the winners, {seconds:.0f} s")
        return {
            "flow": flow,
            "crops judged": len(self._pictures),
            "SQNR dB": round(found.sqnr_db, 2),
            "same winner %": share,
            "s": round(seconds, 1),
        }

    def of_net(self, flow: str, seconds: float, net: FakeQuantNet) -> dict[str, Any]:
        """Returns the row of the integer program of a fake-quantized net."""
        program = freeze(net, self._contract)
        (scores,) = real_values(expected_scores(program, self._pictures.bytes(self._contract.image)), program.graph)
        return self.row(flow, seconds, scores)

    def activations_db(self, net: FakeQuantNet) -> float:
        """Returns the SQNR of a fake-quantized net's scores with its weights in float: the activations' own limit."""
        layers = [layer for layer in net.modules() if isinstance(layer, Weighted)]
        for layer in layers:
            layer.quantizing = False
        with torch.no_grad():
            scores = torch.cat([net.eval()(batch) for batch in torch.split(self.tensors, BATCH)]).numpy()
        for layer in layers:
            layer.quantizing = True
        found = compare(scores, self._wanted).sqnr_db
        assert found is not None
        return found

    def of_stock(self, flow: str, net: nn.Module, calibration: PictureSet) -> dict[str, Any]:
        """Returns the row of the stock flow's exported file."""
        start_s = time.perf_counter()
        converted = stock.quantize_pt2e(net, [calibration.tensors(self._contract.image)])
        seconds = time.perf_counter() - start_s
        with tempfile.TemporaryDirectory() as folder:
            path = stock.lower_to_pte(converted, self.tensors[:1].contiguous(), Path(folder) / "model.pte")
            return self.row(flow, seconds, stock.load_pte(path).logits(self.tensors))


def main() -> None:
    """Measures both sets."""
    quiet()
    keep_freed_memory()  # as the command line does
    net, contract = float_mobilenet_v2()
    whole = tuple(photograph(name) for name in ORDINARY)
    ten = PictureSet(sources=whole, targets=(-1,) * len(whole))
    judge = Judge(net, contract, crops(ORDINARY_OTHERS, 320, seed=2))
    rows = [judge.of_stock("ten photographs: stock", net, ten)]
    student, seconds = _timed(lambda: _calibrated(net, contract, ten))
    rows.append(judge.of_net("ten photographs: ours", seconds, student))
    limits = [judge.activations_db(student)]
    _, seconds = _timed(lambda: _distilled(student, net, contract, ten))
    rows.append(judge.of_net(f"ten photographs: ours, distilled, {EPOCHS} epochs", seconds, student))
    limits.append(judge.activations_db(student))
    unusual = crops(UNUSUAL, UNUSUAL_CROPS, seed=1)
    judge = Judge(net, contract, crops(JUDGED, 160, seed=2))
    rows.append(judge.of_stock("16 unusual crops: stock", net, unusual))
    student, seconds = _timed(lambda: _calibrated(net, contract, unusual))
    rows.append(judge.of_net("16 unusual crops: ours", seconds, student))
    limits.append(judge.activations_db(student))
    write_result("few_photographs", rows, ExecuTorchRuntime().versions(), _targets(rows, limits))


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start_s = time.perf_counter()
    return work(), time.perf_counter() - start_s


def _calibrated(net: nn.Module, contract: Contract, pictures: PictureSet) -> FakeQuantNet:
    student = prepare(net, contract)
    calibrate(student, pictures, progress=False)
    return student


def _distilled(student: FakeQuantNet, net: nn.Module, contract: Contract, ten: PictureSet) -> None:
    pictures = Pictures(train=ten, validation=ten[:2], labels=contract.labels)
    plan, many = with_more_views(TrainPlan.distil(EPOCHS), pictures, contract)
    fit(student, many, plan, teacher=net, contract=contract, progress=False)


def _targets(rows: list[dict[str, Any]], limits: list[float]) -> list[Target]:
    stock_ten, ten, distilled, stock_unusual, unusual = rows
    bounds = ((ten, stock_ten, 24.0, 98.5), (distilled, stock_ten, 26.0, 99.0), (unusual, stock_unusual, 20.0, 93.0))
    found = []
    for (ours, theirs, decibels, share), limit_db in zip(bounds, limits, strict=True):
        limit = (
            f"with its weights in float, rounding the activations alone leaves {limit_db:.1f} dB on these photographs"
        )
        for column, unit, bound in (("SQNR dB", "dB SQNR", decibels), ("same winner %", "% same winner", share)):
            work = f"MobileNetV2, {ours['flow'].replace(': ours', '')}"
            numbers = {"stock": theirs[column], "ours": ours[column], "figure": ours[column], "bound": bound}
            found.append(Target(work=work, unit=unit, judged="ours", sense="at least", limit=limit, **numbers))
    return found


if __name__ == "__main__":
    main()
