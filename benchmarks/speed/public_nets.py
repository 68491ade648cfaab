"""Compares int8 files of public nets for phones with the stock tools' files of the same nets: speed, form, accuracy.

Run: make bench, or python -m benchmarks.speed.public_nets [NET …] in its environment

Nets are written in plain PyTorch by their papers, with random but realistic numbers. Every tool calibrates on the same
16 crops of photographs by its own default, and scores are compared with the float net's on 48 crops of photographs that
no tool has seen: SQNR, of several outputs the least. The keyword spotter reads crops in place of coefficients, grey and
pressed into its 49 × 10. Latencies are medians of interleaved rounds in one process, one thread; a ratio is the median
of its rounds' own. A stock file gets its float32 or int8 tensor ready-made, ours the picture's bytes.

Ours takes at most 0.8 of stock's time where that leaves operators in float32, else no more time. Where a stock tool
fails, its message stands in the row, and nothing is judged.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.against.form import Form, of_pte, of_tflite
from benchmarks.core import public_nets as written
from benchmarks.core.latency import Run, interleaved_rounds
from benchmarks.core.photographs import CALIBRATED, JUDGED, crops
from benchmarks.core.realistic import with_realistic_numbers
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.comparison import compare
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.graph.operators import Dequantize
from mobile_sdk.graph.outputs import separated
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.data.picture_set import PictureSet

NETS: Mapping[str, tuple[Callable[[], nn.Module], ImageSpec]] = {
    "EfficientNet-B0": (written.efficientnet_b0, ImageSpec.torchvision()),
    "MobileOne-S0": (written.mobileone_s0, ImageSpec.torchvision()),
    "MNv4-Conv-S": (written.mobilenet_v4_conv_small, ImageSpec.torchvision()),
    "YOLO with SiLU": (written.yolo_silu, ImageSpec(size_px=320)),
    "U-Net, transposed": (written.transposed_u_net, ImageSpec(size_px=128)),
    "pose net": (written.pose_net, ImageSpec(size_px=192)),
    "DS-CNN, grey": (written.ds_cnn, ImageSpec(size_px=(49, 10), channels=1, fit="stretch")),
}
TOOLS = {"tflite": "litert-torch", "executorch": "XNNPACKQuantizer"}
SUFFIXES = {"tflite": ".tflite", "executorch": ".pte"}
PACKAGES = ("executorch", "ai-edge-litert", "litert-torch", "torch", "torchao")
CALIBRATION_CROPS, JUDGED_CROPS = 16, 48
ROUNDS, RUNS = 40, 10
BESIDE_FLOATS, BESIDE_INT8 = 0.8, 1.0
LIMITS: Mapping[str, str] = {
    "EfficientNet-B0: SQNR": (
        "stock multiplies by 49 gates in float32, and adds in float32 in LiteRT, at 1.5 times our time: it rounds less "
        "often there. With made-up weights both nets are 6 dB from float"
    ),
}
Row = dict[str, Any]
Outputs = Sequence[NDArray[Any]]  # of some pictures, each (pictures, elements)


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Holds pictures that no tool has seen, and what the float net gives for them, maps in PyTorch's layout."""

    pictures: PictureSet
    image: ImageSpec
    wanted: Sequence[NDArray[np.float32]]

    @classmethod
    @torch.no_grad()
    def of(cls, net: nn.Module, image: ImageSpec) -> "Judge":
        """Runs the float net on every picture."""
        pictures = crops(JUDGED, JUDGED_CROPS, seed=2)
        found = [_listed(net(picture[None])) for picture in pictures.tensors(image)]
        return cls(
            pictures=pictures, image=image, wanted=[torch.cat(each).numpy() for each in zip(*found, strict=True)]
        )

    def sqnr_db(self, found: Outputs) -> float:
        """Returns the least SQNR of the outputs."""
        assert [each.size for each in found] == [each.size for each in self.wanted], "the outputs have the net's order"
        pairs = zip(found, self.wanted, strict=True)
        found_db = [compare(a, b.reshape(len(b), -1)).sqnr_db for a, b in pairs]
        return min(each for each in found_db if each is not None)


