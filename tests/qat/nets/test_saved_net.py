"""A trained float net in one file: it comes back whole, says itself what it is, and anything else is refused."""

import json
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import DataError
from qat.nets import build_net
from qat.nets.saved_net import SavedNet, load_net, read_header, save_net

CONTRACT = Contract(name="fruit", labels=("apple", "pear"), image=ImageSpec(size_px=32))
SAVED = SavedNet(
    net="mobilenet_v2",
    width=0.35,
    contract=CONTRACT,
    settings={"batch": 8, "schedule": "Cosine()"},
    history=({"stage": "float", "epoch": 1, "loss": 0.5},),
)


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(1)
    return build_net("mobilenet_v2", CONTRACT, width=0.35)


@pytest.fixture
def path(net: nn.Module, tmp_path: Path) -> Path:
    save_net(net, SAVED, tmp_path / "new" / "net.safetensors")
    return tmp_path / "new" / "net.safetensors"


def test_a_net_comes_back_bit_for_bit_and_ready_to_use(net: nn.Module, path: Path) -> None:
    loaded, saved = load_net(path)
    assert saved == SAVED
    assert not loaded.training
    expected = net.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in loaded.state_dict().items())


def test_the_same_net_gives_the_same_file(net: nn.Module, path: Path) -> None:
    before = path.read_bytes()
    save_net(net, SAVED, path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_weights_in_another_memory_layout_are_saved(net: nn.Module, path: Path) -> None:
    before = path.read_bytes()
    save_net(net.to(memory_format=torch.channels_last), SAVED, path)
    assert path.read_bytes() == before


def test_a_save_that_fails_leaves_the_former_file(net: nn.Module, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr("mobile_sdk.system.atomic_files._flush", fail)
    with pytest.raises(OSError, match="no space"):
        save_net(net, SAVED, path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\xff" * 64])
def test_what_is_no_safetensors_file_has_no_header(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    assert read_header(tmp_path / "x") is None
    with pytest.raises(DataError, match="a net that `train` wrote, found x"):
        load_net(tmp_path / "x")


def test_a_published_checkpoint_and_a_folder_have_no_header(net: nn.Module, tmp_path: Path) -> None:
    save_file(net.state_dict(), tmp_path / "published.safetensors")
    assert read_header(tmp_path / "published.safetensors") is None
    assert read_header(tmp_path) is None


@pytest.mark.parametrize("header", ["{", "{}", json.dumps({**SAVED.model_dump(mode="json"), "newer": 1})])
def test_a_header_that_is_damaged_or_newer_is_refused(header: str, path: Path) -> None:
    save_file(load_file(path), path, metadata={"mobile_sdk": header})
    with pytest.raises(DataError, match="damaged or newer"):
        read_header(path)


def test_tensors_of_another_net_are_refused(path: Path) -> None:
    wider = build_net("mobilenet_v2", CONTRACT, width=0.5)
    save_file(wider.state_dict(), path, metadata={"mobile_sdk": SAVED.model_dump_json()})
    with pytest.raises(DataError, match="expected the tensors of mobilenet_v2"):
        load_net(path)


def test_a_file_that_was_cut_off_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"found net\.safetensors"):
        load_net(path)


def header_bytes(data: bytes) -> int:
    return 8 + int.from_bytes(data[:8], "little")


@pytest.mark.parametrize("part", ["header", "tensors"])
def test_one_flipped_bit_anywhere_is_refused(part: str, path: Path) -> None:
    intact, draw = path.read_bytes(), random.Random(part)
    ends = header_bytes(intact)
    places = range(ends) if part == "header" else range(ends, len(intact))
    for place in draw.sample(places, 40):
        damaged = bytearray(intact)
        damaged[place] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(DataError):
            load_net(path)


@pytest.mark.parametrize(
    ("there", "instead"),
    [(b"pear", b"bear"), (b"apple", b"ample"), (b"0.35", b"0.53"), (b"Cosine", b"cosine"), (b"F32", b"I32")],
)
def test_an_edit_of_the_header_is_found_by_the_seal(there: bytes, instead: bytes, path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(there, instead, 1))
    with pytest.raises(DataError, match="as it was written, found it damaged or changed"):
        read_header(path)


def test_swapped_tensors_are_found_by_the_seal(path: Path) -> None:
    data = path.read_bytes()
    first, second = b"features.2.conv.0.0.weight", b"features.3.conv.0.0.weight"
    assert first in data and second in data
    path.write_bytes(data.replace(first, b"\0").replace(second, first).replace(b"\0", second, 1))
    with pytest.raises(DataError):
        load_net(path)


def test_a_net_from_before_seals_is_read(net: nn.Module, path: Path) -> None:
    save_file(net.state_dict(), path, metadata={"mobile_sdk": SAVED.model_dump_json()})
    assert load_net(path)[1] == SAVED
