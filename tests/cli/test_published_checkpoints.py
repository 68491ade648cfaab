"""A published checkpoint on the command line: pictures without labels, or of a few of its own, calibrate it."""

import json
import shutil
from pathlib import Path

import pytest
import torch

import qat
from mobile_sdk.cli.app import call
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.labels.lists import shipped_labels
from mobile_sdk.program.program import Program
from mobile_sdk.workflow import pipeline
from qat.calibration.plan import CalibrationPlan
from qat.nets import build_net
from qat.nets.saved_net import read_header
from qat.nets.weights.published import load_weights
from tests.support.command_line import LABELS, save_pictures

Capture = pytest.CaptureFixture[str]

NET = ("--net", "mobilenet_v1", "--width", "0.25")
SMALL = (*NET, "--size", "32")
CALIBRATED = ("--epochs", "0", "--calibration", "extremes")
IMAGENET = shipped_labels("imagenet")
SYNSETS = ("n01440764", "n01443537", "n01484850")  # tench, goldfish, great white shark


def checkpoint(path: Path, classes: int) -> Path:
    """Weights whose batch norms have seen something, as `torch.save` writes a training script's dict."""
    torch.manual_seed(classes)
    labels = tuple(map(str, range(classes)))
    net = build_net("mobilenet_v1", Contract(name="x", labels=labels, image=ImageSpec(size_px=32)), width=0.25).train()
    with torch.no_grad():
        net.classifier[1].weight.normal_()
        for _ in range(5):
            net(torch.nn.functional.interpolate(torch.randn(16, 3, 6, 6), size=32, mode="bilinear"))
    torch.save({"state_dict": net.state_dict(), "epoch": 3}, path)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of 1,000 and 3 classes; the same pictures by labels, by synsets, by names, by year, and flat."""
    folder = tmp_path_factory.mktemp("published")
    checkpoint(folder / "imagenet.pth", 1000)
    checkpoint(folder / "three.pth", 3)
    save_pictures(folder / "sides")
    for layout, names in {
        "synsets": SYNSETS,
        "names": ("tench", "goldfish", "great_white_shark"),
        "years": ("2024", "2025", "2026"),
        "year": ("2024", "2024", "2024"),
        "flat": ("", "", ""),
    }.items():
        for label, name in zip(LABELS, names, strict=True):
            for picture in (folder / "sides" / label).iterdir():
                (folder / layout / name).mkdir(parents=True, exist_ok=True)
                shutil.copy(picture, folder / layout / name / f"{label}_{picture.name}")
    for name in SYNSETS:
        (folder / "one each" / name).mkdir(parents=True)
        shutil.copy(next((folder / "synsets" / name).iterdir()), folder / "one each" / name)
    return folder


def quantized(place: Path, out: Path, *arguments: str, weights: str = "imagenet.pth", data: str = "flat") -> Program:
    """The program of `quantize` with these arguments, which must succeed."""
    base = ("quantize", "--weights", str(place / weights), *SMALL, "--data", str(place / data), "--out", str(out))
    assert call([*base, *arguments]) == 0
    return Program.load(out / "program.pt2")


def test_unlabelled_photographs_calibrate_a_published_checkpoint_and_its_head_stays(
    place: Path, tmp_path: Path, capfd: Capture
) -> None:
    program = quantized(place, tmp_path, *CALIBRATED)
    said = capfd.readouterr()
    assert "without labels\nint8 reference and float net agree" in said.out
    assert program.contract.labels == IMAGENET and "the 1000 labels are ImageNet's" in said.err
    assert program.record.float_quality is None and program.record.agreement is not None
    expected = build_net("mobilenet_v1", program.contract, width=0.25)
    load_weights(expected, place / "imagenet.pth")
    head = Program.load(tmp_path / "float.pt2").graph.operators[-1]
    weight = expected.classifier[1].weight.detach().numpy()
    assert (head.weight == weight.reshape(head.weight.shape)).all()  # type: ignore[union-attr]


def test_the_weights_own_normalisation_is_used_and_said(place: Path, tmp_path: Path, capfd: Capture) -> None:
    program = quantized(place, tmp_path, *CALIBRATED)
    assert program.contract.image == ImageSpec.torchvision(32)
    said = capfd.readouterr().err
    assert "pictures: the central 87.5 %, 32 px, mean 123.675 116.28 103.53, deviation 58.395 57.12 57.375" in said
    assert "1000 classes" not in said and "key 'state_dict'; epoch 3" in said


def test_unlabelled_photographs_teach_int8_what_the_float_net_says(place: Path, tmp_path: Path, capfd: Capture) -> None:
    program = quantized(place, tmp_path, "--epochs", "1", "--calibration", "extremes")
    assert "as the teacher" in capfd.readouterr().err
    assert program.record.quantized == "qat" and program.contract.labels == IMAGENET


@pytest.mark.parametrize("data", ["synsets", "names", "one each"])
def test_folders_of_a_few_labels_calibrate_and_judge_a_net_of_a_thousand(
    data: str, place: Path, tmp_path: Path, capfd: Capture
) -> None:
    program = quantized(place, tmp_path, *CALIBRATED, data=data)
    assert "3 of the 1000 labels of imagenet.pth are in" in capfd.readouterr().err
    assert program.contract.labels == IMAGENET and program.record.float_quality is not None


def test_folders_that_only_sort_photographs_say_no_labels(place: Path, tmp_path: Path, capfd: Capture) -> None:
    assert quantized(place, tmp_path, *CALIBRATED, data="year").record.float_quality is None
    program = quantized(place, tmp_path, *CALIBRATED, "--labels", "imagenet", data="years")
    assert "no folder in" in capfd.readouterr().err and program.record.float_quality is None
    export = ["export", str(tmp_path / "program.pt2"), "--to", "tflite", "--out", str(tmp_path / "bundles")]
    assert call([*export, "--data", str(place / "years")]) == 0, "what calibrated a program is what exports it"


def test_folders_of_other_labels_are_refused_where_no_new_head_can_be_trained(
    place: Path, tmp_path: Path, capfd: Capture
) -> None:
    base = ["quantize", "--weights", str(place / "imagenet.pth"), *SMALL, "--data", str(place / "sides")]
    assert call([*base, *CALIBRATED, "--out", str(tmp_path)]) == 2
    said = capfd.readouterr().err
    assert "expected a head of 3 classes" in said and "for the labels dark, left, right" in said
    assert "--epochs" in said and "--labels" in said


def test_folders_as_many_as_classes_without_names_are_those_classes(
    place: Path, tmp_path: Path, capfd: Capture
) -> None:
    program = quantized(place, tmp_path, *CALIBRATED, weights="three.pth", data="sides")
    assert program.contract.labels == LABELS and program.record.float_quality is not None
    assert "the 3 folders" in capfd.readouterr().err


def test_a_head_without_names_has_numbered_labels_or_those_of_a_file(
    place: Path, tmp_path: Path, capfd: Capture
) -> None:
    program = quantized(place, tmp_path, *CALIBRATED, weights="three.pth")
    assert program.contract.labels == ("class_0", "class_1", "class_2")
    assert "the 3 labels are numbered" in capfd.readouterr().err
    (tmp_path / "labels.txt").write_text("\ufeffcat\r\ndog\r\ncow\r\n\r\n", encoding="utf-8")
    named = ("--labels", str(tmp_path / "labels.txt"))
    assert quantized(place, tmp_path, *CALIBRATED, *named, weights="three.pth").contract.labels == ("cat", "dog", "cow")


def test_a_list_of_another_count_is_refused_by_its_name(place: Path, tmp_path: Path, capfd: Capture) -> None:
    (tmp_path / "labels.txt").write_text("\n".join(IMAGENET[:999]), encoding="utf-8")
    base = ["quantize", "--weights", str(place / "imagenet.pth"), *SMALL, "--data", str(place / "flat")]
    assert call([*base, *CALIBRATED, "--labels", str(tmp_path / "labels.txt"), "--out", str(tmp_path)]) == 3
    assert f"expected 1000 labels in {tmp_path / 'labels.txt'}, found 999" in capfd.readouterr().err


def test_a_program_of_a_thousand_labels_is_verified_on_pictures_of_any_or_none(
    place: Path, tmp_path: Path, capfd: Capture
) -> None:
    quantized(place, tmp_path, *CALIBRATED)
    program, bundles = str(tmp_path / "program.pt2"), str(tmp_path / "bundles")
    assert call(["export", program, "--to", "tflite", "--data", str(place / "flat"), "--out", bundles]) == 0
    bundle = f"{bundles}/flat.tflite"
    assert Path(bundle, "labels.txt").read_text(encoding="utf-8").splitlines()[1] == "goldfish"
    for data in ("flat", "synsets", "years"):
        capfd.readouterr()
        verify = ["verify", bundle, "--program", program, "--data", str(place / data), "--json"]
        assert call([*verify, "--out", str(tmp_path / "verify.json")]) == 0
        (verdict,) = json.loads(capfd.readouterr().out)
        assert (verdict["quality"] is None) == (data != "synsets") and verdict["comparison"]["max_steps"] == 0


@pytest.mark.parametrize("option", [(), ("--labels", "imagenet")])
def test_a_few_of_its_labels_give_a_trained_net_a_head_of_its_own_unless_labels_are_asked_for(
    option: tuple[str, ...], place: Path, tmp_path: Path, capfd: Capture
) -> None:
    base = ["train", "--weights", str(place / "imagenet.pth"), *SMALL, "--data", str(place / "synsets")]
    assert call([*base, "--epochs", "1", *option, "--out", str(tmp_path)]) == 0
    saved = read_header(tmp_path / "net.safetensors")
    assert saved is not None and saved.contract.image == ImageSpec.torchvision(32)
    assert saved.contract.labels == (IMAGENET if option else SYNSETS)
    assert ("its head stays" in capfd.readouterr().err) == bool(option)


def test_a_float_net_cannot_be_trained_on_unlabelled_pictures(place: Path, tmp_path: Path, capfd: Capture) -> None:
    for verb in ("train", "run"):
        base = [verb, "--weights", str(place / "imagenet.pth"), *SMALL, "--data", str(place / "flat")]
        assert call([*base, "--epochs", "2", "--out", str(tmp_path)]) == 3
        assert "expected pictures with labels to train on" in capfd.readouterr().err


def ran(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Path:
    """The folder of `run` with these arguments, its first three steps alone."""
    folders: list[Path] = []

    def stop(_program: object, folder: Path, _pictures: object, **_settings: object) -> None:
        folders.append(folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "deploy", stop)
    call(["run", *arguments])
    return folders[0]


@pytest.mark.parametrize("epochs", [(), ("--epochs", "0")])
def test_run_takes_weights_as_they_are_for_pictures_without_labels(
    epochs: tuple[str, ...], place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    weights = ("--weights", str(place / "three.pth"), *SMALL)
    ran(monkeypatch, *weights, "--data", str(place / "flat"), *epochs, "--qat-epochs", "1", "--out", str(tmp_path))
    program = Program.load(tmp_path / "program.pt2")
    assert program.record.float_quality is None and program.record.quantized == "qat"
    assert [row["stage"] for row in program.record.history] == ["qat"]
    assert "no picture says one" in capfd.readouterr().err


def test_run_fine_tunes_from_a_checkpoint_and_from_a_net_of_train(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    data = ("--data", str(place / "sides"), "--epochs", "1", "--qat-epochs", "0")
    ran(monkeypatch, "--weights", str(place / "imagenet.pth"), *SMALL, *data, "--out", str(tmp_path / "first"))
    assert "gets a head for the 3 labels" in capfd.readouterr().err
    net = tmp_path / "first" / "net.safetensors"
    saved = read_header(net)
    assert saved is not None and saved.contract.labels == LABELS
    ran(monkeypatch, "--weights", str(net), *data, "--out", str(tmp_path / "second"))
    said = capfd.readouterr().err
    assert "as net.safetensors says" in said and f"tensors from {net}" in said
    assert Program.load(tmp_path / "second" / "program.pt2").contract.image == ImageSpec.torchvision(32)


def test_options_that_weights_make_useless_or_need_are_refused(place: Path, tmp_path: Path, capfd: Capture) -> None:
    sides, out = ("--data", str(place / "sides")), ("--out", str(tmp_path))
    for arguments, words in (
        (("run", *sides, "--epochs", "0"), "expected --epochs 0 beside --weights"),
        (("train", *sides, "--labels", "imagenet"), "expected --labels beside --weights"),
        (("run", "--task", "detection", "--labels", "coco"), "neither --weights, --labels, --recipe nor --epochs 0"),
    ):
        assert call([*arguments, *out]) == 2
        assert words in capfd.readouterr().err


def test_weights_of_another_net_are_named_on_the_command_line(place: Path, tmp_path: Path, capfd: Capture) -> None:
    for verb in ("train", "run"):
        base = [verb, "--weights", str(place / "three.pth"), "--size", "32", "--data", str(place / "sides")]
        assert call([*base, "--out", str(tmp_path)]) == 3
        said = capfd.readouterr().err
        assert "found those of mobilenet_v1, width 0.25" in said and "--net mobilenet_v1 --width 0.25" in said


def test_the_same_way_goes_in_python(place: Path) -> None:
    contract = Contract(name="camera", labels=IMAGENET, image=ImageSpec.torchvision(32))
    net = build_net("mobilenet_v1", contract, width=0.25)
    assert "epoch 3" in str(load_weights(net, place / "imagenet.pth"))
    plan = CalibrationPlan.extremes()
    program = qat.quantize(net, contract, qat.load_unlabelled(place / "flat"), plan)
    assert program.graph.is_int8 and program.contract == contract


def test_pictures_of_digits_are_not_taken_for_unlabelled_ones(place: Path, tmp_path: Path, capfd: Capture) -> None:
    base = ["quantize", "--weights", str(place / "imagenet.pth"), *SMALL, "--data", "digits", *CALIBRATED]
    assert call([*base, "--labels", "imagenet", "--out", str(tmp_path)]) == 3
    assert "expected pictures of the 1000 labels" in capfd.readouterr().err


def test_a_net_that_nobody_named_is_recognised_and_named_in_the_hint(
    place: Path, tmp_path: Path, capfd: Capture
) -> None:
    out = ("--data", str(place / "flat"), "--out", str(tmp_path))
    assert call(["quantize", "--weights", str(place / "three.pth"), *out]) == 2
    said = capfd.readouterr().err
    assert "found neither" in said and "looks like --net mobilenet_v1 --width 0.25" in said
    torch.save({"layer.weight": torch.zeros(1)}, tmp_path / "other.pth")
    assert call(["quantize", "--weights", str(tmp_path / "other.pth"), *out]) == 2
    assert "mobile-sdk nets" in capfd.readouterr().err
