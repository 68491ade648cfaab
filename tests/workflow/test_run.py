"""`mobile_sdk.run` does exactly what the command `mobile-sdk run` does, and is silent if it is asked to be."""

import ast
import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mobile_sdk as sdk
from mobile_sdk.benchmarking.benchmark import benchmark
from mobile_sdk.cli.app import call
from mobile_sdk.workflow import deployment
from tests.support.repository import ROOT

SMALL = {"net": "mobilenet_v2", "width": 0.35, "size": 32, "epochs": 1, "qat_epochs": 1}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures each of two labels."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for label in ("ash", "elm"):
        (folder / label).mkdir()
        for number in range(10):
            Image.fromarray(random.integers(0, 256, (40, 48, 3), np.uint8)).save(folder / label / f"{number}.png")
    return folder


@pytest.fixture(scope="module", autouse=True)
def quick_benchmark() -> Iterator[None]:
    """Numbers are not what is compared here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deployment, "benchmark", partial(benchmark, quick=True))
        yield


@pytest.fixture(scope="module")
def by_command(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the command leaves."""
    out = tmp_path_factory.mktemp("command")
    words = [word for name, value in SMALL.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    assert call(["run", "--data", str(photos), *words, "--out", str(out)]) == 0
    return out


def test_python_and_the_command_write_the_same_program_and_bundles_and_record_the_quality(
    photos: Path, by_command: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    settings = sdk.RunSettings(data=str(photos), **SMALL, out=tmp_path)  # type: ignore[arg-type]
    done = sdk.run(settings, progress=lambda share, text: lines.append(text))
    assert capsys.readouterr() == ("", "")
    assert lines[0] == "[1/6] pictures" and any(line.startswith("[6/6] bench and report:") for line in lines)
    assert done.passed and done.folder == tmp_path
    assert done.program.digest() == sdk.Program.load(by_command / "program.pt2").digest()
    assert done.program.record.float_quality and done.program.record.reference_quality
    assert untimed(tmp_path) == untimed(by_command)
    assert {"program.pt2", "float.pt2", "net.safetensors", "labels.txt", "bundle.json"} <= {
        Path(name).name for name in untimed(tmp_path)
    }
    assert (tmp_path / "report.html").is_file() and done.report.commands == (settings.command(),)


def untimed(folder: Path) -> dict[str, str]:
    """Hashes of all files but those that say how long something took, or where it lies."""
    timed = ("checkpoint.pt", "bench.json", "verify.json", "report.json", "report.html")
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in timed)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_settings_say_the_command_line_that_does_the_same() -> None:
    settings = sdk.RunSettings(data="my photos", qat_epochs=0, class_balance=True, out="runs/a")  # type: ignore[arg-type]
    assert settings.command() == ("mobile-sdk run --data 'my photos' --class-balance --qat-epochs 0 --out runs/a")


def test_the_workflow_neither_prints_nor_knows_the_command_line() -> None:
    for path in (ROOT / "mobile_sdk" / "workflow").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            assert not (isinstance(node, ast.Name) and node.id == "print"), path
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.startswith(("typer", "rich", "click", "mobile_sdk.cli"))], path
