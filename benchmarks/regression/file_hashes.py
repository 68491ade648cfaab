"""Shows that a change of the code changed no file: hashes of a fixed set of programs and bundles, and what differs.

Run: python -m benchmarks.regression.file_hashes OUT.json                      writes the hashes; 3 minutes on one core
     python -m benchmarks.regression.file_hashes --compare OLD.json NEW.json   1 where a model file or a score differs

Weights, images and seeds are made here, and only public names and the command line are used, so that this file runs
unchanged beside an older or a newer SDK. Hashes of two machines, or of two sets of packages, are not comparable.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import mobile_sdk as sdk
import qat

PROGRAM, MODEL, MANIFEST, GOLDEN, SCORES = "program", "model file", "manifest", "golden", "scores"
KINDS = (PROGRAM, MODEL, MANIFEST, GOLDEN, SCORES)
DECISIVE = (MODEL, SCORES)
LABELS = ("ash", "beech", "cedar", "elm", "fir")
SHOWN = 10  # differences that are named, of each kind
Hashes = dict[str, dict[str, str]]
Task = Literal["classification", "detection", "segmentation"]


class OwnNet(nn.Module):
    """A net of no family, with an operator of nearly every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2, bias=False), nn.BatchNorm2d(16), nn.Hardswish())
        self.left = nn.Sequential(nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8), nn.BatchNorm2d(8), nn.ReLU6())
        self.shuffle = nn.ChannelShuffle(2)
        self.squeeze, self.excite = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)
        self.grouped = nn.Sequential(nn.Conv2d(16, 16, (3, 1), padding=(1, 0), groups=4), nn.ReLU())
        self.pools = nn.ModuleList([nn.MaxPool2d(3, 2, padding=1), nn.AvgPool2d(3, 2, 1, count_include_pad=False)])
        self.head = nn.Sequential(nn.Linear(32, 24), nn.Hardsigmoid(), nn.Dropout(0.2), nn.Linear(24, len(LABELS)))

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits (N, 5)."""
        x = self.stem(F.pad(x, (0, 1, 0, 1)))
        left, right = x.chunk(2, dim=1)
        x = self.shuffle(torch.cat([self.left(left), right], dim=1))
        x = x * F.hardsigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))))
        x = self.grouped(x) + x * 0.5
        x = torch.cat([pool(x) for pool in self.pools], dim=1)
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        logits: Tensor = self.head(x.mean((2, 3)).flatten(1))
        return logits


@dataclass(frozen=True, kw_only=True)
class Collector:
    """Gathers hashes by kind and name; `folder` is where files are written on the way."""

    folder: Path
    hashes: Hashes = field(default_factory=lambda: {kind: {} for kind in KINDS})

    def add(self, program: sdk.Program, suffix: str = "", **settings: Any) -> None:
        """Saves and lowers `program`, for golden images that are given and, with one runtime, for made-up ones."""
        name = f"{program.contract.name}{suffix}"
        print(name, file=sys.stderr, flush=True)
        path = self.folder / f"{name}.pt2"
        program.save(path)
        self.add_program(name, path)
        given = sdk.lower(program, self.folder / name, pictures=images(3, 80, seed=9), progress=False, **settings)
        made_up = sdk.lower(program, self.folder / f"{name} made up", runtimes="tflite", progress=False, **settings)
        for bundle in given:
            self.add_bundle(f"{name}{bundle.path.suffix}", bundle.path)
        self.add_scores(name, next(each.path for each in given if each.path.suffix == ".tflite"))
        self.add_scores(f"{name}, made up", made_up[0].path)

    def add_program(self, name: str, path: Path) -> None:
        """Adds every record of a .pt2 archive, its tensors together, and the digest of the program that it holds."""
        with zipfile.ZipFile(path) as archive:
            records = {record.partition("/")[2]: archive.read(record) for record in archive.namelist()}
        tensors = [record for record in records if record.startswith("data/")]
        records["data"] = b"".join(records.pop(tensor) for tensor in tensors)
        for record, data in records.items():
            self.put(PROGRAM, f"{name}: {record}", data)
        self.put(PROGRAM, f"{name}: digest", sdk.Program.load(path).digest().encode())

    def add_bundle(self, name: str, folder: Path) -> None:
        """Adds every file of a bundle; of its manifest every field."""
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            inside = path.relative_to(folder).as_posix()
            if inside == "bundle.json":
                for entry, value in json.loads(path.read_bytes()).items():
                    self.put(MANIFEST, f"{name}: {entry}", json.dumps(value, sort_keys=True).encode())
            else:
                kind = MODEL if inside.startswith("model") else GOLDEN
                self.put(kind, f"{name}: {inside}", path.read_bytes())

    def add_scores(self, name: str, folder: Path) -> None:
        """Adds the golden outputs of a .tflite bundle: the reference computes those of an int8 output."""
        for index, path in enumerate(sorted((folder / "golden").glob("*output*"))):
            self.put(SCORES, f"{name}: image {index}", path.read_bytes())

    def put(self, kind: str, name: str, data: bytes) -> None:
        """Adds the hash of `data`; no name may come twice."""
        assert name not in self.hashes[kind], f"two of the kind {kind} are called {name!r}"
        self.hashes[kind][name] = hashlib.sha256(data).hexdigest()


def contract(name: str, size_px: int = 32, task: Task = "classification", **image: Any) -> sdk.Contract:
    """Returns a contract of the five labels."""
    boxes = sdk.DetectionSpec() if task == "detection" else None
    spec = sdk.ImageSpec(size_px=size_px, **image)
    return sdk.Contract(name=name, task=task, labels=LABELS, image=spec, detection=boxes)


def images(count: int, side_px: int, *, seed: int) -> qat.PictureSet:
    """Returns images of coarse blots and noise, whose labels take turns."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 200, (count, 8, 8, 3)).repeat(side_px // 8, 1).repeat(side_px // 8, 2)
    rgb = np.clip(coarse + random.integers(0, 56, coarse.shape), 0, 255).astype(np.uint8)
    return qat.PictureSet(sources=tuple(rgb), targets=tuple(index % len(LABELS) for index in range(count)))


