"""Shards: tar files of pictures, each read once an epoch, and refused where they are damaged."""

import io
import json
import sys
import tarfile
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mobile_sdk.cli import app
from mobile_sdk.errors import DataError, MachineError, SettingError
from mobile_sdk.system.seal import write_sealed
from qat.data.content_hash import hash_file
from qat.data.pictures import load_folder
from qat.data.shards import sharded_set
from qat.data.shards.index import INDEX_FILE, LABEL_SUFFIX
from qat.data.shards.sharded_set import ShardedSet, own_stretches
from qat.data.shards.shards import load_shards, write_shards
from qat.distributed.processes import Processes
from qat.tasks.classification.training import evaluate, fit
from qat.training import batches
from qat.training.batches import training_batches
from tests.support.training.small_task import CONTRACT, PLAN, pictures, same, tiny_net

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The small task's pictures in shards of 20, 20 and 20."""
    write_shards(pictures(), tmp_path, pictures_per_shard=25)
    return tmp_path


def test_shards_hold_the_pictures_their_labels_and_their_order(folder: Path) -> None:
    stored, own = load_shards(folder), pictures()
    assert [path.name for path in sorted(folder.iterdir())] == [
        INDEX_FILE,
        *(f"train-00000{index}.tar" for index in range(3)),
        *(f"validation-00000{index}.tar" for index in range(2)),
    ]
    assert stored.labels == own.labels
    for found, wanted in ((stored.train, own.train), (stored.validation, own.validation)):
        assert found.targets == wanted.targets
        assert np.array_equal(found.bytes(CONTRACT.image), wanted.bytes(CONTRACT.image))


def test_a_larger_share_cannot_be_held_out_of_shards_which_are_divided(folder: Path) -> None:
    with pytest.raises(SettingError, match=r"expected pictures in a folder to hold out a share of, found shards"):
        load_shards(folder).holding_out(0.5)


