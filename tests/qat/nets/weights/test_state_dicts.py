"""Checkpoints as training scripts leave them: the weights are found, the average first, and what was taken is said."""

import argparse
import datetime as dt
import os
import pathlib
import re
import subprocess
import tempfile
import warnings
from collections import OrderedDict

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mobile_sdk.contract import Contract
from mobile_sdk.errors import DataError, SettingError
from qat.nets import build_net
from qat.nets.registry import net_names
from qat.nets.weights.published import load_weights
from qat.nets.weights.recognition import library_of, recognise


def small_net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4), head=nn.Linear(4, 3)))


RIGHT = small_net(1).state_dict()
WRONG = {key: torch.zeros_like(value) for key, value in RIGHT.items()}


def prefixed(prefix, weights=RIGHT):
    return {prefix + key: value for key, value in weights.items()}


def loaded(content, folder):
    """The report of loading what `torch.save` writes of `content`, having checked that `RIGHT` was loaded."""
    path, net = folder / "checkpoint.pth", small_net()
    torch.save(content, path)
    report = load_weights(net, path)
    assert all(value.equal(RIGHT[key]) for key, value in net.state_dict().items())
    return report


AS_SCRIPTS_LEAVE_THEM = {
    "imagenet example": ({"state_dict": prefixed("module."), "epoch": 90, "best_acc1": torch.tensor(71.8)}, "epoch 90"),
    "PyTorch's tutorial": ({"model_state_dict": RIGHT, "optimizer_state_dict": {}, "loss": 0.1}, "'model_state_dict'"),
    "pytorch-cifar": ({"net": prefixed("module."), "acc": 93.1}, "key 'net'; prefix 'module.' removed"),
    "torchvision": ({"model": RIGHT, "optimizer": {}, "args": argparse.Namespace(lr=0.1)}, "key 'model'"),
    "Lightning": ({"state_dict": prefixed("model."), "hyper_parameters": {}}, "prefix 'model.' removed"),
    "Lightning's deeper": ({"state_dict": prefixed("net.model.")}, "prefix 'net.model.' removed"),
    "compiled": (prefixed("_orig_mod."), "prefix '_orig_mod.' removed"),
    "compiled, parallel": (prefixed("module._orig_mod."), "prefix 'module._orig_mod.' removed"),
    "compiled inside": ({key.replace("conv.", "conv._orig_mod."): value for key, value in RIGHT.items()}, ""),
    "DeepSpeed": ({"module": RIGHT, "dp_world_size": 1}, "key 'module'"),
    "fastai": ({"model": RIGHT, "opt": {"state": [], "hypers": []}}, "key 'model'"),
    "nested twice": ({"checkpoint": {"model": {"state_dict": RIGHT}}}, "key 'checkpoint.model.state_dict'"),
    "a tuple": ((RIGHT, 3, "adam"), "key '0'"),
    "any other key": ({"trained_weights": RIGHT}, "key 'trained_weights'"),
    "a backbone's": (prefixed("backbone."), "prefix 'backbone.' removed"),
    "optimizer beside": (
        {"optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": []}, "model": RIGHT},
        "key 'model'",
    ),
}


@pytest.mark.parametrize("script", AS_SCRIPTS_LEAVE_THEM)
def test_weights_load_as_training_scripts_leave_them_and_it_is_said_which(script, tmp_path):
    content, said = AS_SCRIPTS_LEAVE_THEM[script]
    assert said in str(loaded(content, tmp_path))


NAMES = st.from_regex(r"[a-z_]{1,12}", fullmatch=True).filter(lambda name: not re.search("ema|swa|avg|average", name))


@settings(deadline=None, max_examples=60)
@given(keys=st.lists(NAMES, max_size=3), prefixes=st.lists(NAMES, max_size=3), other=NAMES)
def test_weights_load_from_below_any_keys_and_behind_any_prefix(keys, prefixes, other):
    content = {**prefixed("".join(f"{name}." for name in prefixes)), "n_batches": torch.tensor(3)}
    if not prefixes:
        del content["n_batches"]
    for key in keys:
        content = {other: torch.zeros(2), key: content}
    with tempfile.TemporaryDirectory() as folder:
        loaded(content, pathlib.Path(folder))


