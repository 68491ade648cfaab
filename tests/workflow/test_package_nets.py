"""Nets of packages by name: built with their preprocessing and labels, weights from a file, nothing fetched."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from mobile_sdk.errors import DataError, MachineError, SettingError
from mobile_sdk.program.program import Program
from mobile_sdk.workflow.quantization import quantize
from mobile_sdk.workflow.run_files import PROGRAM
from mobile_sdk.workflow.settings import QuantizeSettings
from mobile_sdk.workflow.sources.package_nets import package_net

SQUARE_PX = 32


def tiny(classes: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, 2),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, classes),
    )


@pytest.fixture
def timm(monkeypatch, tmp_path):
    """A package of timm's functions with one net, whose pictures have the ImageNet mean and a bicubic resizing."""
    config = {
        "input_size": (3, SQUARE_PX, SQUARE_PX),
        "crop_pct": 0.95,
        "interpolation": "bicubic",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "url": "https://example.org/weights/tiny-1234.pth",
    }

    def create_model(name, pretrained, num_classes=1000):
        assert name == "tiny" and not pretrained
        net = tiny(num_classes)
        net.pretrained_cfg = config
        return net

    fake = ModuleType("timm")
    fake.__dict__.update(create_model=create_model, is_model=lambda name: name == "tiny", list_models=lambda: ["tiny"])
    monkeypatch.setitem(sys.modules, "timm", fake)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return fake


def saved(path: Path, classes: int = 1000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(tiny(classes).state_dict(), path)
    return path


def test_a_net_comes_with_its_preprocessing_and_labels(timm, tmp_path, capsys):
    net = package_net("timm:tiny", saved(tmp_path / "w.pth"))
    assert (net.image.size_px, net.image.crop_share) == (SQUARE_PX, 0.95)
    assert net.image.mean_byte == (123.675, 116.28, 103.53) and net.image.std_byte == (58.395, 57.12, 57.375)
    assert len(net.labels) == 1000 and net.labels[1] == "goldfish" and not net.training


def test_a_head_of_other_classes_in_the_file_is_the_nets(timm, tmp_path):
    net = package_net("timm:tiny", saved(tmp_path / "w.pth", classes=7))
    assert net[-1].out_features == 7 and net.labels[6] == "class_6"


def test_weights_in_the_packages_own_cache_are_found(timm, tmp_path):
    path = saved(tmp_path / "hub" / "checkpoints" / "tiny-1234.pth")
    weight = package_net("timm:tiny", None)[0].weight
    assert torch.equal(weight, torch.load(path, weights_only=True)["0.weight"])


def test_without_weights_nothing_is_fetched_and_the_option_is_named(timm):
    with pytest.raises(SettingError, match="expected weights for timm:tiny, found none") as caught:
        package_net("timm:tiny", None)
    assert "--weights FILE" in caught.value.hint


def test_weights_of_another_net_are_refused(timm, tmp_path):
    torch.save(nn.Linear(3, 4).state_dict(), tmp_path / "w.pth")
    with pytest.raises(DataError):
        package_net("timm:tiny", tmp_path / "w.pth")


def test_an_unknown_name_is_refused_with_a_near_one(timm, tmp_path):
    with pytest.raises(SettingError, match="found 'tinny'") as caught:
        package_net("timm:tinny", saved(tmp_path / "w.pth"))
    assert "timm:tiny" in caught.value.hint


def test_without_the_package_its_installation_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MachineError, match="expected the package timm") as caught:
        package_net("timm:tiny", saved(tmp_path / "w.pth"))
    assert caught.value.hint == "pip install '.[timm]'"


def test_a_torchvision_for_another_torch_is_refused_in_words(monkeypatch, tmp_path):
    def fails(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("mobile_sdk.packages.import_module", fails)
    with pytest.raises(MachineError, match="expected a torchvision for torch"):
        package_net("torchvision:resnet18", saved(tmp_path / "w.pth"))


def test_a_net_of_a_package_becomes_a_program(timm, tmp_path):
    random = np.random.default_rng(0)
    for label in ("ash", "elm"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for index in range(8):
            pixels = random.integers(0, 256, (40, 40, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{index}.png")
    weights = saved(tmp_path / "w.pth", classes=2)
    asked = QuantizeSettings(
        data=str(tmp_path / "photos"), net="timm:tiny", weights=weights, epochs=0, out=tmp_path / "out"
    )
    quantize(asked, progress=False)
    program = Program.load(tmp_path / "out" / PROGRAM)
    assert program.record.net == "timm:tiny" and program.contract.image.crop_share == 0.95
