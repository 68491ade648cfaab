"""Measures the time to write a net for all three runtimes: `lower`, beside ExecuTorch, litert-torch and coremltools.

Run: make bench, or python -m benchmarks.speed.export in its environment

The net is MobileNetV3-Small 1.0 at 224 px, calibrated on 16 crops of photographs. Times are seconds of wall clock; both
sides start from a net that is quantized already, and imports are not counted.
"""

import importlib
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.against import stock
from benchmarks.core.realistic import crops, with_realistic_numbers
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.nets import build_net

RUNTIMES = ("executorch", "tflite", "coreml")
PACKAGES = ("executorch", "litert-torch", "coremltools", "torch", "torchao")
IMPORTED = (
    "executorch.exir",
    "executorch.backends.xnnpack.partition.xnnpack_partitioner",
    "litert_torch",
    "coremltools",
)


def main() -> None:
    """Writes every file once in both ways; some two minutes."""
    quiet()
    for module in IMPORTED:
        with stock.quiet_flow():
            importlib.import_module(module)
    contract = Contract(name="v3", labels=tuple(map(str, range(1000))), image=ImageSpec.torchvision())
    net = with_realistic_numbers(build_net("mobilenet_v3_small", contract), contract.image)
    calibration = crops(16, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        program = quantize(net, contract, calibration, CalibrationPlan.extremes())
        ours = {name: partial(lower, program, Path(folder), runtimes=[name]) for name in RUNTIMES}
        theirs = stock_exports(net, calibration.tensors(contract.image).contiguous(), Path(folder))
        rows = [{"runtime": name, "stock s": seconds(theirs[name]), "ours s": seconds(ours[name])} for name in RUNTIMES]
    versions = {name: metadata.version(name) for name in PACKAGES}
    write_result("export", [_rounded(row) for row in rows], versions, targets(rows))


def stock_exports(net: nn.Module, pictures: torch.Tensor, folder: Path) -> Mapping[str, Callable[[], object]]:
    """Runs each converter on the net of its own quantizer; coremltools on the float net."""
    shown = pictures[:1]
    for_executorch = stock.quantize_pt2e(net, [pictures])
    for_litert = stock.quantize_for_litert(net, [pictures])
    return {
        "executorch": partial(stock.lower_to_pte, for_executorch, shown, folder / "stock.pte"),
        "tflite": partial(stock.lower_to_tflite, for_litert, shown, folder / "stock.tflite"),
        "coreml": partial(stock.to_coreml, net, shown, folder / "stock.mlpackage"),
    }


def targets(rows: list[dict[str, Any]]) -> list[Target]:
    """Compares all three runtimes together, and TFLite alone."""
    by_name = {row["runtime"]: row for row in rows}
    stock_s, ours_s = (sum(row[f"{side} s"] for row in rows) for side in ("stock", "ours"))
    tflite = by_name["tflite"]
    common: dict[str, Any] = {"unit": "s", "judged": "ours", "sense": "at most"}
    work = "export of mobilenet_v3_small 224"
    return [
        Target(work=f"{work} to three runtimes", stock=stock_s, ours=ours_s, figure=ours_s, bound=20, **common),
        Target(
            work=f"{work} to .tflite",
            stock=tflite["stock s"],
            ours=tflite["ours s"],
            figure=tflite["ours s"],
            bound=1,
            **common,
        ),
    ]


def seconds(write: Callable[[], object]) -> float:
    """Returns the seconds that `write` takes."""
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write()
    return time.perf_counter() - started


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()}


if __name__ == "__main__":
    main()
