"""Every form of checkpoint loads; nothing in a file is run; what does not fit is said in one line."""

import os
import pickle
import tempfile
from collections import OrderedDict
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mobile_sdk.errors import DataError
from qat.nets.classifiers.mobilenet_v3 import mobilenet_v3_small
from qat.nets.weights.published import load_weights


def small_net(classes=3, width=4):
    """Nine tensors, two of them the head: enough for everything but the layouts."""
    return nn.Sequential(
        OrderedDict(conv=nn.Conv2d(3, width, 3), norm=nn.BatchNorm2d(width), head=nn.Linear(width, classes))
    )


def refusal(net, path):
    """The DataError of loading `path`, having checked that it is one line and that the net is untouched."""
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(DataError) as raised:
        load_weights(net, path)
    assert "\n" not in str(raised.value) and raised.value.hint
    assert all(value.equal(before[key]) for key, value in net.state_dict().items())
    return raised.value.message


WRAPPED = [(form, wrapper) for form in ("zip", "legacy") for wrapper in (None, "state_dict", "model")]


@pytest.mark.parametrize(("form", "wrapper"), [*WRAPPED, ("safetensors", None)])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_every_form_of_checkpoint_loads_alike(form, prefix, wrapper, tmp_path):
    source, net = small_net(), small_net()
    content = {prefix + key: value for key, value in source.state_dict().items()}
    path = tmp_path / ("weights.safetensors" if form == "safetensors" else "weights.pth")
    if form == "safetensors":
        safetensors.torch.save_file(content, path)
    else:
        wrapped = {wrapper: content, "epoch": 3} if wrapper else content
        torch.save(wrapped, path, _use_new_zipfile_serialization=form == "zip")
    assert load_weights(net, path).tensors == len(content)
    assert all(value.equal(source.state_dict()[key]) for key, value in net.state_dict().items())


def test_half_precision_weights_load_into_a_float32_net(tmp_path):
    source, net = small_net().half(), small_net()
    safetensors.torch.save_file(source.state_dict(), tmp_path / "half.safetensors")
    load_weights(net, tmp_path / "half.safetensors")
    assert net.conv.weight.dtype == torch.float32 and net.conv.weight.equal(source.conv.weight.float())


def test_files_older_than_batch_norms_counter_load(tmp_path):
    content = small_net().state_dict()
    del content["norm.num_batches_tracked"]
    torch.save(content, tmp_path / "old.pth")
    assert load_weights(small_net(), tmp_path / "old.pth").tensors == len(content)


def test_missing_and_unexpected_keys_are_listed_and_counted(tmp_path):
    content = small_net().state_dict()
    for key in ("conv.weight", "norm.weight", "norm.bias", "norm.running_mean"):
        content[f"old.{key}"] = content.pop(key)
    torch.save(content, tmp_path / "other.pth")
    message = refusal(small_net(), tmp_path / "other.pth")
    assert "4 missing (conv.weight, norm.weight, norm.bias, …)" in message
    assert "4 unexpected (old.conv.weight, old.norm.weight, old.norm.bias, …)" in message


def test_a_tensor_of_another_shape_is_named_with_both_shapes(tmp_path):
    content = small_net().state_dict() | {"conv.weight": torch.zeros(4, 3, 5, 5)}
    torch.save(content, tmp_path / "other.pth")
    message = refusal(small_net(), tmp_path / "other.pth")
    assert "1 of another shape (conv.weight is 4×3×5×5 instead of 4×3×3×3)" in message


def test_the_papers_hidden_layer_does_not_pass_for_another_head(tmp_path):
    torch.save(mobilenet_v3_small(1000, hidden=1280).state_dict(), tmp_path / "paper.pth")
    message = refusal(mobilenet_v3_small(5), tmp_path / "paper.pth")
    assert "4 of another shape (classifier.0.weight is 1280×576 instead of 1024×576, classifier.0.bias" in message


def test_a_head_whose_bias_contradicts_its_weight_is_no_head(tmp_path):
    content = small_net(classes=9).state_dict() | {"head.bias": torch.zeros(8)}
    torch.save(content, tmp_path / "other.pth")
    assert "2 of another shape (head.weight is 9×4 instead of 3×4" in refusal(small_net(), tmp_path / "other.pth")


