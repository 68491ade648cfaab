"""Every example says what it takes, and does what it says."""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import mobile_sdk as sdk
import qat
from qat.nets import build_net
from tests.support.pages.blocks import lay_out_data
from tests.support.pages.shell_lines import check
from tests.support.repository import ROOT

EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))


def run(name: str, *arguments: object) -> Any:
    """Runs an example's `main` with these arguments."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]([str(each) for each in arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lay_out_data(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_says_what_it_takes(script: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "argv", [script.name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    said = capsys.readouterr().out
    assert ended.value.code == 0 and f"python examples/{script.name}" in said and "--help" in said
    assert f"]({script.name})" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_mobilenet_v2_is_quantized_by_photographs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract = sdk.Contract(name="c", labels=tuple(map(str, range(1000))), image=sdk.ImageSpec())
    torch.manual_seed(0)
    torch.save(build_net("mobilenet_v2", contract).state_dict(), folder / "v2.pth")
    for photo in sorted((folder / "camera").iterdir())[4:]:
        photo.unlink()
    run("quantize_mobilenet_v2", "--weights", "v2.pth", "--photos", "camera", "--out", "out", "--quick")
    assert {path.name for path in (folder / "out/bundles").iterdir()} == {"camera.tflite", "camera.executorch"}
    assert "3. a bundle for each runtime" in capsys.readouterr().out


@pytest.mark.slow
def test_a_net_of_ones_own_is_trained_in_int8(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("own_net", "--photos", "photos", "--epochs", 1, "--batch", 8, "--out", "out")
    assert sdk.Program.load(folder / "out/program.pt2").contract.labels == ("lime", "plum")
    assert "int8: " in capsys.readouterr().out and (folder / "out/report.html").is_file()


@pytest.mark.slow
def test_a_detector_is_trained_on_cocos_layout(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("detect_coco", "--data", "street", "--epochs", 1, "--width", 0.25, "--size", 64, "--out", "out")
    assert sdk.open_bundle(folder / "out/bundles/street.tflite").manifest.labels == ("car", "person")
    assert "4. in the first held-out picture" in capsys.readouterr().out


@pytest.mark.slow
def test_a_search_keeps_its_target(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("search", "--data", "photos", "--share", 0.93, "--width", 0.25, "--steps", 2, "--epochs", 1, "--out", "out")
    assert "met: True" in capsys.readouterr().out
    assert (folder / "out/net.safetensors").is_file() and (folder / "out/int8/report.html").is_file()


@pytest.mark.slow
def test_the_notebook_runs_cell_by_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((EXAMPLES / "first_steps.ipynb").read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            exec(compile("".join(cell["source"]), "first_steps.ipynb", "exec"), names)
    assert all(names["verdicts"]) and names["worst"]


@pytest.mark.slow
def test_the_gate_passes_what_it_accepted_and_fails_on_a_regress(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = qat.load_folder("photos")
    contract = sdk.Contract(name="fruit", labels=pictures.labels, image=sdk.ImageSpec(size_px=32))
    net = build_net("mobilenet_v2", contract, width=0.35)
    program = qat.quantize(net, contract, pictures, qat.CalibrationPlan.extremes())
    program.save("program.pt2")
    sdk.lower(program, "bundles", runtimes="tflite", pictures=pictures.validation)
    asked = ("--program", "program.pt2", "--data", "photos", "bundles/fruit.tflite")
    assert run("ci_gate", *asked, "--accept") == 0
    assert run("ci_gate", *asked, "--slower", 1000) == 0
    baseline = json.loads((folder / "baseline.json").read_text(encoding="utf-8"))
    baseline["fruit.tflite"] |= {"bytes": 1000, "accuracy": 1.5}
    (folder / "baseline.json").write_text(json.dumps(baseline), encoding="utf-8")
    capsys.readouterr()
    assert run("ci_gate", *asked, "--slower", 1000) == 1
    said = capsys.readouterr().out
    assert "bytes, 1,000 before" in said and "1.500 before" in said
    (folder / "baseline.json").write_text("{}", encoding="utf-8")
    assert run("ci_gate", *asked) == 1
    assert "fruit.tflite: no baseline" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["examples/ci_gate.yml", ".github/workflows/ci.yml"])
def test_a_workflow_runs_commands_that_are_there(name: str) -> None:
    workflow = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    commands = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert len(commands) > 2
    for command in commands:
        check(command.replace("mobile-sdk/examples/", "examples/").removeprefix(".venv/bin/"))
