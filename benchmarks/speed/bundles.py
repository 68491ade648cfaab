"""Compares the latency of our exported files with the stock files of the same net, with float32, and with peers.

Run: make bench, or python -m benchmarks.speed.bundles [NET …] in its environment

MobileNets 1.0 at 224 px have 1,000 classes and random but realistic numbers. Latencies are medians of interleaved
rounds in one process, one thread; two threads are measured apart. A stock file gets its float32 or int8 tensor
ready-made, ours the picture's bytes.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.against import peers, stock
from benchmarks.core.latency import interleaved_ms
from benchmarks.core.realistic import crops, with_realistic_numbers
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.graph.reference import Reference
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.freezing.freezing import float_twin
from qat.nets import build_net

NETS = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large")
SUFFIXES = {"executorch": ".pte", "tflite": ".tflite"}
PACKAGES = (
    "executorch",
    "ai-edge-litert",
    "litert-torch",
    "torch",
    "torchao",
    "openvino",
    "nncf",
    "onnxruntime",
    "ncnn",
)
LIMITS = {
    "mobilenet_v2 .tflite against litert-torch's int8 file": (
        "litert-torch's file of this net is int8 throughout, too: XNNPACK runs the same 35 convolutions, 17 depthwise "
        "ones and 10 additions in both. In rounds where ours took 0.97, it took 0.97 without converting bytes and 0.97 "
        "without PAD operators (they are fused): what is left are XNNPACK's own kernels"
    ),
    "mobilenet_v2 .pte against XNNPACKQuantizer's file": (
        "XNNPACK runs the same int8 convolutions and additions in both, and stock's only other work is to convert from "
        "float32 and back; four runs gave 0.93 to 0.96"
    ),
}
Medians = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Holds one net with its files: ours and the float32 twins by runtime, stock's by runtime."""

    name: str
    net: nn.Module
    picture: torch.Tensor  # (1, 3, 224, 224), the net's input
    rgb: NDArray[np.uint8]
    ours: Mapping[str, Bundle]
    floats: Mapping[str, Bundle]
    stock: Mapping[str, Path]
    peers: Mapping[str, peers.Run]


def prepare(name: str, folder: Path) -> Case:
    """Writes every file of the net; some two minutes, most of them the stock tools'."""
    labels = tuple(f"class {index}" for index in range(1000))
    contract = Contract(name=name, labels=labels, image=ImageSpec.torchvision())
    net = with_realistic_numbers(build_net(name, contract), contract.image)
    calibration, shown = crops(16, seed=1), crops(1, seed=2)
    pictures = calibration.tensors(contract.image).contiguous()
    program = quantize(net, contract, calibration, CalibrationPlan.extremes())
    ours = {each.manifest.runtime: each for each in lower(program, folder, runtimes=list(SUFFIXES))}
    twins = lower(float_twin(net, contract), folder, runtimes=list(SUFFIXES))
    rgb = shown.bytes(contract.image)[0]
    for bundle in ours.values():
        _check_is_exact(bundle, rgb, Reference(program.graph).run(rgb[None])[0])
    files = {runtime: folder / f"stock{suffix}" for runtime, suffix in SUFFIXES.items()}
    stock.lower_to_pte(stock.quantize_pt2e(net, [pictures]), pictures[:1], files["executorch"])
    stock.lower_to_tflite(stock.quantize_for_litert(net, [pictures]), pictures[:1], files["tflite"])
    return Case(
        name=name,
        net=net,
        picture=shown.tensors(contract.image).contiguous(),
        rgb=rgb,
        ours=ours,
        floats={each.manifest.runtime: each for each in twins},
        stock=files,
        peers={
            "OpenVINO int8": peers.openvino_int8(net, pictures),
            "ONNX Runtime int8": peers.onnxruntime_int8(net, pictures, folder),
            "ncnn float32": peers.ncnn_float32(net, pictures[:1], folder),
        },
    )


