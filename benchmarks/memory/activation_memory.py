"""Measures activation memory with strips within a limit and with split inverted residuals, and their cost in time.

Run: python -m benchmarks.memory.activation_memory

The net is MobileNetV2 1.0 at 224 px with 1,000 classes, int8, with random but realistic numbers. XNNPACK's workspace is
found among the blocks on the heap of a process that runs the bundle. Latencies are medians of interleaved rounds, one
thread; a way's cost is the median of its ratio to the whole net within a round, which bursts of a shared machine move
least. Accuracy is that of the same net trained on the built-in digits at 32 px. It takes some ten minutes of a core.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.core.latency import ROUNDS, RUNS, interleaved_rounds
from benchmarks.core.realistic import crops, with_realistic_numbers
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from benchmarks.memory.heap import Heap, measure_heap
from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.comparison import top1
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.graph.reference import Reference
from mobile_sdk.memory.limit import executed, multiply_adds
from mobile_sdk.memory.plan import plan_memory
from mobile_sdk.memory.usage import least_bytes, peak_bytes, tensor_bytes
from mobile_sdk.program.program import Program
from mobile_sdk.system.environment import installed_versions
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.data.pictures import Pictures, load_mnist
from qat.nets import build_net
from qat.preparation.block_splitting import split_blocks
from qat.progress import say
from qat.tasks.classification.training import fit
from qat.training.plan import TrainPlan

NET = "mobilenet_v2"
PARTS = {"features.2": 6, "features.3": 3}
SUFFIXES = {"executorch": ".pte", "tflite": ".tflite"}
SPLIT_LIMIT = (
    "features.1 has no expansion to split: its 32 channels of 112 x 112 in and out are 784 KiB, whatever the other "
    "blocks are. Strips take that block, too"
)
PARTS_LIMIT = (
    "parts of 16 and 48 channels, beyond the paper's 2 to 5 parts: their convolutions read the block's input again for "
    "each part, and each but the first adds a sum. With 4 and 2 parts the arena is 980 KiB"
)
ROUNDED_LIMIT = "every partial sum is rounded to a grid of its own; strips round nothing"


@dataclass(frozen=True, kw_only=True)
class Way:
    """Describes one way to execute the net."""

    name: str
    program: Program
    limit_kib: int | None = None


def ways() -> Iterator[Way]:
    """Yields the net as it is, in strips within three limits, in parts, and both."""
    contract = Contract(name=NET, labels=tuple(map(str, range(1000))), image=ImageSpec.torchvision())
    net = with_realistic_numbers(build_net(NET, contract), contract.image)
    whole, split = (
        quantize(each, contract, crops(16, seed=1), CalibrationPlan.extremes())
        for each in (net, split_blocks(net, PARTS))
    )
    peak_kib = peak_bytes(whole.graph) // 1024
    yield Way(name="whole", program=whole)
    for divisor, name in ((2, "half"), (2.5, "two fifths"), (3, "a third")):
        yield Way(name=f"strips, {name}", program=whole, limit_kib=int(peak_kib / divisor))
    yield Way(name="parts", program=split)
    yield Way(name="parts and strips, half", program=split, limit_kib=peak_kib // 2)


def measure(folder: Path) -> tuple[list[dict[str, Any]], list[Target]]:
    """Returns a row for every way and runtime, and the targets."""
    rows: list[dict[str, Any]] = []
    runs: dict[tuple[str, str], Callable[[], object]] = {}
    found: dict[tuple[str, str], int] = {}
    for way in ways():
        bundles = lower(way.program, folder / way.name, runtimes=list(SUFFIXES), activation_limit_kib=way.limit_kib)
        for bundle in bundles:
            key = (way.name, bundle.manifest.runtime)
            runs[key], heap = _run(bundle, way.program), measure_heap(bundle)
            rows.append(row(way, bundle, heap))
            found[key] = activation_bytes(way, heap)
            say(str(rows[-1]))
    rounds = interleaved_rounds({" ".join(key): run for key, run in runs.items()}, rounds=ROUNDS, runs=RUNS)
    ms = {key: np.median(rounds[" ".join(key)], axis=1) for key in runs}
    for each in rows:
        key = (each["way"], each["runtime"])
        taken, whole = ms[key], ms["whole", key[1]]
        each |= {"ms": round(float(np.median(taken)), 3), "ms / whole": round(float(np.median(taken / whole)), 3)}
    return rows, [target for runtime in SUFFIXES for target in targets(runtime, found, ms)]


def row(way: Way, bundle: Bundle, heap: Heap) -> dict[str, Any]:
    """Returns the planned and the measured memory of one bundle."""
    graph = executed(way.program.graph, way.limit_kib)
    plan = plan_memory(graph)
    kib = {
        "equation (2)": least_bytes(graph),
        "alive": plan.peak_bytes,
        "arena": plan.arena_bytes,
        "workspace found": heap.block_of(plan.arena_bytes),
        "with the picture": activation_bytes(way, heap),
        "heap": heap.live_bytes,
        "heap at most": heap.peak_bytes,
        "high water": heap.high_water_bytes,
    }
    return {
        "way": way.name,
        "runtime": bundle.manifest.runtime,
        "operators": len(graph.operators),
        "M multiply-adds": round(multiply_adds(graph) / 1e6, 1),
        **{f"{name} KiB": round(size / 1024) for name, size in kib.items()},
    }


def activation_bytes(way: Way, heap: Heap) -> int:
    """Returns XNNPACK's workspace, as found, and the tensors outside it: the picture's bytes and the scores."""
    graph = executed(way.program.graph, way.limit_kib)
    return heap.block_of(plan_memory(graph).arena_bytes) + sum(map(tensor_bytes, (graph.input, graph.output)))


def targets(
    runtime: str, found: Mapping[tuple[str, str], int], ms: Mapping[tuple[str, str], NDArray[np.float64]]
) -> Iterator[Target]:
    """Yields the targets: half the memory at no more than 15 % more time."""
    whole = ("whole", runtime)
    for name in ("strips, half", "parts", "parts and strips, half"):
        work = f"{NET} 1.0 at 224 px {SUFFIXES[runtime]}, {name}"
        too_wide, too_slow = SPLIT_LIMIT if name == "parts" else "", PARTS_LIMIT if "parts" in name else ""
        stock, ours = found[whole] / 2**10, found[name, runtime] / 2**10
        yield Target.ratio(f"{work}: activations", "KiB", stock=stock, ours=ours, at_most=0.5, limit=too_wide)
        yield Target(
            work=f"{work}: latency",
            unit="ms",
            stock=float(np.median(ms[whole])),
            ours=float(np.median(ms[name, runtime])),
            judged="ours / stock in a round",
            figure=float(np.median(ms[name, runtime] / ms[whole])),
            bound=1.15,
            sense="at most",
            limit=too_slow,
        )


def accuracy() -> Iterator[Target]:
    """Yields int8's accuracy on digits in strips and in parts, beside the whole net, all calibrated alike."""
    pictures = load_mnist(seed=0)
    contract = Contract(name="digits", labels=pictures.labels, image=ImageSpec(size_px=32))
    torch.manual_seed(0)
    net = build_net(NET, contract)
    fit(net, pictures, TrainPlan.digits(epochs=5), progress=False)
    whole = _share(net.eval(), contract, pictures, None)
    limit_kib = peak_bytes(quantize(net, contract, pictures.train[:16], CalibrationPlan.extremes()).graph) // 2048
    shares = {
        "strips, half": _share(net, contract, pictures, limit_kib),
        "parts": _share(split_blocks(net, PARTS), contract, pictures, None),
    }
    for name, share in shares.items():
        work = f"{NET} 1.0 on 1,000 digits, int8, {name}"
        limit = ROUNDED_LIMIT if name == "parts" else ""
        yield Target.gain(work, "% top-1", stock=100 * whole, ours=100 * share, at_least=-0.2, limit=limit)