def test_quantized_or_broken_numbers_are_refused(tmp_path):
    for value, words in ((torch.zeros(4, dtype=torch.int8), "kind of number"), (torch.full((4,), torch.nan), "finite")):
        torch.save(small_net().state_dict() | {"norm.bias": value}, tmp_path / "other.pth")
        message = refusal(small_net(), tmp_path / "other.pth")
        assert words in message and "(norm.bias)" in message


class Malicious:
    """A pickle that makes a folder when it is read without care."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def save_zip(content, path):
    torch.save(content, path)


def save_legacy(content, path):
    torch.save(content, path, _use_new_zipfile_serialization=False)


def save_pickle(content, path):
    path.write_bytes(pickle.dumps(content))


def read_carelessly(path):
    if path.suffix == ".pickle":
        pickle.loads(path.read_bytes())  # noqa: S301 - the control: it has to run once
    else:
        torch.load(path, weights_only=False)


NAMED = "found the Python object posix.mkdir, which was not run"


@pytest.mark.parametrize(
    ("save", "name", "words"),
    [
        (save_zip, "zip.pth", NAMED),
        (save_legacy, "legacy.pth", NAMED),
        (save_pickle, "bare.pickle", "in another format"),
    ],
)
def test_a_malicious_pickle_is_refused_and_not_run(save, name, words, tmp_path):
    mark, path = tmp_path / "it_ran", tmp_path / name
    save({"state_dict": small_net().state_dict(), "optimizer": Malicious(mark)}, path)
    read_carelessly(path)
    assert mark.is_dir(), "the pickle is not malicious: this test would prove nothing"
    mark.rmdir()
    message = refusal(small_net(), path)
    assert not mark.exists()
    assert words in message


def test_a_whole_pickled_module_is_refused_by_name(tmp_path):
    torch.save(small_net(), tmp_path / "module.pth")
    assert "the Python object torch.nn.modules.container.Sequential" in refusal(small_net(), tmp_path / "module.pth")


OTHER_FILES = {
    "": "an empty file",
    "hello\n" * 9: "damaged or in another format",
    "<!DOCTYPE html>\n<html>404</html>\n": "a web page",
    '\n<?xml version="1.0"?><Error>AccessDenied</Error>': "a web page",
    "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 14212972\n": "a pointer that Git LFS left",
    '{"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}': "JSON",
}


@pytest.mark.parametrize("name", ["weights.pth", "weights.pt", "weights.safetensors", "weights"])
@pytest.mark.parametrize("text", OTHER_FILES)
def test_what_a_download_left_in_place_of_weights_is_named(text, name, tmp_path):
    (tmp_path / name).write_text(text)
    assert OTHER_FILES[text] in refusal(small_net(), tmp_path / name)


@pytest.mark.parametrize("content", [{}, [1, 2], torch.zeros(3), {"weight": 3}, {3: torch.zeros(1)}, {"a\nb": 1.0}])
def test_a_pickle_of_something_else_is_no_weights(content, tmp_path):
    torch.save(content, tmp_path / "weights.pth")
    assert "tensors" in refusal(small_net(), tmp_path / "weights.pth")


def test_a_missing_file_and_a_folder_are_said_to_be_that(tmp_path):
    assert "found nothing" in refusal(small_net(), tmp_path / "absent.pth")
    assert "found a folder" in refusal(small_net(), tmp_path)


def saved_bytes(form):
    content = small_net().state_dict()
    if form == "safetensors":
        return safetensors.torch.save(content)
    with tempfile.TemporaryDirectory() as folder:
        (save_zip if form == "zip" else save_legacy)(content, path := Path(folder, "weights.pth"))
        return path.read_bytes()


SAVED = {form: saved_bytes(form) for form in ("zip", "legacy", "safetensors")}


@settings(max_examples=60)
@given(form=st.sampled_from(sorted(SAVED)), share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(form, share):
    damaged = SAVED[form][: int(share * len(SAVED[form]))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.safetensors" if form == "safetensors" else "weights.pth")
        path.write_bytes(damaged)
        refusal(small_net(), path)


@settings(max_examples=150)
@given(form=st.sampled_from(sorted(SAVED)), data=st.data())
def test_a_flipped_byte_never_crashes(form, data):
    """It is refused, or it changed a number or an unused byte and the file is still a checkpoint of this net."""
    damaged = bytearray(SAVED[form])
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.safetensors" if form == "safetensors" else "weights.pth")
        path.write_bytes(damaged)
        try:
            assert load_weights(small_net(), path).tensors == 9
        except DataError as error:
            is_one_line = "\n" not in str(error)
        else:
            is_one_line = True
        assert is_one_line