def contenders(case: Case, threads: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yields everything that runs the net, by name; peers with one thread only."""
    for runtime, suffix in SUFFIXES.items():
        yield f"ours {suffix}", _ours(case.ours[runtime], case.rgb, threads)
        yield f"float32 {suffix}", _ours(case.floats[runtime], case.rgb, threads)
        load = stock.load_pte if runtime == "executorch" else stock.load_tflite
        model = load(case.stock[runtime], threads=threads)
        yield f"stock {suffix}", partial(model.run, model.prepare(case.picture))
    if threads == 1:
        for name, run in case.peers.items():
            yield name, partial(run, case.picture.numpy())


def targets(name: str, ms: Medians) -> Iterator[Target]:
    """Yields the targets of the net's latencies."""
    against_stock = {
        ("mobilenet_v3_small", ".tflite"): 0.28,
        ("mobilenet_v3_large", ".tflite"): 0.35,
        ("mobilenet_v2", ".tflite"): 0.90,
        ("mobilenet_v3_small", ".pte"): 1.0,
        ("mobilenet_v2", ".pte"): 0.95,
    }
    against_float32 = {
        ("mobilenet_v1", ".pte"): 0.75,
        ("mobilenet_v1", ".tflite"): 0.75,
        ("mobilenet_v2", ".pte"): 0.75,
        ("mobilenet_v2", ".tflite"): 0.75,
        ("mobilenet_v3_small", ".tflite"): 0.88,
        ("mobilenet_v3_large", ".tflite"): 0.88,
    }
    tools = {".tflite": "litert-torch's int8 file", ".pte": "XNNPACKQuantizer's file"}
    for suffix in SUFFIXES.values():
        ours = ms[f"ours {suffix}"]
        if bound := against_stock.get((name, suffix)):
            work = f"{name} {suffix} against {tools[suffix]}"
            limit = LIMITS.get(work, "")
            yield Target.ratio(work, "ms", stock=ms[f"stock {suffix}"], ours=ours, at_most=bound, limit=limit)
        if bound := against_float32.get((name, suffix)):
            work = f"{name} {suffix}, int8 against its own float32"
            yield Target.ratio(work, "ms", stock=ms[f"float32 {suffix}"], ours=ours, at_most=bound)
    if name == "mobilenet_v3_small":
        work = f"{name} .tflite against OpenVINO's int8"
        yield Target.ratio(work, "ms", stock=ms["OpenVINO int8"], ours=ms["ours .tflite"], at_most=1.15)


def float_operators(bundle: Bundle) -> int:
    """Returns how many of the bundle's operators compute in float32, except on the picture's bytes before int8."""
    structure = bundle.manifest.structure
    of_bytes = 1 if bundle.manifest.runtime == "tflite" else 0
    converted = sum(structure.operators.get(kind, 0) for kind in ("Convert", "DEQUANTIZE", "Hardswish", "HARD_SWISH"))
    return converted - of_bytes + structure.float_convolutions


def main(names: Sequence[str]) -> None:
    """Measures every net; some ten minutes."""
    quiet()
    rows: list[dict[str, Any]] = []
    judged: list[Target] = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            case = prepare(name, Path(folder))
            for threads in (1, 2):
                ms = interleaved_ms(dict(contenders(case, threads)))
                rows += [{"net": name, "threads": threads, "runs": runs, "ms": round(ms[runs], 3)} for runs in ms]
                judged += targets(name, ms) if threads == 1 else ()
            assert not any(float_operators(bundle) for bundle in case.ours.values()), "ours is int8 throughout"
    write_result("bundles", rows, {package: metadata.version(package) for package in PACKAGES}, judged)


def _ours(bundle: Bundle, rgb: NDArray[np.uint8], threads: int) -> Callable[[], object]:
    session = runtimes.get(bundle.manifest.runtime).load(bundle.model_path, bundle.interface, threads=threads)
    return partial(session.run, rgb)


def _check_is_exact(bundle: Bundle, rgb: NDArray[np.uint8], codes: NDArray[np.int8]) -> None:
    session = runtimes.get(bundle.manifest.runtime).load(bundle.model_path, bundle.interface, threads=1)
    assert np.array_equal(session.run(rgb), codes), f"{bundle.path.name} is 0 steps from the reference"


if __name__ == "__main__":
    main(sys.argv[1:] or NETS)