def _share(net: nn.Module, contract: Contract, pictures: Pictures, limit_kib: int | None) -> float:
    program = quantize(net, contract, pictures.train, CalibrationPlan(reconstruct=False))
    codes = Reference(executed(program.graph, limit_kib)).run(pictures.validation.bytes(contract.image))
    return float((top1(codes) == np.array(pictures.validation.targets)).mean())


def _run(bundle: Bundle, program: Program) -> Callable[[], object]:
    """Returns a run of the bundle on a picture, after a check that it is 0 steps from the whole program's reference."""
    picture = crops(1, seed=2).bytes(program.contract.image)[0]
    session = runtimes.get(bundle.manifest.runtime).load(bundle.model_path, bundle.interface, threads=1)
    expected = Reference(program.graph).run(picture[None])[0]
    assert np.array_equal(session.run(picture), expected), f"{bundle.path} is 0 steps from the reference"
    return partial(session.run, picture)


def main() -> None:
    """Measures everything."""
    quiet()
    with tempfile.TemporaryDirectory() as folder:
        rows, judged = measure(Path(folder))
    judged += accuracy()
    versions = installed_versions(("mobile-sdk", "executorch", "ai-edge-litert", "torch"))
    write_result("activation_memory", rows, versions, judged)


if __name__ == "__main__":
    main()