AVERAGED = {
    "timm": ({"state_dict": WRONG, "state_dict_ema": RIGHT, "epoch": 3}, "key 'state_dict_ema'; epoch 3"),
    "torchvision": ({"model": WRONG, "model_ema": prefixed("module.")}, "'model' left aside"),
    "ema_state_dict": ({"ema_state_dict": RIGHT, "state_dict": WRONG}, "'state_dict' left aside"),
    "below ema": ({"model": WRONG, "ema": {"module": RIGHT}}, "key 'ema.module'"),
    "swa": ({"swa_model": prefixed("module."), "model": WRONG}, "key 'swa_model'"),
    "in one dict": (
        {"state_dict": prefixed("model.", WRONG) | prefixed("ema_model.")},
        "'state_dict.model' left aside",
    ),
    "beside bare names": ({**WRONG, **prefixed("ema.module.")}, "prefix 'ema.module.' removed"),
    "DINO": ({"student": prefixed("module.", WRONG), "teacher": RIGHT}, "key 'teacher'"),
}


@pytest.mark.parametrize("script", AVERAGED)
def test_averaged_weights_come_first_and_that_is_said(script, tmp_path):
    content, words = AVERAGED[script]
    said = str(loaded(content, tmp_path))
    assert "averaged weights (EMA)" in said and words in said


def test_pytorchs_own_averaged_model_loads(tmp_path):
    averaged = AveragedModel(small_net(1), multi_avg_fn=get_ema_multi_avg_fn(0.9))
    assert "averaged weights (EMA)" in str(loaded(averaged.state_dict(), tmp_path))


def test_an_average_that_lacks_statistics_is_left_aside_and_named(tmp_path):
    parameters = {key: value for key, value in WRONG.items() if "running" not in key}
    assert "'ema' left aside" in str(loaded({"model": RIGHT, "ema": parameters}, tmp_path))


def test_a_larger_teacher_does_not_pass_for_the_net(tmp_path):
    larger = {key: torch.zeros(8, *value.shape[1:]) if value.ndim else value for key, value in RIGHT.items()}
    assert "averaged" not in str(loaded({"teacher": larger, "student": RIGHT}, tmp_path))


def test_tensors_of_other_modules_are_left_aside_and_named(tmp_path):
    content = {"state_dict": prefixed("model.") | {"criterion.weight": torch.ones(3)}}
    assert "1 of other modules left aside: criterion.weight" in str(loaded(content, tmp_path))


class Config:
    """Belongs to a training script, which is gone when its checkpoint is read."""


def records():
    return {
        "args": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("runs")),
        "best": np.float64(71.8),
        "when": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "criterion": nn.CrossEntropyLoss(),
        "optimizer": torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1),
        "config": Config(),
        "shape": torch.Size([1]),
    }


@pytest.mark.parametrize("is_zip", [True, False])
def test_records_that_scripts_file_beside_weights_are_neither_built_nor_in_the_way(is_zip, tmp_path, monkeypatch):
    def built(*_):
        raise AssertionError("an object of the file was built")

    path, net, content = tmp_path / "checkpoint.pth", small_net(), {"model": RIGHT, **records()}
    if not is_zip:
        del content["criterion"]  # a module in the older form brings its source, which torch's reader refuses
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    monkeypatch.setattr(Config, "__new__", built)
    monkeypatch.setattr(nn.CrossEntropyLoss, "__new__", built)
    load_weights(net, path)
    assert net.conv.weight.equal(RIGHT["conv.weight"])


class Call:
    """A pickle that calls a function when it is read without care."""

    def __init__(self, function, *arguments):
        self.called = function, arguments

    def __reduce__(self):
        return self.called


@pytest.mark.parametrize("function", [os.system, eval, exec, subprocess.check_output, os.mkdir, getattr])
def test_a_pickle_that_asks_for_a_function_of_python_is_refused(function, tmp_path):
    path = tmp_path / "checkpoint.pth"
    torch.save({"model": RIGHT, "epoch": Call(function, str(tmp_path / "it_ran"))}, path)
    with pytest.raises(DataError, match="which was not run"):
        load_weights(small_net(), path)
    assert not (tmp_path / "it_ran").exists()


