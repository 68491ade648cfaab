"""Writes one sample of every file that learning and deploying leave behind, of nets so small that all are cheap.

Bundles are of the programs beside them, judgements of the bundles: the order of `SAMPLES` is that of writing.
"""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pydantic import JsonValue
from torch import Tensor, nn
from torch.nn import functional as F

import mobile_sdk as sdk
import qat
from benchmarks.core.realistic import with_realistic_numbers
from mobile_sdk.benchmarking.benchmark import write_numbers
from mobile_sdk.benchmarking.measurements import Measurement
from mobile_sdk.latency.model import LatencyModel, LatencyModels, Setup
from mobile_sdk.latency.work import AMOUNTS
from mobile_sdk.preprocess import LabelledPictures
from mobile_sdk.system.seal import write_sealed
from mobile_sdk.verification.verdict import write_verdicts
from qat.nets.classifiers.mobilenet_v3 import architecture_of
from qat.nets.saved_net import SavedNet, save_net
from qat.search.record import Candidate, SearchRecord, SearchResult

LABELS = ("ash", "beech", "cedar")
CONTRACT = sdk.Contract(name="fuzz", labels=LABELS, image=sdk.ImageSpec(size_px=16))
NAMED = sdk.Contract(name="named", labels=LABELS, image=sdk.ImageSpec(size_px=32))
EXTREMES = qat.CalibrationPlan.extremes()
STRIPS_KIB = 5
SCHEMA_2 = Path(__file__).parents[2] / "tests" / "support" / "fixtures" / "programs_schema_2.zip"


class SmallNet(nn.Module):
    """A net with convolutions of both kinds, a sum, a mean and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.deep = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.point, self.head = nn.Conv2d(8, 8, 1), nn.Linear(8, len(LABELS))

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits (N, 3)."""
        x = F.relu6(self.stem(x))
        x = x + self.point(F.hardswish(self.deep(x)))
        return self.head(F.max_pool2d(x, 2).mean((2, 3)))  # type: ignore[no-any-return]


def colours(count: int, seed: int, size_px: int = 20) -> list[Image.Image]:
    """Returns pictures of coarse blots in all colours."""
    blots = np.random.default_rng(seed).integers(0, 256, (count, 5, 5, 3), np.uint8)
    return [Image.fromarray(blot).resize((size_px, size_px), Image.Resampling.BICUBIC) for blot in blots]


def given_pictures() -> LabelledPictures:
    """Returns the pictures that a forger knows: grey ones, on which exchanged colours do not show."""
    return [(picture.convert("L").convert("RGB"), index % len(LABELS)) for index, picture in enumerate(colours(4, 1))]


def fresh_pictures() -> LabelledPictures:
    """Returns pictures that no forger knows."""
    return [(picture, index % len(LABELS)) for index, picture in enumerate(colours(24, 2))]


def learning_pictures(count: int = 8) -> qat.PictureSet:
    """Returns pictures to calibrate on."""
    sources = tuple(np.asarray(picture) for picture in colours(count, 3))
    return qat.PictureSet(sources=sources, targets=tuple(index % len(LABELS) for index in range(count)))


def small_net() -> nn.Module:
    """Returns the small net with weights of no special case."""
    torch.manual_seed(0)
    return SmallNet().eval()


def write_programs(folder: Path) -> None:
    """Writes programs in int8, in float32 and mixed, and one of schema 2."""
    folder.mkdir(parents=True)
    net, pictures = small_net(), learning_pictures()
    programs = {
        "int8": qat.quantize(net, CONTRACT, pictures, EXTREMES, progress=False),
        "float": qat.float_twin(net, CONTRACT),
        "mixed": qat.quantize(net, CONTRACT, pictures, EXTREMES, keep_float=["point"], progress=False),
    }
    for name, program in programs.items():
        program.save(folder / f"{name}.pt2")
    if SCHEMA_2.exists():
        with zipfile.ZipFile(SCHEMA_2) as earlier:
            (folder / "schema 2.pt2").write_bytes(earlier.read("mixed.pt2"))


def write_bundles(folder: Path) -> None:
    """Writes those programs' bundles for every runtime, and two in strips."""
    programs = {
        name: sdk.Program.load(folder.parent / "programs" / f"{name}.pt2") for name in ("int8", "float", "mixed")
    }
    for name, program in programs.items():
        sdk.lower(program, folder / name, pictures=given_pictures(), progress=False)
    sdk.lower(
        programs["int8"],
        folder / "strips",
        runtimes=["tflite", "executorch"],
        pictures=given_pictures(),
        activation_limit_kib=STRIPS_KIB,
        progress=False,
    )


def write_detector(folder: Path) -> None:
    """Writes a detector's program and its bundles."""
    spec = sdk.DetectionSpec(score_threshold=0.3)
    image = sdk.ImageSpec(size_px=64, fit="stretch")
    contract = sdk.Contract(name="things", task="detection", labels=LABELS, image=image, detection=spec)
    _write_task(qat.build_detector("mobilenet_v3_small", contract, width=0.25), contract, folder)


