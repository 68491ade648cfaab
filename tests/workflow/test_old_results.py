"""An earlier result never comes back for other data, another net or another start: the refusal says what changed."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import qat
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.tasks.boxes import Truth
from mobile_sdk.workflow.search.latency_judge import LatencyJudge
from mobile_sdk.workflow.search.latency_search import settings_of as search_settings
from mobile_sdk.workflow.search.settings import SearchSettings
from mobile_sdk.workflow.search.source import Source
from qat.data.boxes.pictures import DetectionSet
from qat.data.content_hash import hash_all, hash_array
from qat.data.masks.pictures import SegmentationSet
from qat.data.picture_set import PictureSet
from qat.data.pictures import load_folder
from qat.data.shards.index import INDEX_FILE
from qat.data.shards.shards import load_shards, write_shards
from qat.nets.classifiers.mobilenet_v3 import architecture_of
from qat.preparation.preparation import prepare
from qat.search.record import Candidate, SearchFolder
from qat.tasks.classification.training import fit
from qat.training.plan import TrainPlan
from tests.support.training.annotated_tasks import RGB, SHORT, boxed, boxes, detect, mask, masked, segment
from tests.support.training.small_task import CONTRACT, PLAN, pictures, same, tiny_net

Set = DetectionSet | SegmentationSet


@pytest.mark.parametrize(
    ("learn", "plain", "changed", "told"),
    [
        (detect, boxed, boxed(boxes(side=31)), "boxes"),
        (detect, boxed, boxed(boxes(label=1)), "boxes"),
        (detect, boxed, boxed(boxes(ignored=True)), "boxes"),
        (detect, boxed, boxed(rgb=RGB[1:]), "pictures"),
        (segment, masked, masked(mask(1)), "masks"),
        (segment, masked, masked(rgb=RGB[1:]), "pictures"),
    ],
)
def test_corrected_boxes_masks_and_pictures_are_learned_never_taken_for_the_old_ones(
    tmp_path: Path, learn: Callable[..., nn.Module], plain: Callable[[], Set], changed: Set, told: str
) -> None:
    old = learn(plain(), plain(), tmp_path)
    assert same(learn(plain(), plain(), tmp_path), old), "the same data"
    with pytest.raises(SettingError, match=f"with other training {told} .*--overwrite"):
        learn(changed, plain(), tmp_path)
    with pytest.raises(SettingError, match=f"with other held-out {told} .*--overwrite"):
        learn(plain(), changed, tmp_path)
    assert same(learn(plain(), plain(), tmp_path), old), "what was refused has changed nothing"
    assert not same(learn(changed, plain(), tmp_path, overwrite=True), old)


def test_a_box_that_moved_to_the_next_picture_is_another_truth() -> None:
    one, two = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[5.0, 6.0, 7.0, 8.0]])
    none = Truth(boxes=np.zeros((0, 4)), labels=np.zeros(0, np.int64))
    both = Truth(boxes=np.concatenate([one, two]), labels=np.zeros(2, np.int64))
    each = [Truth(boxes=box, labels=np.zeros(1, np.int64)) for box in (one, two)]
    sets = [DetectionSet(sources=RGB[:2], truths=truths) for truths in ((both, none), (none, both), tuple(each))]
    assert len({each.truths_hash() for each in sets}) == 3
    assert hash_all([b"ab", b"c"]) != hash_all([b"a", b"bc"])
    assert hash_array(np.zeros((2, 3))) != hash_array(np.zeros((3, 2)))


def test_pictures_that_are_composed_count_by_their_first_epoch(tmp_path: Path) -> None:
    first = detect(boxed(), boxed(), tmp_path, compose=lambda epoch: boxed())
    assert same(detect(boxed(), boxed(), tmp_path, compose=lambda epoch: boxed()), first)
    with pytest.raises(SettingError, match="with other training boxes"):
        detect(boxed(), boxed(), tmp_path, compose=lambda epoch: boxed(boxes(side=31)))


def test_a_first_epoch_is_composed_once_for_the_run_and_for_telling_it_apart(tmp_path: Path) -> None:
    asked: list[int] = []

    def compose(epoch: int) -> SegmentationSet:
        asked.append(epoch)
        return masked()

    segment(masked(), masked(), tmp_path, compose=compose)
    assert asked == [0]


def test_parameters_that_are_frozen_and_buffers_that_no_file_keeps_count(tmp_path: Path) -> None:
    def run(frozen: str = "", factor: float = 1.0) -> None:
        net = tiny_net()
        net.register_buffer("factor", torch.tensor(factor), persistent=False)
        for name, parameter in net.named_parameters():
            parameter.requires_grad_(not frozen or not name.startswith(frozen))
        fit(net, pictures(), replace(PLAN, epochs=1), contract=CONTRACT, out=tmp_path)

    run()
    run()
    with pytest.raises(SettingError, match=r"with other frozen parameters \("):
        run(frozen="features")
    with pytest.raises(SettingError, match=r"with other initial weights \("):
        run(factor=2.0)


def test_nets_of_the_same_tensors_that_compute_otherwise_are_told_apart(tmp_path: Path) -> None:
    segment(masked(), masked(), tmp_path, stride=16)
    with pytest.raises(SettingError, match=r"with other net \("):
        segment(masked(), masked(), tmp_path, stride=8)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    for position, label in enumerate(CONTRACT.labels):
        (folder / label).mkdir(parents=True)
        for index in range(6):
            save(folder / label / f"{index}.bmp", 40 * position + index)
    return folder


def save(path: Path, value: int) -> None:
    Image.fromarray(np.full((20, 20, 3), value, np.uint8)).save(path)


def learned(data: Path, out: Path, **settings: Any) -> nn.Module:
    net = tiny_net()
    fit(net, load_folder(data), replace(PLAN, epochs=1), contract=CONTRACT, out=out, **settings)
    return net


def test_a_picture_of_the_same_name_and_size_with_other_bytes_is_another(photographs: Path, tmp_path: Path) -> None:
    old, out = learned(photographs, tmp_path / "run"), tmp_path / "run"
    moved = photographs.rename(tmp_path / "moved")
    assert same(learned(moved, out), old), "where the folder lies decides nothing"
    held_out = [source for source in load_folder(moved).validation.sources if isinstance(source, Path)]
    before = held_out[0].read_bytes()
    save(held_out[0], 200)
    assert len(held_out[0].read_bytes()) == len(before)
    with pytest.raises(SettingError, match=r"with other held-out pictures \("):
        learned(moved, out)
    held_out[0].write_bytes(before)
    save(next(path for path in moved.rglob("*.bmp") if path not in held_out), 200)
    with pytest.raises(SettingError, match=r"with other training pictures \("):
        learned(moved, out)
    assert not same(learned(moved, out, overwrite=True), old)


def test_what_is_held_in_memory_is_read_again_where_the_file_is_another(photographs: Path) -> None:
    part = load_folder(photographs).train
    path = part.sources[0]
    assert isinstance(path, Path)
    before = part.bytes(CONTRACT.image).copy()
    save(path, 201)
    assert (part.bytes(CONTRACT.image)[0] == 201).all() and (before[0] != 201).all()


def test_an_array_that_was_changed_in_place_is_read_again() -> None:
    part = PictureSet(sources=tuple(source.copy() for source in RGB), targets=(0,) * len(RGB))
    first, before = part.pictures_hash(), part.bytes(CONTRACT.image).copy()
    source = part.sources[0]
    assert isinstance(source, np.ndarray)
    source[30, 30, 1] ^= 1
    assert part.pictures_hash() != first and part.bytes(CONTRACT.image) is not None
    source[:] = 77
    after = part.bytes(CONTRACT.image)
    assert (after[0] == 77).all() and (before[0] != 77).any() and (after[1:] == before[1:]).all()


@pytest.mark.parametrize("side", [64, 200])
def test_pictures_boxes_and_masks_that_were_changed_in_place_are_learned_as_they_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, side: int
) -> None:
    monkeypatch.setattr("tests.support.training.annotated_tasks.SHORT", replace(SHORT, augmentation="task"))
    rgb = np.random.default_rng(0).integers(0, 256, (4, side, side, 3), dtype=np.uint8)
    found = DetectionSet(sources=tuple(rgb), truths=tuple(boxes() for _ in rgb))
    marked = SegmentationSet(sources=tuple(rgb), truths=tuple(np.zeros((side, side), np.uint8) for _ in rgb))
    ways: tuple[tuple[Set, Callable[..., nn.Module], Callable[[], Any]], ...] = (
        (found, detect, lambda: found.truths[0].boxes.__iadd__(5)),
        (marked, segment, lambda: marked.truths[0].fill(1)),
    )
    for part, learn, change in ways:
        nets = [learn(part, part, tmp_path / learn.__name__)]
        for number, do in enumerate((change, lambda: np.invert(rgb[0], out=rgb[0]))):
            do()
            nets.append(learn(part, part, tmp_path / f"{learn.__name__} {number}"))
            assert same(nets[-1], learn(replace(part), part, tmp_path / f"{learn.__name__} fresh {number}"))
        assert not any(same(*pair) for pair in pairwise(nets))


def test_a_picture_that_is_gone_is_named(photographs: Path) -> None:
    part = load_folder(photographs).train
    path = part.sources[0]
    assert isinstance(path, Path)
    path.unlink()
    with pytest.raises(DataError, match=f"expected a file that can be read at {path}"):
        part.pictures_hash()


@pytest.mark.parametrize("shard", ["train-000000.tar", "validation-000000.tar"])
def test_a_shard_replaced_by_one_of_the_same_size_is_never_resumed(tmp_path: Path, shard: str) -> None:
    write_shards(pictures(), tmp_path / "shards", pictures_per_shard=20)

    def run() -> None:
        part = load_shards(tmp_path / "shards")
        fit(tiny_net(), part, replace(PLAN, epochs=1), contract=CONTRACT, out=tmp_path / "run")

    run()
    run()
    file = tmp_path / "shards" / shard
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match=f"expected the shard .*{shard} as it was written"):
        run()


def test_shards_of_other_pictures_in_the_same_folder_are_another_data_set(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    write_shards(pictures(), folder, pictures_per_shard=20)
    fit(tiny_net(), load_shards(folder), replace(PLAN, epochs=1), contract=CONTRACT, out=tmp_path / "run")
    write_shards(pictures(train_count=59), folder, pictures_per_shard=20)
    assert (folder / INDEX_FILE).is_file()
    with pytest.raises(SettingError, match="with other training pictures and training labels"):
        fit(tiny_net(), load_shards(folder), replace(PLAN, epochs=1), contract=CONTRACT, out=tmp_path / "run")


def test_a_teacher_that_computes_otherwise_and_pictures_without_labels_count(tmp_path: Path) -> None:
    teacher, parted = tiny_net(seed=1).eval(), pictures()
    without = replace(
        parted,
        train=PictureSet(sources=parted.train.sources, targets=(-1,) * len(parted.train)),
        validation=PictureSet(sources=parted.validation.sources, targets=(-1,) * len(parted.validation)),
    )
    plan = replace(TrainPlan.distil(1, after=PLAN), distillation=qat.Distillation(features=0))

    def distil(by: nn.Module, data: qat.Pictures) -> None:
        fit(prepare(tiny_net(), CONTRACT), data, plan, teacher=by, contract=CONTRACT, out=tmp_path)

    distil(teacher, without)
    distil(teacher, without)
    other = tiny_net(seed=1).eval()
    other.features[2] = nn.ReLU()
    with pytest.raises(SettingError, match=r"with other teacher \("):
        distil(other, without)
    with pytest.raises(SettingError, match="with other training labels and held-out labels"):
        distil(teacher, parted)


def test_a_run_that_begins_anew_from_trained_weights_is_not_taken_for_one_from_the_first_ones(tmp_path: Path) -> None:
    net, plan = tiny_net(), replace(PLAN, epochs=1)
    fit(net, pictures(), plan, contract=CONTRACT, out=tmp_path)
    fit(net, pictures(), plan, contract=CONTRACT, out=tmp_path, resume=False)
    again = tiny_net()
    with pytest.raises(SettingError, match=r"with other initial weights \("):
        fit(again, pictures(), plan, contract=CONTRACT, out=tmp_path)
    fit(net, pictures(), plan, contract=CONTRACT, out=tmp_path)


def test_of_an_older_sdks_checkpoint_nothing_else_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, epochs=1)
    with monkeypatch.context() as before:
        before.setattr("qat.training.checkpoint._SCHEMA", 3)
        fit(tiny_net(), pictures(), plan, contract=CONTRACT, out=tmp_path)
    with pytest.raises(SettingError, match=r"with other version of this SDK \("):
        fit(tiny_net(), pictures(train_count=50), plan, contract=CONTRACT, out=tmp_path)


def test_a_search_goes_on_by_the_bytes_and_labels_of_what_is_learned_and_of_what_judges(tmp_path: Path) -> None:
    asked = SearchSettings(
        data="digits",
        method="netadapt",
        net="mobilenet_v3_small",
        width=0.5,
        weights=None,
        target_ms=None,
        target_share=0.5,
        step_share=0.01,
        steps=1,
        candidates=1,
        candidate_epochs=1,
        exponent=-0.07,
        is_hard=False,
        seed=0,
    )
    source = Source(
        net="mobilenet_v3_small",
        width=0.5,
        architecture=architecture_of("mobilenet_v3_small", 0.5),
        contract=CONTRACT,
        pictures=pictures(),
    )

    def search(plan: TrainPlan = PLAN, said: str = "a model", **changes: Any) -> None:
        judge = LatencyJudge(latency_ms=lambda graph: 1.0, said=said)
        parted = replace(source, pictures=replace(source.pictures, **changes))
        folder = SearchFolder(tmp_path, search_settings(asked, judge, plan, parted))
        if not folder.record.candidates:
            folder.add([start], (0,))

    start = Candidate(number=0, round=0, parent=None, change="none", architecture=source.architecture, latency_ms=1.0)
    search()
    search()
    part = source.pictures.train
    relabelled = PictureSet(sources=part.sources, targets=tuple((target + 1) % 3 for target in part.targets))
    for changes, told in (
        ({"train": relabelled}, "training labels"),
        ({"train": part[:50]}, "training pictures, training labels"),
        ({"validation": source.pictures.validation[:20]}, "held-out pictures, held-out labels"),
        ({"plan": replace(PLAN, class_balance=True)}, "plan"),
        ({"said": "another model"}, "device"),
    ):
        with pytest.raises(SettingError, match=f"found one with other {told}"):
            search(**changes)
