"""Measures whole nets at 224 px: exactness, partitions, size, export time and latency, int8 beside float32.

Run: python -m benchmarks.speed.nets

Weights and statistics are random but realistic (EfficientNet-Lite0's are its ImageNet ones), calibrated on crops of
photographs and verified on others. Latencies are medians of interleaved rounds, one thread.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from benchmarks.core.realistic import crops, with_realistic_numbers
from benchmarks.core.results_file import write_result
from benchmarks.core.user_nets import efficientnet_lite0
from mobile_sdk import runtimes
from mobile_sdk.benchmarking.benchmark import benchmark
from mobile_sdk.benchmarking.measurements import Numbers
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.program.program import Program
from mobile_sdk.verification.verification import verify
from qat.calibration.calibration import quantize
from qat.freezing.freezing import float_twin
from qat.nets import build_net

NETS = (("mobilenet_v1", 0.5), ("mobilenet_v2", 1.0), ("mobilenet_v3_small", 1.0), ("mobilenet_v3_large", 1.0))
RUNTIMES = ("executorch", "tflite", "coreml")
MEASURED = ("executorch", "tflite")


def nets() -> Iterator[tuple[str, nn.Module, Contract]]:
    """Yields every net with its contract."""
    labels = tuple(f"class {index}" for index in range(1000))
    for name, width in NETS:
        contract = Contract(name=name, labels=labels, image=ImageSpec.torchvision())
        yield (
            f"{name} {width:g}",
            with_realistic_numbers(build_net(name, contract, width=width), contract.image),
            contract,
        )
    lite = efficientnet_lite0()
    yield "efficientnet_lite0", lite, Contract(name="efficientnet_lite0", labels=labels, image=lite.image)


def measure(title: str, net: nn.Module, contract: Contract, out: Path) -> Iterator[dict[str, Any]]:
    """Yields a row for every bundle of one net."""
    program = quantize(net, contract, crops(16, seed=1))
    export_s, bundles = {}, []
    for runtime in RUNTIMES:
        started = time.perf_counter()
        bundles += lower(program, out, runtimes=[runtime])
        export_s[runtime] = time.perf_counter() - started
    twins = lower(float_twin(net, contract), out, runtimes=MEASURED)
    measured = [bundle for bundle in bundles if bundle.manifest.runtime in MEASURED]
    numbers = benchmark([*measured, *twins])
    for bundle in bundles:
        yield {"net": title, **row(bundle, program, numbers, export_s[bundle.manifest.runtime])}


def row(bundle: Bundle, program: Program, numbers: Numbers, export_s: float) -> dict[str, Any]:
    """Returns the findings for one bundle."""
    verdict = verify(bundle, program, crops(24, seed=2))
    assert verdict.comparison is not None, "the scores were compared"
    distance = verdict.comparison
    summary = next((each.summary for each in numbers.measurements if each.bundle == bundle.path.name), None)
    ratios = [each.ratio.median for each in numbers.comparisons if each.bundle == bundle.path.name]
    return {
        "runtime": bundle.manifest.runtime,
        "scores": distance.elements,
        "differ": distance.differing,
        "most steps": round(distance.max_steps, 2),
        "SQNR dB": "equal" if distance.sqnr_db is None else round(distance.sqnr_db, 1),
        "same top-1 %": round(100 * distance.top1_agreement, 1),
        "partitions": bundle.manifest.structure.partitions,
        "MiB": round(bundle.model_bytes / 2**20, 2),
        "export s": round(export_s, 2),
        "median ms": round(summary.median_ms, 2) if summary else "not run",
        "int8 / float32": round(ratios[0], 2) if ratios else "not run",
    }


def main() -> None:
    """Measures everything; some three minutes on two cores."""
    quiet()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for title, net, contract in nets():
            rows += measure(title, net, contract, Path(folder) / contract.name)
    versions = {package: version for name in RUNTIMES for package, version in runtimes.get(name).versions().items()}
    write_result("nets", rows, versions)


if __name__ == "__main__":
    main()