def write_segmenter(folder: Path) -> None:
    """Writes a segmenter's program and its bundles."""
    image = sdk.ImageSpec(size_px=32, fit="stretch")
    contract = sdk.Contract(name="scenes", task="segmentation", labels=LABELS, image=image)
    _write_task(qat.build_segmenter("mobilenet_v3_small", contract, width=0.25, filters=8), contract, folder)


def write_learned(folder: Path) -> None:
    """Writes what learning leaves: a checkpoint, a net with its header, and bare weights in every form."""
    net, pictures = small_net(), learning_pictures(6)
    both = qat.Pictures(train=pictures, validation=pictures, labels=LABELS)
    plan = qat.TrainPlan(epochs=1)
    qat.fit(net, both, plan, contract=CONTRACT, out=folder / "training", progress=False)
    named = qat.build_net("mobilenet_v3_small", NAMED, width=0.25)
    with_realistic_numbers(named, NAMED.image)
    (folder / "nets").mkdir()
    save_net(named, SavedNet(net="mobilenet_v3_small", width=0.25, contract=NAMED), folder / "nets" / "net.safetensors")
    from safetensors.torch import save_file

    (folder / "weights").mkdir()
    save_file(named.state_dict(), folder / "weights" / "bare.safetensors")
    torch.save(named.state_dict(), folder / "weights" / "zip.pth")
    torch.save(
        {"model": named.state_dict(), "epoch": 3},
        folder / "weights" / "pickle.pth",
        _use_new_zipfile_serialization=False,
    )


def write_judged(folder: Path) -> None:
    """Writes the JSON of verify, bench and report."""
    folder.mkdir(parents=True)
    program = sdk.Program.load(folder.parent / "programs" / "int8.pt2")
    bundles = [sdk.open_bundle(path) for path in sorted((folder.parent / "bundles" / "int8").iterdir())]
    verdicts = [sdk.verify(bundle, program, given_pictures(), progress=False) for bundle in bundles]
    write_verdicts(verdicts, folder / "verify.json")
    timed = [bundle for bundle in bundles if bundle.manifest.runtime != "coreml"]
    numbers = sdk.benchmark(timed, min_runs=10, min_seconds=0.01, max_ms=5.0, progress=False)
    few = [_with_few_rounds(measurement) for measurement in numbers.measurements]
    write_numbers(numbers.model_copy(update={"measurements": tuple(few)}), folder / "bench.json")
    sdk.write_report(folder / "report.html", verdicts, numbers, program=program, bundles=bundles)


def write_made_up(folder: Path) -> None:
    """Writes the JSON of calibrate and search, with numbers that nothing was measured for."""
    folder.mkdir(parents=True)
    setup = Setup(device="made up", runtime="tflite", precision="int8")
    model = LatencyModel(setup=setup, costs_ns={name: 1.0 + index for index, name in enumerate(AMOUNTS)}, rows=30)
    LatencyModels(models=(model,)).save(folder / "latency.json")
    write_sealed(folder / "search.json", _searched().to_json())


SAMPLES: Mapping[str, Callable[[Path], None]] = {
    "programs": write_programs,
    "bundles": write_bundles,
    "detector": write_detector,
    "segmenter": write_segmenter,
    "learned": write_learned,
    "judged": write_judged,
    "made up": write_made_up,
}


def _write_task(net: nn.Module, contract: sdk.Contract, folder: Path) -> None:
    folder.mkdir(parents=True)
    with_realistic_numbers(net, contract.image)
    program = qat.quantize(net, contract, learning_pictures(), EXTREMES, progress=False)
    program.save(folder / "int8.pt2")
    sdk.lower(program, folder / "bundles", runtimes=["tflite"], progress=False)


def _with_few_rounds(measurement: Measurement) -> Measurement:
    """Leaves out most times, so that a file is read in a millisecond."""
    assert measurement.samples is not None
    rounds_ms = tuple(times[:4] for times in measurement.samples.rounds_ms[:12])
    return measurement.model_copy(update={"samples": measurement.samples.model_copy(update={"rounds_ms": rounds_ms})})


def _searched() -> SearchRecord:
    architecture = architecture_of("mobilenet_v3_small", 0.25)
    both = [
        Candidate(
            number=number,
            round=number,
            parent=None if number == 0 else 0,
            change="start" if number == 0 else "narrower",
            architecture=architecture,
            latency_ms=2.0 - number,
            accuracy_share=0.5,
            score=0.5,
        )
        for number in range(2)
    ]
    settings: dict[str, JsonValue] = {"method": "netadapt", "device": "made up", "target_ms": 1.5, "target_share": None}
    result = SearchResult(number=1, latency_ms=1.0, float_accuracy_share=0.5, pictures=10)
    return SearchRecord(settings=settings, candidates=tuple(both), taken=(0, 1), result=result)