@dataclass(frozen=True, kw_only=True)
class File:
    """Holds a loaded file's run on one picture, its scores' distance from the float net's, and its form."""

    run: Run
    sqnr_db: float
    form: Form


def our_files(
    net: nn.Module, judge: Judge, calibration: PictureSet, folder: Path, plan: CalibrationPlan | None = None
) -> Iterator[tuple[str, File]]:
    """Yields our file for each runtime, held against the reference on one picture."""
    contract = Contract(name="net", task="features", image=judge.image)
    program = quantize(net, contract, calibration, plan, progress=False)
    pixels = judge.pictures.bytes(judge.image)
    expected = Reference(program.graph).run(pixels)
    sqnr_db = judge.sqnr_db(list(_in_floats(expected, program)))
    islands = Counter(type(each).__name__ for each in program.graph.operators if isinstance(each, Dequantize))
    for bundle in lower(program, folder, runtimes=list(SUFFIXES)):
        run = _session(bundle, pixels[0])
        assert np.array_equal(run(), expected[0]), f"{bundle.path.name} is 0 steps from the reference"
        structure = bundle.manifest.structure
        form = Form(partitions=structure.partitions, operators=structure.operators, islands=islands)
        yield bundle.manifest.runtime, File(run=run, sqnr_db=sqnr_db, form=form)


def stock_file(runtime: str, net: nn.Module, judge: Judge, calibration: Tensor, path: Path) -> File | str:
    """Returns the stock tool's file for a runtime, or the first line of what the tool says against the net."""
    from benchmarks.against import stock

    is_pte = runtime == "executorch"
    quantized, lowered = (
        (stock.quantize_pt2e, stock.lower_to_pte) if is_pte else (stock.quantize_for_litert, stock.lower_to_tflite)
    )
    try:
        lowered(quantized(net, [calibration]), calibration[:1], path)
        model = (stock.load_pte if is_pte else stock.load_tflite)(path)
        shown = judge.pictures.tensors(judge.image)
        outputs = model.outputs(shown)
    except Exception as error:  # noqa: BLE001 - a tool may raise anything; the row says what
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    run = partial(model.run, model.prepare(shown[:1]))
    return File(run=run, sqnr_db=judge.sqnr_db(outputs), form=(of_pte if is_pte else of_tflite)(path))


def measure(name: str, folder: Path) -> Iterator[tuple[Row, list[Target]]]:
    """Yields a row and its targets for each runtime."""
    build, image = NETS[name]
    torch.manual_seed(0)
    net = with_realistic_numbers(build(), image)
    judge, calibration = Judge.of(net, image), crops(CALIBRATED, CALIBRATION_CROPS, seed=1)
    ours = dict(our_files(net, judge, calibration, folder))
    tensors = calibration.tensors(image).contiguous()
    stock = {each: stock_file(each, net, judge, tensors, folder / f"stock{SUFFIXES[each]}") for each in SUFFIXES}
    contenders = {("ours", each): file.run for each, file in ours.items()}
    contenders |= {("stock", each): file.run for each, file in stock.items() if isinstance(file, File)}
    rounds = interleaved_rounds(contenders, rounds=ROUNDS, runs=RUNS)  # type: ignore[type-var]
    for runtime in SUFFIXES:
        taken = {who: np.median(ms, axis=1) for (who, where), ms in rounds.items() if where == runtime}
        yield (
            _row(name, runtime, ours[runtime], stock[runtime], taken),
            list(targets(name, runtime, ours[runtime], stock[runtime], taken)),
        )