def seeded(make: Callable[[], nn.Module], spec: sdk.ImageSpec) -> nn.Module:
    """Returns a net of seeded weights whose batch norms have seen images, in evaluation mode."""
    torch.manual_seed(0)
    net = make()
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = None  # the mean of what it sees
            norm.weight.uniform_(0.7, 1.3)
            norm.bias.normal_(0, 0.3)
        net.train()(images(16, 64, seed=3).tensors(spec))
    return net.eval()


def int8(net: nn.Module, of: sdk.Contract, plan: qat.CalibrationPlan | None = None, **settings: Any) -> sdk.Program:
    """Returns the int8 program, by the plan of extremes where none is given."""
    plan = plan or qat.CalibrationPlan.extremes()
    return qat.quantize(net, of, images(8, 64, seed=4), plan, progress=False, **settings)


def add_nets(collector: Collector) -> None:
    """Adds every net that has a name."""
    for entry in qat.list_nets():
        of = contract(entry.name)
        width = 0.5 if entry.name.startswith("shufflenet") else 0.25  # ShuffleNets have widths of their own
        net = seeded(partial(qat.build_net, of.name, of, width=width), of.image)
        collector.add(int8(net, of))


def add_detectors(collector: Collector) -> None:
    """Adds SSDLite with its float twin, and SSD."""
    lite, whole = (contract(name, 64, "detection", fit="stretch") for name in ("ssdlite", "ssd"))
    net = seeded(partial(qat.build_detector, "mobilenet_v3_small", lite, width=0.25), lite.image)
    add_with_twin(collector, net, lite)
    net = seeded(partial(qat.build_detector, "mobilenet_v1", whole, width=0.25, is_lite=False), whole.image)
    collector.add(int8(net, whole))


def add_segmenters(collector: Collector) -> None:
    """Adds LR-ASPP and Mobile DeepLab, with LR-ASPP's float twin."""
    of = contract("lr-aspp", 64, "segmentation", fit="stretch")
    net = seeded(partial(qat.build_segmenter, "mobilenet_v3_small", of, width=0.25, filters=16), of.image)
    add_with_twin(collector, net, of)
    of = contract("deeplab", 64, "segmentation")
    make = partial(qat.build_segmenter, "mobilenet_v2", of, head="aspp", width=0.25, filters=16)
    collector.add(int8(seeded(make, of.image), of))


def add_own_net(collector: Collector) -> None:
    """Adds a user's own net: with a float twin, calibrated by every stage, for ImageNet's images, with layers kept."""
    of = contract("own")
    net = seeded(OwnNet, of.image)
    add_with_twin(collector, net, of)
    collector.add(int8(net, contract("own-all-stages"), qat.CalibrationPlan(equalise=True)))
    imagenet = sdk.Contract(name="own-imagenet", labels=LABELS, image=sdk.ImageSpec.torchvision(40))
    collector.add(int8(seeded(OwnNet, imagenet.image), imagenet))
    for name, kept in (("own-kept", ["squeeze", "grouped"]), ("own-kept-scores", ["stem", "head.3"])):
        collector.add(int8(net, contract(name), keep_float=kept))


def add_variants(collector: Collector) -> None:
    """Adds strips, layers kept in float, split blocks, each of a net with a name."""
    of = contract("strips", 64)
    net = seeded(partial(qat.build_net, "mobilenet_v2", of, width=0.25), of.image)
    collector.add(int8(net, of), activation_limit_kib=40)
    collector.add(int8(net, contract("kept", 64), keep_float=["features.3"]))
    collector.add(int8(qat.split_blocks(net, {"features.2": 3}), contract("split", 64)))


