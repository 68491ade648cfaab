"""Compares QAT of MobileNetV3-Large by the stock flow and by ours, on the exported files (pytorch#114859).

Run: python -m benchmarks.accuracy.stock_qat

Both start from one float net and use the same epochs, batches and seed: torchao's PT2E QAT with XNNPACKQuantizer, and
this SDK's, which trains on labels at the same rates, or by distillation from the float net. Accuracies are those of the
exported files in their runtimes on the 1,000 held-out digits; stock's file is also compared with its own fake-quantized
net.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchao.quantization.pt2e import disable_observer, enable_observer

import mobile_sdk as sdk
from benchmarks.against.stock import Scores, convert_qat, load_pte, lower_to_pte, prepare_qat
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from mobile_sdk import runtimes
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.comparison import compare, top1
from mobile_sdk.devices import Host
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.system.environment import installed_versions
from qat.calibration.calibration import calibrate
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures, load_mnist
from qat.freezing.freezing import freeze
from qat.nets import build_net
from qat.preparation.preparation import prepare
from qat.progress import say
from qat.tasks.classification.training import contract_of, fit, scores
from qat.training.plan import TrainPlan

FLOAT_EPOCHS, QAT_EPOCHS = 8, 2
PLANS = {"labels": TrainPlan.finetune, "float net": TrainPlan.distil}


class StockNet(nn.Module):
    """Puts the stock flow's fake-quantized net under `fit`'s schedule.

    Batch norm follows to the end, as in its guide.
    """

    def __init__(self, net: nn.Module, contract: sdk.Contract) -> None:
        super().__init__()
        side = contract.image.size_px
        self.contract = contract
        self.prepared = prepare_qat(net, torch.zeros(2, 3, side, side))

    def forward(self, rgb: Tensor) -> Tensor:
        """Returns scores (N, classes)."""
        scores: Tensor = self.prepared(rgb)
        return scores

    def learn_steps(self) -> None:
        """Does nothing: the stock flow has no such phase."""

    def set_phase(self, *, freeze_observers: bool, freeze_batch_norm: bool, learn_steps: bool = False) -> None:
        """Sets the observers' part of the schedule."""
        self.prepared.apply(disable_observer if freeze_observers else enable_observer)


def main() -> None:
    """Trains three times, exports twice, counts."""
    quiet()
    pictures = load_mnist()
    contract = sdk.Contract(name="digits", labels=pictures.labels, image=sdk.ImageSpec(size_px=32))
    torch.manual_seed(0)
    net = build_net("mobilenet_v3_large", contract)
    plan = TrainPlan.digits(epochs=FLOAT_EPOCHS)
    fit(net, pictures, plan)
    wanted = scores(net, pictures.validation, contract).numpy()
    with tempfile.TemporaryDirectory() as folder:
        flows = [by_stock(net, pictures, plan, Path(folder))]
        flows += [by_us(net, pictures, plan, learns_from, Path(folder)) for learns_from in PLANS]
    rows = [row(flow, wanted, pictures.validation) for flow in flows]
    write_result("stock_qat", rows, installed_versions(("torch", "torchao", "executorch")), targets(rows))


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Holds one flow's scores (pictures, classes): its fake-quantized net's, and those of its exported files."""

    name: str
    simulated: Scores
    files: dict[str, Scores]


def by_stock(net: nn.Module, pictures: Pictures, plan: TrainPlan, folder: Path) -> Flow:
    """Runs the stock flow, down to its `.pte` in its runtime."""
    contract = contract_of(net)
    student = StockNet(net, contract)
    fit(student, pictures, TrainPlan.finetune(QAT_EPOCHS, after=plan))
    simulated = scores(student, pictures.validation, contract).numpy()
    rgb = pictures.validation.tensors(contract.image)
    say("lowering by the stock flow")
    student.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # it refuses channels last
    model = load_pte(lower_to_pte(convert_qat(student.prepared), rgb[:1].contiguous(), folder / "stock.pte"))
    return Flow(name="stock PT2E QAT", simulated=simulated, files={"executorch": model.logits(rgb)})


def by_us(net: nn.Module, pictures: Pictures, plan: TrainPlan, learns_from: str, folder: Path) -> Flow:
    """Runs our flow, down to its files in their runtimes."""
    contract, own_plan = contract_of(net), PLANS[learns_from](QAT_EPOCHS, after=plan)
    student = prepare(net, contract)
    calibrate(student, pictures.train)
    fit(student, pictures, own_plan, teacher=net if own_plan.distillation else None)
    program = freeze(student, contract)
    pixels = pictures.validation.bytes(contract.image)
    bundles = sdk.lower(program, folder / learns_from, runtimes=("executorch", "tflite"), pictures=pictures.validation)
    files = {bundle.manifest.runtime: of_codes(program, run_on_host(bundle, pixels)) for bundle in bundles}
    simulated = of_codes(program, expected_scores(program, pixels))
    return Flow(name=f"ours, learning from the {learns_from}", simulated=simulated, files=files)


def run_on_host(bundle: sdk.Bundle, pixels: NDArray[np.uint8]) -> NDArray[np.generic]:
    """Returns the file's codes (pictures, classes) for RGB bytes (pictures, H, W, 3)."""
    with Host().loaded(runtimes.get(bundle.manifest.runtime), bundle.model_path, bundle.interface) as run:
        return run(pixels)


def of_codes(program: sdk.Program, codes: NDArray[np.generic]) -> Scores:
    """Returns scores in the float net's unit."""
    assert program.graph.output.quantization is not None
    return in_steps(codes, program.graph).astype(np.float32) * np.float32(program.graph.output.quantization.scale)


def row(flow: Flow, wanted: Scores, pictures: PictureSet) -> dict[str, Any]:
    """Returns accuracies, and the file's distance from the float net and from the evaluated fake-quantized net."""
    on_file = flow.files["executorch"]
    of_float, of_simulation = compare(on_file, wanted), compare(on_file, flow.simulated)
    return {
        "flow": flow.name,
        "float %": percent(wanted, pictures),
        "fake-quantized %": percent(flow.simulated, pictures),
        ".pte %": percent(on_file, pictures),
        ".tflite %": percent(flow.files["tflite"], pictures) if "tflite" in flow.files else "–",
        ".pte beside float, dB": round(of_float.sqnr_db or 0.0, 1),
        ".pte beside fake-quantized": "equal" if of_simulation.is_exact else f"{of_simulation.sqnr_db:.1f} dB",
    }


def percent(found: Scores, pictures: PictureSet) -> float:
    """Returns top-1 accuracy in percent."""
    return round(100 * float((top1(found) == np.array(pictures.targets)).mean()), 2)


def targets(rows: Sequence[dict[str, Any]]) -> list[Target]:
    """Compares the file of the command line's own training with the stock flow's; a picture is 0.1 points."""
    stock, ours = rows[0], rows[-1]
    return [
        Target.gain(f"MobileNetV3-Large QAT on digits, {what}", unit, stock=stock[key], ours=ours[key], at_least=bound)
        for what, key, unit, bound in (
            ("accuracy of the .pte", ".pte %", "% top-1", -0.1),
            ("scores of the .pte beside float", ".pte beside float, dB", "dB", 0.0),
        )
    ]


if __name__ == "__main__":
    main()