def targets(
    name: str, runtime: str, ours: File, stock: File | str, ms: Mapping[str, NDArray[np.float64]]
) -> Iterator[Target]:
    """Yields the targets of one runtime's files; `ms` holds every round's median by whose it is."""
    work = f"{name} {SUFFIXES[runtime]}"
    yield Target.most(
        f"{work}, all int8: partitions", "", ours=ours.form.partitions + len(ours.form.islands), at_most=1
    )
    if isinstance(stock, str):
        return
    against = f"{work} against {TOOLS[runtime]}'s, {'with float islands' if stock.form.islands else 'int8 throughout'}"
    yield Target(
        work=f"{against}: latency",
        unit="ms",
        stock=float(np.median(ms["stock"])),
        ours=float(np.median(ms["ours"])),
        judged="ours / stock in a round",
        figure=float(np.median(ms["ours"] / ms["stock"])),
        bound=BESIDE_FLOATS if stock.form.islands else BESIDE_INT8,
        sense="at most",
        limit=_difference(ours, stock),
    )
    yield Target.gain(
        f"{work} against {TOOLS[runtime]}'s: SQNR of the scores",
        "dB",
        stock=stock.sqnr_db,
        ours=ours.sqnr_db,
        at_least=0,
        limit=LIMITS.get(f"{name}: SQNR", ""),
    )


def main(names: Sequence[str]) -> None:
    """Measures every net; some twenty minutes, most of them the stock tools'."""
    if util.find_spec("litert_torch") is None:
        sys.exit("public_nets compares with litert-torch, which is not installed: `make bench` sets up its environment")
    quiet()
    found: list[tuple[Row, list[Target]]] = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            found += measure(name, Path(folder))
    versions = {package: metadata.version(package) for package in PACKAGES}
    write_result("public_nets", [row for row, _ in found], versions, [each for _, judged in found for each in judged])


def _row(name: str, runtime: str, ours: File, stock: File | str, ms: Mapping[str, NDArray[np.float64]]) -> Row:
    is_there = isinstance(stock, File)
    return {
        "net": name,
        "runtime": runtime,
        "ours ms": round(float(np.median(ms["ours"])), 3),
        "stock ms": round(float(np.median(ms["stock"])), 3) if is_there else "–",
        "ours / stock": round(float(np.median(ms["ours"] / ms["stock"])), 3) if is_there else "–",
        "our partitions": ours.form.partitions,
        "stock partitions": stock.form.partitions if is_there else "–",
        "ours dB": round(ours.sqnr_db, 2),
        "stock dB": round(stock.sqnr_db, 2) if is_there else "–",
        "stock in float32": _in_words(stock.form.islands) if is_there else f"refused: {stock}",
    }


def _difference(ours: File, stock: File) -> str:
    """Returns in words which operators one file runs and the other does not."""
    mine, theirs = Counter(ours.form.operators), Counter(stock.form.operators)
    return f"beside what both files run, ours runs {_in_words(mine - theirs)}, stock {_in_words(theirs - mine)}"


def _in_words(islands: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(islands.items())) or "nothing"


def _session(bundle: Bundle, rgb: NDArray[np.uint8]) -> Callable[[], NDArray[Any]]:
    session = runtimes.get(bundle.manifest.runtime).load(bundle.model_path, bundle.interface, threads=1)
    return partial(session.run, rgb)


def _in_floats(codes: NDArray[np.generic], program: Program) -> Iterator[NDArray[np.float64]]:
    """Yields every output (pictures, elements) as numbers, maps in PyTorch's layout."""
    for part, output in zip(separated(codes), program.graph.outputs, strict=True):
        grid = output.quantization
        assert grid is not None, "the outputs are int8"
        first = np.moveaxis(part, -1, 1) if part.ndim == 4 else part
        yield (first.reshape(len(first), -1).astype(np.float64) - grid.zero_point) * grid.scale


def _listed(outputs: Any) -> list[Tensor]:
    return [outputs] if isinstance(outputs, Tensor) else list(outputs)


if __name__ == "__main__":
    main(sys.argv[1:] or list(NETS))
