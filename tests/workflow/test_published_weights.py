"""Published weights by name: fetched when asked for, whole and with their hash, or not at all."""

import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import qat
from mobile_sdk.cli.app import call
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import DataError, MachineError, SettingError
from mobile_sdk.program.program import Program
from mobile_sdk.workflow.sources import published_weights
from mobile_sdk.workflow.sources.published_weights import OWN_NETS, from_timm, weights_file
from qat.nets.weights.download import hash_in_name, published_file, weights_folder
from qat.progress import shown
from tests.support.command_line import save_pictures
from tests.support.file_server import FileServer, serving

CONTENT = bytes(range(256)) * 8192  # 2 MiB: several pieces
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAME = f"tiny-{DIGEST[:8]}.pth"


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, and a torch.hub that has nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "cache"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving({f"/{NAME}": CONTENT}) as found:
        yield found


def left() -> list[str]:
    """Returns the names in the cache, beside locks."""
    return sorted(path.name for path in weights_folder().rglob("*") if path.suffix != ".lock")


def test_a_file_is_fetched_once_and_shown_in_megabytes(server: FileServer) -> None:
    told: list[tuple[float, str]] = []
    with shown(lambda share, text: told.append((share, text))):
        file = published_file(f"{server.address}/{NAME}", DIGEST[:8])
    assert file == weights_folder() / NAME and file.read_bytes() == CONTENT
    assert published_file(f"{server.address}/{NAME}", DIGEST[:8]) == file
    assert server.asked == [f"/{NAME}"] and left() == [NAME]
    assert any(f"fetching 2.1 MB from {server.address}" in text for _, text in told)
    pieces = [(share, text) for share, text in told if " of 2.1 MB" in text]
    assert len(pieces) > 2 and pieces[-1] == (1.0, "2.1 of 2.1 MB")


def test_a_file_that_ends_early_leaves_nothing_and_says_where_to_put_it_by_hand() -> None:
    with serving({f"/{NAME}": CONTENT}, cut=True) as server, pytest.raises(MachineError) as caught:
        published_file(f"{server.address}/{NAME}", DIGEST[:8])
    assert f"expected to fetch {server.address}/{NAME}, found: " in caught.value.message
    assert caught.value.hint == f"put the file there by hand: {weights_folder() / NAME}" and left() == []


def test_a_file_of_another_hash_leaves_nothing(server: FileServer) -> None:
    server.files[f"/{NAME}"] = CONTENT[:-1] + b"x"
    with pytest.raises(DataError, match=f"SHA-256 begins with {DIGEST[:8]} at http.*, found [0-9a-f]{{8}}…") as caught:
        published_file(f"{server.address}/{NAME}", DIGEST[:8])
    assert "by hand" in caught.value.hint and left() == []


def test_a_server_that_refuses_is_one_line_with_the_address(server: FileServer) -> None:
    with pytest.raises(MachineError, match=r"other-12345678\.pth, found: the server says 404"):
        published_file(f"{server.address}/other-12345678.pth", "12345678")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/{NAME}"
    with pytest.raises(MachineError, match=f"{re.escape(address)}, found: no way there: ") as caught:
        published_file(address, DIGEST[:8])
    assert "\n" not in caught.value.message and left() == []


def test_an_interrupt_leaves_nothing_and_the_next_call_fetches_the_file(server: FileServer) -> None:
    def interrupt(share: float, text: str) -> None:
        if 0 < share < 1:
            raise KeyboardInterrupt

    with shown(interrupt), pytest.raises(KeyboardInterrupt):
        published_file(f"{server.address}/{NAME}", DIGEST[:8])
    assert left() == []
    assert published_file(f"{server.address}/{NAME}", DIGEST[:8]).read_bytes() == CONTENT


def test_a_file_that_lies_in_the_cache_by_hand_is_held_to_its_hash(empty_cache: Path) -> None:
    weights_folder().mkdir(parents=True)
    (weights_folder() / NAME).write_bytes(CONTENT)
    assert published_file(f"http://127.0.0.1:9/{NAME}", DIGEST[:8]).is_file()
    (weights_folder() / NAME).write_bytes(CONTENT[:99])
    with pytest.raises(DataError, match=str(weights_folder() / NAME)) as caught:
        published_file(f"http://127.0.0.1:9/{NAME}", DIGEST[:8])
    assert caught.value.hint.startswith("remove it: ")


def test_several_callers_at_once_fetch_it_once(server: FileServer) -> None:
    def fetch() -> None:
        published_file(f"{server.address}/{NAME}", DIGEST[:8])

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.asked == [f"/{NAME}"]


def test_the_names_of_torchvisions_files_have_their_hashes() -> None:
    assert {name: hash_in_name(url) for name, url in OWN_NETS.items()} == {
        "mobilenet_v2": "b0353104",
        "mobilenet_v3_large": "8738ca79",
        "mobilenet_v3_small": "047dcff4",
    }
    assert hash_in_name("https://example.org/weights.pth") is None


def test_a_path_stays_and_a_file_of_the_words_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert weights_file(Path("net.pth"), "mobilenet_v2", None) == Path("net.pth")
    Path("torchvision").write_bytes(b"mine")
    assert weights_file(Path("torchvision"), "mobilenet_v2", None) == Path("torchvision")