def add_with_twin(collector: Collector, net: nn.Module, of: sdk.Contract) -> None:
    """Adds a net in int8 and in float32, and how far its layers are apart, which both references compute."""
    program, twin = int8(net, of), qat.float_twin(net, of)
    collector.add(program)
    collector.add(twin, "-twin")
    distances = sdk.layer_distances(program, twin, images(4, 64, seed=5))
    collector.put(SCORES, f"{of.name}: distances of layers", repr([row[-1] for row in distances]).encode())


def add_trained(collector: Collector) -> None:
    """Adds a net trained in float, then in int8 by the float net's scores."""
    of = contract("trained")
    data = qat.Pictures(train=images(48, 48, seed=1), validation=images(24, 48, seed=2), labels=LABELS)
    torch.manual_seed(0)
    net = OwnNet()
    qat.fit(net, data, qat.TrainPlan(epochs=2, batch=8), contract=of, progress=False)
    learned = qat.prepare(net, of)
    qat.calibrate(learned, data, qat.CalibrationPlan.extremes(), progress=False)
    qat.fit(learned, data, qat.TrainPlan.distil(epochs=2), teacher=net, contract=of, progress=False)
    accuracy = [qat.evaluate(each, data, of, progress=False) for each in (net, learned)]
    collector.put(SCORES, "trained: accuracy", repr(accuracy).encode())
    collector.add(qat.freeze(learned, of))


def add_command_line(collector: Collector) -> None:
    """Adds what the command line quantizes from a checkpoint and labelled files, and exports with a float twin."""
    of = contract("files")
    net = seeded(partial(qat.build_net, "mobilenet_v3_small", of, width=0.25), of.image)
    torch.save(net.state_dict(), collector.folder / "weights.pth")
    for index, (picture, label) in enumerate(images(20, 48, seed=6)):
        path = collector.folder / "files" / LABELS[label] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    settings = "--net mobilenet_v3_small --width 0.25 --size 32 --epochs 0 --calibration extremes"
    command(collector.folder, f"quantize --weights weights.pth --data files {settings} --out run")
    command(collector.folder, "export run/program.pt2 --float --data files --out run/bundles")
    for path in collector.folder.glob("run/*.pt2"):
        collector.add_program(f"command line {path.stem}", path)
    for path in collector.folder.glob("run/bundles/*"):
        collector.add_bundle(f"command line {path.name}", path)
    collector.add_scores("command line", collector.folder / "run/bundles/files.tflite")


def command(folder: Path, line: str) -> None:
    """Runs `mobile-sdk line` of this very SDK in `folder`; what it says goes to standard error."""
    environment = {**os.environ, "PYTHONPATH": str(Path(str(sdk.__file__)).parents[1]), "OMP_NUM_THREADS": "1"}
    arguments = [sys.executable, "-m", "mobile_sdk", *line.split()]
    subprocess.run(arguments, cwd=folder, env=environment, stdout=sys.stderr, check=True)


def collect() -> Hashes:
    """Makes the whole set and returns its hashes."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        collector = Collector(folder=Path(folder))
        for add in (add_own_net, add_variants, add_trained, add_command_line, add_detectors, add_segmenters, add_nets):
            add(collector)
    return collector.hashes


def compare(old: Hashes, new: Hashes) -> tuple[int, str]:
    """Returns the exit code and the lines that say what differs, kind by kind."""
    code, lines = 0, []
    for kind in KINDS:
        before, after = old[kind], new[kind]
        differing = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
        found = {name: difference(name, before, after) for name in differing}
        code = 1 if found and kind in DECISIVE else code
        counts = Counter((how, name.partition(": ")[2]) for name, how in found.items())
        lines.append(f"{kind}: {len(found)} differ of {len(before)}" if found else f"{kind}: {len(before)} equal")
        lines += [f"  {how}: {part}, in {count}" for (how, part), count in counts.most_common(SHOWN)]
        lines += [f"    {how}: {name}" for name, how in list(found.items())[:SHOWN]]
    return code, "\n".join(lines)


def difference(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Returns how a hash differs that is not the same in both."""
    return "added" if name not in before else "changed" if name in after else "missing"


def main(arguments: list[str]) -> int:
    """Writes the hashes, or compares two files of them."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("out", nargs="?", type=Path, default="file_hashes.json", help="where the hashes go")
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("OLD", "NEW"), help="say what differs")
    chosen = parser.parse_args(arguments)
    if chosen.compare:
        code, said = compare(*(json.loads(path.read_bytes()) for path in chosen.compare))
        print(said)
        return code
    chosen.out.write_text(json.dumps(collect(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
