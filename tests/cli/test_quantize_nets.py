"""`mobile-sdk quantize` of nets that this SDK did not train: the user's own module, and published checkpoints."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mobile_sdk.cli.app import call
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.program.program import Program
from qat.nets import build_net
from qat.nets.weights.published import load_weights
from tests.support.command_line import LABELS, mobile_sdk, save_pictures

Capture = pytest.CaptureFixture[str]

MODULE = '''
"""A user's own net, for pictures of 16 px; its labels are in an order of its own."""
import torch
from torch import nn
from mobile_sdk.contract import ImageSpec

def net():
    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
    found = nn.Sequential(features, nn.Flatten(), nn.Linear(8, 3))
    found.image = ImageSpec(size_px=16)
    found.labels = ("right", "left", "dark")
    return found

def knowing():
    """Right by construction: each label's third of the picture is brighter."""
    found = nn.Sequential(nn.Conv2d(3, 3, 16), nn.Flatten())
    found.image, found.labels = ImageSpec(size_px=16), ("right", "left", "dark")
    with torch.no_grad():
        found[0].weight.fill_(-0.01)
        found[0].bias.zero_()
        for position, columns in enumerate((slice(11, 16), slice(6, 10), slice(0, 5))):
            found[0].weight[position, :, :, columns] = 0.02
    return found

def plain():
    found = net()
    del found.image, found.labels
    return found

def of_two():
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())

def broken():
    return nn.Sequential(nn.Conv2d(4, 2, 3))