def refused(content, folder):
    torch.save(content, folder / "checkpoint.pth")
    with pytest.raises(DataError) as raised:
        load_weights(small_net(), folder / "checkpoint.pth")
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_whole_modules_are_named_and_not_built(tmp_path):
    assert "the Python object torch.nn.modules.container.Sequential, which was not run" in refused(
        small_net(), tmp_path
    )
    assert "torch.nn.modules.container.Sequential" in refused({"ema": None, "model": small_net()}, tmp_path)


def test_the_state_of_an_optimizer_alone_is_named(tmp_path):
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert "the state of an optimizer alone" in refused(optimizer.state_dict(), tmp_path)


def test_torchscript_is_named_with_the_way_out(tmp_path):
    path = tmp_path / "scripted.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is old: people bring it
        torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)), str(path))
    with pytest.raises(DataError, match=r"a TorchScript program, which was not run.*state_dict\(\)"):
        load_weights(small_net(), path)


@pytest.mark.parametrize("name", ["weights.pth", "model.bin", "weights", "weights.safetensors"])
def test_safetensors_load_under_any_name(name, tmp_path):
    safetensors.torch.save_file(RIGHT, tmp_path / name)
    net = small_net()
    assert load_weights(net, tmp_path / name).tensors == len(RIGHT)


def test_a_zip_that_is_cut_short_is_named(tmp_path):
    path = tmp_path / "checkpoint.pth"
    torch.save(RIGHT, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="found a file that is damaged: its end is missing"):
        load_weights(small_net(), path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_another_zip_is_named(save, tmp_path):
    save(tmp_path / "weights.npz", a=np.zeros(3))
    with pytest.raises(DataError, match="a zip archive of something else"):
        load_weights(small_net(), tmp_path / "weights.npz")


def test_a_weight_that_is_not_finite_is_refused_by_its_name(tmp_path):
    broken = RIGHT["norm.running_var"].clone()
    broken[0] = float("nan")
    said = refused({"model": {**RIGHT, "norm.running_var": broken}}, tmp_path)
    assert "1 not finite (norm.running_var)" in said and "diverged" in said


def contract(classes=2):
    return Contract(name="net", labels=tuple(f"label {index}" for index in range(classes)))


@pytest.mark.parametrize("name", net_names())
def test_every_net_is_recognised_by_its_tensors_with_its_width(name):
    weights = build_net(name, contract(5), width=0.5).state_dict()
    assert recognise({"model": prefixed("module.", weights)}) == (name, 0.5)


def test_weights_of_another_net_are_named_with_the_options_to_give(tmp_path):
    torch.save(build_net("mobilenet_v2", contract(), width=0.35).state_dict(), tmp_path / "v2.pth")
    with pytest.raises(DataError, match=r"found those of mobilenet_v2, width 0\.35") as raised:
        load_weights(build_net("mobilenet_v3_small", contract()), tmp_path / "v2.pth")
    assert raised.value.hint == "build that net: --net mobilenet_v2 --width 0.35"


def test_weights_of_another_width_are_named(tmp_path):
    torch.save(build_net("mobilenet_v2", contract()).state_dict(), tmp_path / "v2.pth")
    with pytest.raises(DataError, match=r"found those of mobilenet_v2, width 1 ") as raised:
        load_weights(build_net("mobilenet_v2", contract(), width=0.5), tmp_path / "v2.pth")
    assert raised.value.hint == "build that net: --net mobilenet_v2"


@pytest.mark.parametrize(
    ("key", "library"),
    [
        ("conv_stem.weight", "timm"),
        ("mobilenet_v2.conv_stem.first_conv.convolution.weight", "Hugging Face transformers"),
        ("backbone.conv1.conv.weight", "OpenMMLab"),
        ("layer.weight", None),
    ],
)
def test_the_library_whose_names_these_are_is_known(key, library):
    assert library_of({"state_dict": {key: torch.zeros(1)}}) == library


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("mobilenet_v3", "mobilenet_v3_large or mobilenet_v3_small"),
        ("mobilenetv2", "mobilenet_v2"),
        ("MobileNetV3Small", "mobilenet_v3_small"),
        ("mobilnet_v2", "mobilenet_v2"),
    ],
)
def test_a_net_that_is_nearly_named_gets_the_names_that_it_may_mean(asked, meant):
    with pytest.raises(SettingError) as raised:
        build_net(asked, contract())
    assert raised.value.hint == f"did you mean {meant}?"
