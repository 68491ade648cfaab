"""QAT of MobileNetV3-Large by the stock flow and by ours, judged on the files that come out (pytorch#114859).

Run: python -m benchmarks.stock_qat

One float net, then the same epochs, batches, rates and seed for both: torchao's PT2E QAT with XNNPACKQuantizer, and
this SDK's. Accuracies are of the 1,000 held-out digits, by the exported files in their runtimes; beside stock's file
stands what its own fake-quantized net says.
"""

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchao.quantization.pt2e import disable_observer, enable_observer

import mobile_sdk as sdk
from benchmarks.results_file import write_result
from benchmarks.stock import convert_qat, load_pte, lower_to_pte, prepare_qat
from benchmarks.targets import Target
from mobile_sdk.cli.terminal import quiet, say
from mobile_sdk.environment import installed_versions
from qat.calibration import calibrate
from qat.data import Pictures, load_mnist
from qat.distillation import Distillation
from qat.freezing import freeze
from qat.nets import build_net
from qat.plan import TrainPlan
from qat.preparation import prepare
from qat.training import contract_of, evaluate, fit

FLOAT_EPOCHS, QAT_EPOCHS = 8, 2
TEACHERS: dict[str, Distillation | None] = {"labels": None, "the float net": Distillation()}


class StockNet(nn.Module):
    """The stock flow's fake-quantized net under `fit`'s schedule; batch norm follows to the end, as in its guide."""

    def __init__(self, net: nn.Module, contract: sdk.Contract) -> None:
        super().__init__()
        side = contract.image.size_px
        self.contract = contract
        self.prepared = prepare_qat(net, torch.zeros(2, 3, side, side))

    def forward(self, rgb: Tensor) -> Tensor:
        """Scores (N, classes)."""
        scores: Tensor = self.prepared(rgb)
        return scores

    def at(self, *, freeze_observers: bool, freeze_batch_norm: bool) -> None:
        """The observers' part of the schedule."""
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
    in_float = 100 * evaluate(net, pictures.validation)
    with tempfile.TemporaryDirectory() as folder:
        simulated, on_file = by_stock(net, pictures, plan, contract, Path(folder))
        ours = {title: by_us(net, pictures, plan, each, Path(folder) / title) for title, each in TEACHERS.items()}
    rows = [
        row("stock PT2E QAT", in_float, simulated, {"executorch": on_file}),
        *(row(f"ours, learning from {title}", in_float, None, files) for title, files in ours.items()),
    ]
    write_result("stock_qat", rows, installed_versions(("torch", "torchao", "executorch")), targets(on_file, ours))


def by_stock(
    net: nn.Module, pictures: Pictures, plan: TrainPlan, contract: sdk.Contract, folder: Path
) -> tuple[float, float]:
    """Accuracies in percent: of the fake-quantized net, and of the `.pte` that it becomes."""
    student = StockNet(net, contract)
    fit(student, pictures, TrainPlan.finetune(QAT_EPOCHS, after=plan))
    simulated = 100 * evaluate(student, pictures.validation)
    rgb = pictures.validation.tensors(contract.image)
    say("lowering by the stock flow")
    student.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # it refuses channels last
    model = load_pte(lower_to_pte(convert_qat(student.prepared), rgb[:1].contiguous(), folder / "stock.pte"))
    right = torch.from_numpy(model.logits(rgb)).argmax(dim=1) == torch.tensor(pictures.validation.targets)
    return simulated, 100 * right.double().mean().item()


def by_us(
    net: nn.Module, pictures: Pictures, plan: TrainPlan, distillation: Distillation | None, folder: Path
) -> dict[str, float]:
    """Accuracies in percent of the files that a net becomes, by their runtimes."""
    contract = contract_of(net)
    student = prepare(net, contract)
    calibrate(student, pictures.train)
    finetuning = TrainPlan.finetune(QAT_EPOCHS, after=plan, distillation=distillation)
    fit(student, pictures, finetuning, teacher=net if distillation else None)
    program = freeze(student, contract)
    bundles = sdk.lower(program, folder, runtimes=("executorch", "tflite"), pictures=pictures.validation)
    verdicts = [sdk.verify(bundle, program, pictures.validation) for bundle in bundles]
    assert all(verdict.accuracy and verdict.comparison and verdict.comparison.is_exact for verdict in verdicts)
    return {verdict.runtime: 100 * verdict.accuracy.share for verdict in verdicts if verdict.accuracy}


def row(flow: str, in_float: float, simulated: float | None, files: dict[str, float]) -> dict[str, Any]:
    """One flow's accuracies; ours are simulated exactly, so that the reference's is the file's."""
    return {
        "flow": flow,
        "float %": round(in_float, 2),
        "fake-quantized %": "the file's" if simulated is None else round(simulated, 2),
        ".pte %": round(files["executorch"], 2),
        ".tflite %": round(files["tflite"], 2) if "tflite" in files else "–",
    }


def targets(stock: float, ours: dict[str, dict[str, float]]) -> list[Target]:
    """Ours, as the command line trains, is at least as good on the same runtime."""
    work = "MobileNetV3-Large QAT on digits, accuracy of the .pte"
    return [Target.gain(work, "% top-1", stock=stock, ours=ours["the float net"]["executorch"], at_least=0.0)]


if __name__ == "__main__":
    main()