'''


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("data") / "sides"
    save_pictures(folder)
    return str(folder)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_nets").mkdir()
    (folder / "own_nets" / "small.py").write_text(MODULE, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of three classes and one of seven, in both forms."""
    folder = tmp_path_factory.mktemp("published")
    for classes in (3, 7):
        torch.manual_seed(classes)
        labels = tuple(map(str, range(classes)))
        net = build_net("mobilenet_v2", Contract(name="x", labels=labels, image=ImageSpec(size_px=32)), width=0.35)
        weights = net.state_dict()
        torch.save(
            {"state_dict": {f"module.{key}": value for key, value in weights.items()}}, folder / f"{classes}.pth"
        )
        save_file(weights, folder / f"{classes}.safetensors")
    return folder


def test_a_users_own_net_is_trained_in_int8_from_the_folder_that_holds_it(data: str, own: Path) -> None:
    done = mobile_sdk(
        *("quantize", "--model", "own_nets.small:net", "--data", data, "--epochs", "1", "--out", "runs", "--json"),
        cwd=own,
    )
    assert done.code == 0, done.err
    program = Program.load(own / "runs" / "program.pt2")
    assert done.json["digest"] == program.digest()
    assert (program.record.net, program.record.quantized) == ("own_nets.small:net", "qat")
    assert (program.contract.name, program.contract.image.size_px) == ("sides", 16)
    assert program.contract.labels == ("right", "left", "dark"), "the net's own order"
    assert not Program.load(own / "runs" / "float.pt2").graph.is_int8


def test_a_net_without_attributes_takes_the_pictures_labels_and_the_size_that_is_asked_for(
    data: str, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(own)
    arguments = ["quantize", "--model", "own_nets.small:plain", "--data", data, "--size", "24", "--epochs", "0"]
    assert call([*arguments, "--name", "mine", "--out", str(tmp_path)]) == 0
    program = Program.load(tmp_path / "program.pt2")
    assert (program.contract.name, program.contract.labels, program.contract.image.size_px) == ("mine", LABELS, 24)
    assert program.record.quantized == "calibrated"


def test_accuracy_counts_the_nets_own_order_of_labels(
    data: str, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.syspath_prepend(own)
    arguments = ["--data", data, "--epochs", "0", "--out", str(tmp_path), "--json"]
    assert call(["quantize", "--model", "own_nets.small:knowing", *arguments]) == 0
    record = json.loads(capfd.readouterr().out)
    right = {"measure": "top-1 accuracy", "value": 1.0, "images": 6, "by_class": [1.0, 1.0, 1.0]}
    assert record["float_quality"] == record["reference_quality"] == right


@pytest.fixture(scope="module")
def unlabelled(data: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("unlabelled") / "camera"
    folder.mkdir()
    for picture in Path(data).rglob("*.png"):
        (folder / f"{picture.parent.name}_{picture.name}").write_bytes(picture.read_bytes())
    return str(folder)


@pytest.mark.parametrize(("epochs", "quantized"), [("0", "calibrated"), ("2", "qat")])
def test_pictures_without_labels_go_the_whole_way(
    epochs: str,
    quantized: str,
    unlabelled: str,
    own: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Capture,
) -> None:
    monkeypatch.syspath_prepend(own)
    out, model = ("--out", str(tmp_path)), ("quantize", "--model", "own_nets.small:knowing", "--data", unlabelled)
    assert call([*model, "--epochs", epochs, *out]) == 0
    said = capfd.readouterr()
    assert f"int8, {quantized}; without labels\n" in said.out
    on = "6 held-out pictures and 94 crops of them"
    assert f"int8 reference and float net agree on 100.00% (95 %: 91.0–100.0 %) of {on}\n" in said.out
    assert "; no winner changed\n" in said.out
    assert ("as the teacher 100.00%" in said.err) == (epochs != "0")
    record = Program.load(tmp_path / "program.pt2").record
    assert record.quantized == quantized and record.float_quality is None and record.reference_quality is None
    found = record.agreement
    assert found is not None and (found.images, found.whole_images, found.kept_away) == (100, 6, True)
    assert found.interval is not None and found.interval.low < found.top1_agreement == found.interval.high == 1.0
    assert found.changed is not None and (found.changed.images, found.changed.clear) == (0, 0)
    assert found.sqnr_db is not None and found.sqnr_db > 25
    program = str(tmp_path / "program.pt2")
    assert call(["export", program, "--data", unlabelled, "--to", "tflite", *out]) == 0
    capfd.readouterr()
    verify = ["verify", str(tmp_path / "camera.tflite"), "--program", program, "--data", unlabelled]
    assert call([*verify, "--out", str(tmp_path / "verify.json"), "--json"]) == 0
    (verdict,) = json.loads(capfd.readouterr().out)
    outcomes = {check["name"]: check["outcome"] for check in verdict["checks"]}
    assert (verdict["pictures"], verdict["quality"], outcomes["steps apart"]) == (6, None, "pass")
    assert outcomes["accuracy beside the reference"] == outcomes["recorded accuracy"] == "not_run"
    assert call([*verify, "--min-accuracy", "0.9"]) == 3
    assert "expected labelled pictures" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "1 picture and 99 crops of it, which int8 was calibrated on: nothing was kept away"),
        (2, "1 held-out picture and 99 crops of it"),
    ],
)
def test_of_two_pictures_one_is_kept_away_of_one_none_and_the_command_says_so(
    count: int,
    said: str,
    unlabelled: str,
    own: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Capture,
) -> None:
    monkeypatch.syspath_prepend(own)
    few = tmp_path / "few"
    few.mkdir()
    for picture in sorted(Path(unlabelled).iterdir())[:count]:
        (few / picture.name).write_bytes(picture.read_bytes())
    for task, noun in (("classification", "int8 reference and float net agree on"), ("features", "judged on")):
        arguments = ["--data", str(few), "--task", task, "--epochs", "0", "--calibration", "extremes"]
        out = ["--out", str(tmp_path / task), "--overwrite"]
        assert call(["quantize", "--model", "own_nets.small:knowing", *arguments, *out]) == 0
        lines = capfd.readouterr().out.splitlines()
        assert any(noun in line and line.endswith(said) for line in lines)
        assert "1 picture says little of others: give ten pictures or more" in lines
    program = Program.load(tmp_path / "classification" / "program.pt2")
    assert program.record.agreement is not None and program.record.agreement.kept_away == (count > 1)
    assert call(["inspect", str(tmp_path / "classification" / "program.pt2")]) == 0
    assert said in capfd.readouterr().out
    (noise,) = Program.load(tmp_path / "features" / "program.pt2").record.outputs
    assert (noise.images, noise.whole_images, noise.kept_away) == (100, 1, count > 1)


def test_a_net_that_brings_no_labels_has_numbers_or_those_of_a_list(
    unlabelled: str, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.syspath_prepend(own)
    base = ["quantize", "--model", "own_nets.small:plain", "--data", unlabelled, "--out", str(tmp_path)]
    base += ["--epochs", "0", "--calibration", "extremes"]
    assert call(base) == 0
    assert "labels are numbered: class_0" in capfd.readouterr().err
    assert Program.load(tmp_path / "program.pt2").contract.labels == ("class_0", "class_1", "class_2")
    (tmp_path / "labels.txt").write_text("cat\ndog\ncow\n")
    assert call([*base, "--labels", str(tmp_path / "labels.txt")]) == 0
    assert Program.load(tmp_path / "program.pt2").contract.labels == ("cat", "dog", "cow")
    assert call([*base, "--labels", "coco"]) == 3
    assert "expected 3 labels in coco, found 80" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [("of_two", "expected scores (2, 3) for two pictures, found (2, 2)"), ("broken", "expected own_nets.small:broken")],
)
def test_a_net_that_does_not_fit_is_refused_before_anything_long(
    name: str, message: str, data: str, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.syspath_prepend(own)
    out = tmp_path / "out"
    assert call(["quantize", "--model", f"own_nets.small:{name}", "--data", data, "--out", str(out)]) == 4
    assert message in capfd.readouterr().err
    assert not list(out.iterdir())


@pytest.mark.parametrize("form", ["pth", "safetensors"])
def test_a_published_checkpoint_is_calibrated_as_it_is(
    form: str, data: str, published: Path, tmp_path: Path, capfd: Capture
) -> None:
    weights = ["--weights", str(published / f"3.{form}"), "--net", "mobilenet_v2", "--width", "0.35", "--size", "32"]
    assert call(["quantize", *weights, "--data", data, "--epochs", "0", "--out", str(tmp_path), "--json"]) == 0
    said = capfd.readouterr()
    assert "tensors from" in said.err and "head" not in said.err
    assert json.loads(said.out)["quantized"] == "calibrated"
    program = Program.load(tmp_path / "program.pt2")
    assert program.contract.image == ImageSpec.torchvision(32), "what published checkpoints were trained on"
    expected = build_net("mobilenet_v2", program.contract, width=0.35)
    load_weights(expected, published / "3.pth")
    twin = Program.load(tmp_path / "float.pt2").graph.operators[-1]
    head = [module for module in expected.modules() if isinstance(module, torch.nn.Linear)][-1]
    assert (twin.weight == head.weight.detach().numpy().reshape(twin.weight.shape)).all()  # type: ignore[union-attr]


@pytest.mark.parametrize("form", ["pth", "safetensors"])
def test_a_head_of_another_size_is_replaced_and_said_so(
    form: str, data: str, published: Path, tmp_path: Path, capfd: Capture
) -> None:
    weights = ["--weights", str(published / f"7.{form}"), "--net", "mobilenet_v2", "--width", "0.35", "--size", "32"]
    base = ["quantize", *weights, "--data", data, "--out", str(tmp_path)]
    assert call([*base, "--epochs", "0"]) == 2
    assert "expected a head of 3 classes" in capfd.readouterr().err, "a random head cannot be calibrated"
    assert call([*base, "--epochs", "1"]) == 0
    said = capfd.readouterr().err
    assert "the head is replaced and has to be trained (7 classes in the file, 3 in the net)" in said
    assert Program.load(tmp_path / "program.pt2").contract.labels == LABELS


@pytest.mark.parametrize("source", ["model", "checkpoint"])
def test_without_data_pictures_are_made_up_labels_are_the_nets_and_nothing_is_judged(
    source: str, own: Path, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.syspath_prepend(own)
    checkpoint = ["--weights", str(published / "7.pth"), "--net", "mobilenet_v2", "--width", "0.35", "--size", "32"]
    named = {"model": ["--model", "own_nets.small:net"], "checkpoint": checkpoint}[source]
    assert call(["quantize", *named, "--data", "none", "--out", str(tmp_path)]) == 0
    said = capfd.readouterr()
    assert "16 pictures made up from batch norms; judged on none" in said.out and "biases" in said.out
    program = Program.load(tmp_path / "program.pt2")
    assert program.graph.is_int8 and program.record.quantized == "calibrated"
    record = program.record
    assert record.float_quality is None and record.reference_quality is None and record.agreement is None
    labels = {"model": ("right", "left", "dark"), "checkpoint": tuple(f"class_{index}" for index in range(7))}[source]
    assert program.contract.labels == labels


def test_without_data_nothing_is_trained_and_a_net_without_batch_norm_is_refused(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.syspath_prepend(own)
    base = ["quantize", "--data", "none", "--out", str(tmp_path), "--model"]
    assert call([*base, "own_nets.small:net", "--epochs", "2"]) == 2
    assert "give pictures to train on" in capfd.readouterr().err
    assert call([*base, "own_nets.small:knowing"]) == 4
    said = capfd.readouterr().err
    assert "expected a net with batch norm" in said and "--data DIR" in said


@pytest.mark.parametrize(
    ("named", "carried_out"),
    [
        ("extremes", ["extremes"]),
        ("equalisation", ["extremes", "equalisation"]),
        ("ranges, biases", ["extremes", "ranges", "ranges, measured", "biases"]),
    ],
)
def test_stages_of_calibration_are_chosen_by_name(
    named: str,
    carried_out: list[str],
    data: str,
    own: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Capture,
) -> None:
    monkeypatch.syspath_prepend(own)
    base = ["quantize", "--model", "own_nets.small:net", "--data", data, "--epochs", "0", "--out", str(tmp_path)]
    assert call([*base, "--calibration", named, "--json"]) == 0
    stages = json.loads(capfd.readouterr().out)["settings"]["calibration"]
    assert [stage["stage"] for stage in stages] == carried_out and stages[0]["sqnr_db"] > 15


def test_an_unknown_stage_of_calibration_is_refused_with_the_known_ones(tmp_path: Path, capfd: Capture) -> None:
    assert call(["quantize", "--model", "any:net", "--data", "digits", "--calibration", "ranges,rouding"]) == 2
    said = capfd.readouterr().err
    assert "expected stages of calibration, found 'rouding'" in said and "ranges, rounding, biases" in said
