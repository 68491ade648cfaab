"""Compares the speed of the reference with that of the float32 PyTorch net, in pictures per second.

Run: python -m benchmarks.speed.reference

The reference computes what the phone computes. MobileNets 1.0 at 224 px run in batches of 16, on two threads at most;
figures are medians of rounds that take turns.
"""

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from benchmarks.core.realistic import crops, with_realistic_numbers
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.graph.reference import Reference
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.nets import build_net

NETS = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large")
PICTURES, ROUNDS = 32, 9
BATCH = 16  # as the reference takes them


def pictures_per_s(name: str) -> tuple[float, float]:
    """Returns the speed of the float32 net, channels last, and of the reference."""
    labels = tuple(f"class {index}" for index in range(1000))
    contract = Contract(name=name, labels=labels, image=ImageSpec.torchvision())
    net = with_realistic_numbers(build_net(name, contract), contract.image)
    reference = Reference(quantize(net, contract, crops(16, seed=1), CalibrationPlan.extremes()).graph)
    shown = crops(PICTURES, seed=2)
    rgb, tensors = shown.bytes(contract.image), shown.tensors(contract.image)
    net = net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = tensors.contiguous(memory_format=torch.channels_last).split(BATCH)

    def forward() -> None:
        with torch.inference_mode():
            for batch in batches:
                net(batch)

    float_s, reference_s = zip(*_rounds(forward, lambda: reference.run(rgb)), strict=True)
    return PICTURES / float(np.median(float_s)), PICTURES / float(np.median(reference_s))


def main() -> None:
    """Measures every net; two minutes."""
    quiet()
    rows, targets = [], []
    for name in NETS:
        floats, reference = pictures_per_s(name)
        rows.append({"net": name, "float32 pictures/s": round(floats, 1), "reference pictures/s": round(reference, 1)})
        targets.append(
            Target(
                work=f"reference of {name} against the float32 PyTorch net",
                unit="pictures/s",
                stock=floats,
                ours=reference,
                judged="ours / float32",
                figure=reference / floats,
                bound=0.5,
                sense="at least",
            )
        )
    write_result("reference", rows, {"torch": torch.__version__}, targets)


def _rounds(*runs: Callable[[], object]) -> Iterator[list[float]]:
    """Yields the seconds of each run, round by round, after one that warms up."""
    for index in range(ROUNDS + 1):
        taken = []
        for run in runs:
            started = time.perf_counter()
            run()
            taken.append(time.perf_counter() - started)
        if index:
            yield taken


if __name__ == "__main__":
    main()