def test_a_picture_file_goes_in_as_it_is_and_the_label_beside_it(tmp_path: Path) -> None:
    for label in ("plum", "pear"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for index in range(4):
            Image.new("RGB", (9 + index, 8), "red").save(tmp_path / "photos" / label / f"{index}.JPG", quality=80)
    own = load_folder(tmp_path / "photos")
    write_shards(own, tmp_path / "shards")
    with tarfile.open(tmp_path / "shards" / "train-000000.tar") as tar:
        assert tar.getnames()[:2] == ["00000000.cls", "00000000.jpg"]
        for index, (source, target) in enumerate(zip(own.train.sources, own.train.targets, strict=True)):
            content, label = (tar.extractfile(f"{index:08d}.{suffix}") for suffix in ("jpg", "cls"))
            assert content is not None and label is not None and isinstance(source, Path)
            assert content.read() == source.read_bytes() and int(label.read()) == target


def test_the_same_pictures_give_the_same_bytes_and_former_shards_go(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "notes.tar").write_bytes(b"the user's own")
    write_shards(pictures(), folder, pictures_per_shard=10)
    assert (folder / "train-000005.tar").exists()
    write_shards(pictures(), folder, pictures_per_shard=25)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert after.pop("notes.tar") == b"the user's own" and after == before


@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    processes=st.integers(1, 9),
    seed=st.integers(0, 2**32),
    left_over=st.integers(0, 5),
)
def test_every_picture_is_read_exactly_once_whatever_the_shards_and_processes(
    counts: list[int], processes: int, seed: int, left_over: int
) -> None:
    used = max(1, sum(counts) - left_over)
    ends = [used * rank // processes for rank in range(processes + 1)]
    read = Counter(
        (stretch.shard, row)
        for first, end in pairwise(ends)
        for stretch in own_stretches(counts, first, end, seed)
        for row in range(stretch.first, stretch.end)
    )
    assert set(read.values()) == {1} and len(read) == used
    assert all(row < counts[shard] for shard, row in read)


class _Some(Processes):
    def __init__(self, rank: int, count: int) -> None:
        self.rank, self.count = rank, count


@settings(max_examples=12)
@given(per_shard=st.integers(7, 60), count=st.integers(1, 4), epoch=st.integers(0, 3), batch=st.integers(9, 20))
def test_the_processes_batches_of_an_epoch_hold_every_picture_at_most_once_and_its_own_label(
    tmp_path_factory: pytest.TempPathFactory, per_shard: int, count: int, epoch: int, batch: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / f"shards of {per_shard}"
    if not folder.exists():
        write_shards(pictures(), folder, pictures_per_shard=per_shard)
    stored = load_shards(folder).train
    rows = stored.bytes(CONTRACT.image)
    seen: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        for rank in range(count):
            for module in (batches, sharded_set):
                patch.setattr(module, "current_processes", lambda rank=rank: _Some(rank, count))
            assert isinstance(stored, ShardedSet)
            for indices, found in stored.stream(CONTRACT.image, batch, seed=epoch):
                assert np.array_equal(found, rows[indices])
                seen += indices.tolist()
    assert len(seen) == len(set(seen)) == 60 // batch * batch


def test_an_epoch_is_the_same_whenever_it_is_read_and_another_one_differs(folder: Path) -> None:
    stored = load_shards(folder).train
    first, again, other = (
        torch.cat([targets for _, targets in training_batches(stored, CONTRACT.image, PLAN, epoch, CPU)])
        for epoch in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_net_learns_from_shards_and_goes_on_bit_for_bit(folder: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    whole, resumed = tiny_net(), tiny_net()
    history = fit(whole, load_shards(folder), replace(PLAN, epochs=6), contract=CONTRACT, progress=False)
    assert history.epochs[-1].loss < history.epochs[0].loss
    assert history.epochs[-1].validation_accuracy_share == evaluate(whole, pictures().validation, CONTRACT) >= 0.9

    def interrupt(*_: object) -> None:
        if resumed.steps == 2 * 7 + 3:
            raise KeyboardInterrupt

    hook = resumed.register_forward_hook(interrupt)
    arguments = {"plan": replace(PLAN, epochs=6), "contract": CONTRACT, "progress": False, "out": tmp_path / "out"}
    with pytest.raises(KeyboardInterrupt):
        fit(resumed, load_shards(folder), **arguments)
    hook.remove()
    fit(resumed, load_shards(folder), **arguments)
    taken_up = tiny_net()
    fit(taken_up, load_shards(folder), **arguments)
    assert same(whole, taken_up)


@pytest.mark.parametrize("name", ["train-000001.tar", "validation-000000.tar"])
def test_a_damaged_shard_is_named_before_a_picture_of_it_is_used(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name} as it was written, found it damaged.*mobile-sdk shard"):
        fit(tiny_net(), load_shards(folder), PLAN, contract=CONTRACT, progress=False)


def test_a_cut_or_missing_shard_is_named_at_once(folder: Path) -> None:
    path = folder / "train-000002.tar"
    path.write_bytes(path.read_bytes()[:-512])
    with pytest.raises(DataError, match=r"train-000002.tar with [\d,]+ bytes, found [\d,]+ bytes"):
        load_shards(folder)
    path.unlink()
    with pytest.raises(DataError, match=r"train-000002.tar with [\d,]+ bytes, found none"):
        load_shards(folder)


def test_a_damaged_index_is_refused(folder: Path) -> None:
    index = json.loads((folder / INDEX_FILE).read_text())
    del index["sha256"]
    first = index["train"][0]
    for change in (
        {"schema_number": 2},
        {"labels": ["dark"]},
        {"labels": ["dark", "dark"]},
        {"labels": ["dark", " "]},
        {"train": []},
        {"train": [{**first, "file": "../train-000000.tar"}]},
        {"train": [{**first, "pictures": [[10**30, 1, 0]]}]},
        {"train": [{**first, "pictures": [[0, first["size_bytes"] + 1, 0]]}]},
    ):
        (folder / INDEX_FILE).write_text(json.dumps({**index, **change}))
        with pytest.raises(DataError, match=INDEX_FILE):
            load_shards(folder)
    (folder / INDEX_FILE).write_text("{")
    with pytest.raises(DataError, match="damaged or newer"):
        load_shards(folder)
    (folder / INDEX_FILE).unlink()
    with pytest.raises(DataError, match="found none"):
        load_shards(folder)


@pytest.mark.parametrize("change", ["another label", "a picture less", "a picture more", "shards swapped"])
def test_an_edited_index_is_found_by_its_seal(folder: Path, change: str) -> None:
    index = json.loads((folder / INDEX_FILE).read_text())
    rows = index["train"][0]["pictures"]
    match change:
        case "another label":
            rows[0][2] = 0 if rows[0][2] else 1
        case "a picture less":
            del rows[-1]
        case "a picture more":
            rows.append(rows[-1])
        case "shards swapped":
            index["train"].reverse()
    (folder / INDEX_FILE).write_text(json.dumps(index))
    with pytest.raises(DataError, match=rf"{INDEX_FILE}, found: a file that was changed after it was written"):
        load_shards(folder)
    del index["sha256"]  # an index of an earlier SDK has no seal
    (folder / INDEX_FILE).write_text(json.dumps(index))
    assert load_shards(folder).labels == pictures().labels


@pytest.mark.parametrize("change", ["another label", "a picture less", "a picture twice", "pictures swapped"])
def test_an_edited_index_that_is_sealed_anew_is_found_by_the_shards_themselves(folder: Path, change: str) -> None:
    index = json.loads((folder / INDEX_FILE).read_text())
    del index["sha256"]
    rows = index["train"][0]["pictures"]
    match change:
        case "another label":
            rows[0][2] = 0 if rows[0][2] else 1
        case "a picture less":
            del rows[-1]
        case "a picture twice":
            rows[1] = rows[0]
        case "pictures swapped":
            rows[0], rows[1] = rows[1], rows[0]
    write_sealed(folder / INDEX_FILE, json.dumps(index))
    with pytest.raises(DataError, match=rf"labels of {INDEX_FILE} in the shard .*train-000000.tar, found others"):
        fit(tiny_net(), load_shards(folder), PLAN, contract=CONTRACT, progress=False)


@pytest.mark.parametrize("content", [b"no tar file at all", b"", b"7.5", b"dark"])
def test_a_shard_of_another_content_that_is_sealed_anew_is_refused(folder: Path, content: bytes) -> None:
    path = folder / "train-000000.tar"
    size = path.stat().st_size
    if content.startswith(b"no"):
        path.write_bytes(content)
    else:
        with tarfile.open(path, "w") as tar:
            for suffix, data in ((LABEL_SUFFIX, content), ("png", b"picture")):
                entry = tarfile.TarInfo(f"00000000.{suffix}")
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    with path.open("ab") as file:
        file.truncate(size)  # so that every picture of the index lies in it
    index = json.loads((folder / INDEX_FILE).read_text())
    del index["sha256"]
    index["train"][0] |= {"size_bytes": path.stat().st_size, "sha256": hash_file(path).hex()}
    write_sealed(folder / INDEX_FILE, json.dumps(index))
    with pytest.raises(DataError, match=r"in the shard .*train-000000.tar, found others"):
        fit(tiny_net(), load_shards(folder), PLAN, contract=CONTRACT, progress=False)


def test_the_verb_says_what_it_wrote_and_refuses_shards_of_shards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "shards")
    assert app.call(["shard", "digits", "--out", out, "--pictures-per-shard", "2500", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["train"] == {"shards": 2, "pictures": 4000} and said["validation"] == {"shards": 1, "pictures": 1000}
    assert app.call(["shard", out, "--out", str(tmp_path / "again")]) == 2
    assert "found shards in" in capsys.readouterr().err
    with pytest.raises(SettingError, match="found shards"):
        write_shards(load_shards(out), tmp_path / "again")


def test_without_webdataset_shards_are_refused_with_a_hint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "webdataset", None)
    with pytest.raises(MachineError, match=r"webdataset for pictures in shards.*pip install .\.\[distributed\]"):
        fit(tiny_net(), load_shards(folder), PLAN, contract=CONTRACT, progress=False)