@pytest.mark.parametrize(
    ("publisher", "net", "width", "found"),
    [
        ("torchvision", "mobilenet_v1", None, "mobilenet_v1 beside torchvision"),
        ("torchvision", "mobilenet_v2", 0.5, "mobilenet_v2 of width 0.5"),
        ("timm", "mobilenet_v2", None, "mobilenet_v2 beside timm"),
    ],
)
def test_a_net_without_published_weights_is_refused_with_those_that_have_some(
    publisher: str, net: str, width: float | None, found: str
) -> None:
    with pytest.raises(SettingError, match=found) as caught:
        weights_file(Path(publisher), net, width)
    assert "mobilenet_v3_small" in caught.value.message and f"--net {publisher}:NAME" in caught.value.hint


def published(tmp_path: Path, classes: int = 7) -> bytes:
    """A checkpoint of MobileNetV3-Small as torchvision writes one, with random numbers."""
    contract = Contract(name="n", labels=tuple(f"class {index}" for index in range(classes)), image=ImageSpec())
    torch.save(qat.build_net("mobilenet_v3_small", contract).state_dict(), tmp_path / "published.pth")
    return (tmp_path / "published.pth").read_bytes()


def test_the_command_fetches_them_when_asked_and_replaces_the_head_for_the_users_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = published(tmp_path)
    name = f"mobilenet_v3_small-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    save_pictures(tmp_path / "photos")
    with serving({f"/{name}": content}) as server:
        monkeypatch.setitem(OWN_NETS, "mobilenet_v3_small", f"{server.address}/{name}")
        words = ["--data", str(tmp_path / "photos"), "--size", "32", "--out", str(tmp_path / "out")]
        assert call(["train", *words, "--weights", "torchvision", "--epochs", "1"]) == 0
        assert server.asked == [f"/{name}"] and left() == [name]
        err = capsys.readouterr().err
        assert f"fetching {len(content) / 1e6:.1f} MB from {server.address}/{name}" in err
        assert "the head is replaced" in err
        words[-1], labels = str(tmp_path / "as_it_is"), tmp_path / "labels.txt"
        labels.write_text("".join(f"thing {index}\n" for index in range(7)), encoding="utf-8")
        words += ["--labels", str(labels), "--epochs", "0", "--calibration", "extremes"]
        assert call(["quantize", *words, "--weights", "torchvision"]) == 0
        assert server.asked == [f"/{name}"], "the second command takes it from the cache"
    assert len(Program.load(tmp_path / "as_it_is/program.pt2").contract.labels) == 7


def test_a_file_that_torch_hub_has_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OWN_NETS, "mobilenet_v2", f"http://127.0.0.1:9/{NAME}")
    hub = tmp_path / "hub/checkpoints" / NAME
    hub.parent.mkdir(parents=True)
    hub.write_bytes(CONTENT)
    assert weights_file(Path("torchvision"), "mobilenet_v2", None) == hub
    hub.write_bytes(b"damaged")
    with pytest.raises(DataError, match="SHA-256"):
        weights_file(Path("torchvision"), "mobilenet_v2", None)


REPOSITORY = "timm/tiny.in1k"
HUB_PATH = f"/{REPOSITORY}/resolve/main/model.safetensors"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A hub with one file of weights, named by its SHA-256 as Hugging Face names it."""
    constants = pytest.importorskip("huggingface_hub.constants")
    with serving({HUB_PATH: CONTENT}) as server:
        server.headers[HUB_PATH] = {"ETag": f'"{DIGEST}"', "X-Repo-Commit": 40 * "a", "X-Linked-Etag": f'"{DIGEST}"'}
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield server


def test_timms_file_comes_from_the_hub_and_is_held_to_the_hubs_hash(hub: FileServer) -> None:
    config: dict[str, Any] = {"hf_hub_id": REPOSITORY}
    file = from_timm(config, "model.safetensors")
    assert file.read_bytes() == CONTENT and hub.asked == [HUB_PATH]
    assert from_timm(config, "model.safetensors") == file and hub.asked == [HUB_PATH]
    file.resolve().write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(DataError, match=f"SHA-256 begins with {DIGEST}"):
        from_timm(config, "model.safetensors")


def test_a_hub_that_refuses_is_one_line_with_the_address(hub: FileServer) -> None:
    hub.files.clear()
    with pytest.raises(MachineError, match=f"expected to fetch {hub.address}{HUB_PATH}, found: ") as caught:
        from_timm({"hf_hub_id": REPOSITORY}, "model.safetensors")
    assert "--weights FILE" in caught.value.hint and "\n" not in caught.value.message


def test_timms_older_nets_have_an_address_with_a_hash(server: FileServer) -> None:
    assert from_timm({"url": f"{server.address}/{NAME}"}, "model.safetensors").read_bytes() == CONTENT
    for url in (f"{server.address}/tiny.pth", None):
        with pytest.raises(SettingError, match="expected a file with a hash in its name to fetch"):
            from_timm({"url": url}, "model.safetensors")


def test_nothing_is_fetched_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str, sha256: str) -> Path:
        raise AssertionError(f"{url} was fetched")

    monkeypatch.setattr(published_weights, "published_file", refuse)
    save_pictures(tmp_path / "photos")
    words = ["--data", str(tmp_path / "photos"), "--size", "32", "--width", "0.25", "--out", str(tmp_path / "out")]
    assert call(["train", *words, "--epochs", "1"]) == 0
    assert call(["train", *words, "--weights", "torchvison"]) == 3  # misspelt: no file of that name
