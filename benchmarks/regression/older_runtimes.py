"""Shows that runtimes of several releases open the same model files and compute the same elements.

Run: python -m benchmarks.regression.older_runtimes     makes an environment a release, once, in the cache (500 MB)

MobileNetV2, MobileNetV3-Small, a detector and a segmenter, of random but realistic weights, calibrated on photographs:
every output of other photographs, and of noise, is compared with the reference. An older release lies before this
environment's packages, all of which it finds as well.
"""

import argparse
import json
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from benchmarks.core.realistic import crops, with_realistic_numbers
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from mobile_sdk import runtimes
from mobile_sdk.contract import Contract, DetectionSpec, ImageSpec
from mobile_sdk.graph.outputs import separated
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.system.cache import cache_folder, made_environment
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.nets import build_net
from qat.nets.segmenters import build_segmenter
from qat.nets.ssd import build_detector

RELEASES = {
    "tflite": ("ai-edge-litert", ("2.3.0", "2.2.0", "2.1.6")),
    "executorch": ("executorch", ("1.5.1", "1.5.0", "1.4.1", "1.4.0")),
}
"""It maps a runtime to its package, and to the releases that open its files: the first is this environment's."""
PICTURES = 4


def nets() -> Iterator[tuple[nn.Module, Contract]]:
    """Yields nets of three tasks with their contracts."""
    labels = tuple(f"class {index}" for index in range(1000))
    for name in ("mobilenet_v2", "mobilenet_v3_small"):
        contract = Contract(name=name, labels=labels, image=ImageSpec.torchvision())
        yield build_net(name, contract), contract
    image, few = ImageSpec(size_px=160), ("cat", "cup", "dog")
    contract = Contract(name="ssd", task="detection", labels=few, image=image, detection=DetectionSpec())
    yield build_detector("mobilenet_v2", contract, width=0.5), contract
    contract = Contract(name="segmenter", task="segmentation", labels=few, image=image)
    yield build_segmenter("mobilenet_v2", contract, width=0.5), contract


def write_files(folder: Path) -> dict[str, NDArray[Any]]:
    """Writes both runtimes' files of every net, and the pictures; returns the expected outputs by the nets' names."""
    expected = {}
    for net, contract in nets():
        program = quantize(with_realistic_numbers(net, contract.image), contract, crops(16, seed=1), CHEAP)
        images = _pictures(contract.image)
        np.save(folder / f"{contract.name}.npy", images)
        for name in RELEASES:
            runtime = runtimes.get(name)
            interface = runtime.export(program.graph, contract, folder / f"{contract.name}.{name}")
            (folder / f"{contract.name}.{name}.json").write_text(interface.model_dump_json())
        expected[contract.name] = _outputs(program, images)
    return expected


CHEAP = CalibrationPlan.extremes()


def score(folder: Path, name: str) -> None:
    """Writes the outputs of every net's file, computed by the runtime of that name that this Python finds."""
    runtime = runtimes.get(name)
    for file in sorted(folder.glob(f"*.{name}")):
        interface = Interface.model_validate_json(Path(f"{file}.json").read_text())
        session = runtime.load(file, interface, threads=1)
        outputs = np.stack([session.run(picture) for picture in np.load(folder / f"{file.stem}.npy")])
        session.close()
        np.save(folder / f"{file.stem}.found.npy", _flat(outputs))
    print(json.dumps(dict(runtime.versions())))


def compared(expected: dict[str, NDArray[Any]], folder: Path, name: str, release: str) -> Iterator[dict[str, Any]]:
    """Yields a row for every net: elements, and how many of them a release computes otherwise."""
    package = RELEASES[name][0]
    command = [_python(package, release), "-m", "benchmarks.regression.older_runtimes", "--score", str(folder), name]
    said = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    if said.returncode:
        raise SystemExit(f"{package} {release}: {said.stderr.strip().splitlines()[-1]}")
    found = json.loads(said.stdout.splitlines()[-1])[package]
    if found != release:
        raise SystemExit(f"expected {package} {release}, found {found}")
    for net, wanted in expected.items():
        outputs = np.load(folder / f"{net}.found.npy")
        differ = int(np.count_nonzero(outputs != wanted))
        yield {"net": net, "runtime": package, "release": release, "elements": wanted.size, "differ": differ}


def _python(package: str, release: str) -> str:
    """Returns a Python that finds this release first, and all packages of this environment behind it."""
    if release == next(versions[0] for name, versions in RELEASES.values() if name == package):
        return sys.executable
    folder = cache_folder() / f"{package}-{release}"
    python = made_environment(folder, [f"{package}=={release}"], _say, pip=["--no-deps"])
    own = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    (own / "this_environment.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return str(python)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _pictures(image: ImageSpec) -> NDArray[np.uint8]:
    shape = (PICTURES, image.height_px, image.width_px, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return np.concatenate([crops(PICTURES, seed=7).bytes(image), noise])


def _outputs(program: Program, images: NDArray[np.uint8]) -> NDArray[Any]:
    return _flat(Reference(program.graph).run(images))


def _flat(outputs: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([part.reshape(len(outputs), -1) for part in separated(outputs)], axis=1)


def main() -> None:
    """Writes `results/older_runtimes.json`, or scores files for another process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--score", nargs=2, metavar=("FOLDER", "RUNTIME"), help="for another process")
    asked = parser.parse_args()
    if asked.score:
        score(Path(asked.score[0]), asked.score[1])
        return
    with tempfile.TemporaryDirectory() as scratch:
        expected = write_files(Path(scratch))
        rows = [
            row
            for name, (_, releases) in RELEASES.items()
            for release in releases
            for row in compared(expected, Path(scratch), name, release)
        ]
    most = max(row["differ"] for row in rows)
    target = Target.most("elements that another release computes otherwise", "elements", ours=most, at_most=0)
    write_result("older_runtimes", rows, {}, [target])


if __name__ == "__main__":
    main()
