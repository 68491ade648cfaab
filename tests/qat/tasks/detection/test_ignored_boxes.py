"""Crowds and difficult objects: neither asked for nor forbidden, in average precision as in training."""

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mobile_sdk.contract import ImageSpec
from mobile_sdk.tasks.average_precision import COCO_MEASURE, average_precision
from mobile_sdk.tasks.boxes import Detections, Truth
from qat.data.boxes.folder import load_box_folder
from qat.data.boxes.pictures import DetectionSet
from qat.layers.anchors import anchors_of
from qat.layers.box_decoder import Decoder
from qat.tasks.detection.loss import IGNORED, MultiboxLoss

LABELS = 3
DECODER = Decoder.of(anchors_of([(4, 4), (2, 2), (1, 1)], (100, 100)), scores=LABELS + 1)


def boxes_among(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Boxes in a picture of 100 × 80 px, on whole pixels half of the time, so that overlaps are equal at times."""
    corners = random.uniform(0, [70, 50], (count, 2))
    boxes = np.concatenate([corners, corners + random.uniform(1, 30, (count, 2))], axis=1)
    return np.round(boxes) + np.array([0, 0, 1, 1]) if random.random() < 0.5 else boxes


def truth_among(random: np.random.Generator) -> Truth:
    """Up to eight boxes, some of them ignored; crowds are larger than others."""
    count = int(random.integers(0, 9))
    is_ignored = random.random(count) < random.choice([0.0, 0.3, 1.0])
    boxes = boxes_among(random, count)
    boxes[is_ignored, 2:] += random.uniform(0, 40)
    return Truth(boxes=boxes, labels=random.integers(0, LABELS, count), is_ignored=is_ignored)


def found_near(random: np.random.Generator, truth: Truth) -> Detections:
    """Some of what is there, a little off, and a few that are not there; scores are equal at times."""
    near = np.repeat(truth.boxes, int(random.integers(0, 4)), axis=0)
    near = near + random.normal(0, 3, near.shape)
    boxes = np.concatenate([near, boxes_among(random, int(random.integers(0, 4)))])
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    labels = random.integers(0, LABELS, len(boxes))
    labels[: len(near)] = np.repeat(truth.labels, len(near) // max(len(truth.labels), 1))
    scores = np.sort(np.round(random.random(len(boxes)), int(random.choice([1, 6]))))[::-1]
    return Detections(boxes=boxes, labels=labels, scores=scores)


def sides(box: NDArray[np.float64]) -> list[float]:
    """Left, top, width and height, as COCO writes them."""
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def coco_entries(truths: list[Truth]) -> list[dict[str, Any]]:
    """The annotations of a COCO file."""
    annotations: list[dict[str, Any]] = []
    for index, truth in enumerate(truths):
        for box, label, is_ignored in zip(truth.boxes, truth.labels, truth.is_ignored, strict=True):
            entry = {"image_id": index, "category_id": int(label), "bbox": sides(box), "iscrowd": int(is_ignored)}
            area = float((box[2] - box[0]) * (box[3] - box[1]))
            annotations.append({**entry, "area": area, "id": len(annotations) + 1})
    return annotations


def by_pycocotools(found: list[Detections], truths: list[Truth]) -> tuple[float, float]:
    """Returns COCO's own evaluation of a file of annotations and a list of results, read with `loadRes`."""
    results = [
        {"image_id": index, "category_id": int(label), "bbox": sides(box), "score": float(score)}
        for index, each in enumerate(found)
        for box, label, score in zip(each.boxes, each.labels, each.scores, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": index} for index in range(len(truths))],
            "categories": [{"id": label} for label in range(LABELS)],
            "annotations": coco_entries(truths),
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results) if results else COCO(), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return max(evaluation.stats[0], 0), max(evaluation.stats[1], 0)


@pytest.mark.parametrize("seed", range(60))
def test_average_precision_is_pycocotools_own_on_random_files_with_crowds(seed: int) -> None:
    random = np.random.default_rng(seed)
    truths = [truth_among(random) for _ in range(int(random.integers(1, 8)))]
    found = [found_near(random, truth) for truth in truths]
    ours = average_precision(found, truths, LABELS)
    assert (ours.others[COCO_MEASURE], ours.value) == pytest.approx(by_pycocotools(found, truths), abs=1e-12)


def test_what_is_found_in_a_crowd_is_neither_right_nor_wrong() -> None:
    person, crowd = [10.0, 10, 30, 50], [40.0, 5, 90, 55]
    truth = Truth(boxes=np.array([person, crowd]), labels=np.zeros(2, int), is_ignored=np.array([False, True]))
    inside = [[42.0 + 4 * index, 8, 48 + 4 * index, 48] for index in range(10)]
    found = Detections(boxes=np.array([*inside, person]), labels=np.zeros(11, int), scores=np.linspace(0.9, 0.8, 11))
    assert average_precision([found], [truth], 1).others[COCO_MEASURE] == pytest.approx(1)
    asked = Truth(boxes=truth.boxes, labels=truth.labels)
    assert average_precision([found], [asked], 1).others[COCO_MEASURE] < 0.1


def test_no_box_is_ignored_unless_it_is_said_and_stretching_keeps_what_is() -> None:
    boxes, labels = np.array([[0.0, 0, 10, 10], [5, 5, 20, 20]]), np.array([1, 0])
    assert Truth(boxes=boxes, labels=labels).is_ignored.tolist() == [False, False]
    said = Truth(boxes=boxes, labels=labels, is_ignored=np.array([False, True])).scaled(2, 3)
    assert said.is_ignored.tolist() == [False, True] and said.boxes[1].tolist() == [10, 15, 40, 60]


def test_a_set_whose_box_becomes_ignored_has_another_fingerprint() -> None:
    boxes, labels = np.array([[0.0, 0, 10, 10]]), np.array([1])
    sets = [
        DetectionSet(
            sources=(np.zeros((20, 20, 3), np.uint8),),
            truths=(Truth(boxes=boxes, labels=labels, is_ignored=np.array([is_ignored])),),
        )
        for is_ignored in (False, True)
    ]
    assert sets[0].fingerprint() != sets[1].fingerprint()


def test_anchors_in_an_ignored_box_cost_nothing_and_learn_nothing() -> None:
    region = [0.0, 0, 60, 60]
    truth = Truth(boxes=np.array([region]), labels=np.array([2]), is_ignored=np.array([True]))
    loss = MultiboxLoss(DECODER)
    labels, _ = loss.match(truth)
    origins = DECODER.origins.numpy()
    common = np.prod(np.clip(np.minimum(origins[:, 2:], 60) - np.maximum(origins[:, :2], 0), 0, None), axis=1)
    half_inside = common / np.prod(origins[:, 2:] - origins[:, :2], axis=1) >= 0.5
    assert set(labels.tolist()) == {0, IGNORED} and 0 < half_inside.sum() < len(origins)
    assert (labels[torch.from_numpy(half_inside)] == IGNORED).all()
    assert (labels == IGNORED).sum() - half_inside.sum() in (0, 1)  # and the one that overlaps it most


def test_a_box_in_an_ignored_one_is_learned_while_the_anchors_around_it_are_not_forbidden() -> None:
    crowd, person = [0.0, 0, 100, 100], [10.0, 10, 60, 60]
    both = Truth(boxes=np.array([crowd, person]), labels=np.array([0, 2]), is_ignored=np.array([True, False]))
    labels, boxes = MultiboxLoss(DECODER).match(both)
    asked = labels > 0
    assert asked.any() and set(labels[asked].tolist()) == {3} and (boxes[asked] == torch.tensor(person)).all()
    assert (labels[~asked] == IGNORED).any()


def test_an_ignored_anchor_is_no_hard_negative_and_has_no_gradient() -> None:
    person, crowd = [10.0, 10, 40, 40], [50.0, 50, 100, 100]
    truth = Truth(boxes=np.array([person, crowd]), labels=np.array([0, 0]), is_ignored=np.array([False, True]))
    loss = MultiboxLoss(DECODER)
    labels, _ = loss.match(truth)
    outputs = torch.cat([DECODER.origins, torch.zeros(len(labels), LABELS + 1)], dim=1)[None]
    outputs[0, labels == IGNORED, 5:] = 20.0  # sure of something in the crowd
    outputs.requires_grad_()
    loss(outputs, [truth]).backward()
    assert outputs.grad is not None and not outputs.grad[0, labels == IGNORED].any()
    assert outputs.grad[0, labels == 0].any()


def test_a_picture_in_which_all_is_ignored_gives_a_loss_of_zero() -> None:
    truth = Truth(boxes=np.array([[0.0, 0, 100, 100]]), labels=np.array([0]), is_ignored=np.array([True]))
    outputs = torch.cat([DECODER.origins, torch.randn(len(DECODER.origins), LABELS + 1)], dim=1)[None]
    assert MultiboxLoss(DECODER)(outputs, [truth]) == 0


@pytest.mark.parametrize("seed", range(12))
def test_what_is_loaded_from_a_coco_file_with_crowds_is_judged_as_pycocotools_judges_the_file(
    seed: int, tmp_path: Path
) -> None:
    random, width, height = np.random.default_rng(seed), 100, 80
    truths = [truth_among(random) for _ in range(6)]
    truths = [replace(each, boxes=np.clip(each.boxes, 0, [width, height] * 2)) for each in truths]
    truths[:2] = [Truth(boxes=np.array([[5.0, 5, 30, 30 + index]]), labels=np.array([0])) for index in range(2)]
    found = [found_near(random, truth) for truth in truths]
    for index in range(len(truths)):
        Image.new("RGB", (width, height), (index, 0, 0)).save(tmp_path / f"{index}.png")
    said = {
        "images": [{"id": index, "file_name": f"{index}.png"} for index in range(len(truths))],
        "categories": [{"id": label, "name": f"label {label}"} for label in range(LABELS)],
        "annotations": coco_entries(truths),
    }
    (tmp_path / "annotations.json").write_text(json.dumps(said))
    pictures = load_box_folder(tmp_path)
    spec = ImageSpec(size_px=320, fit="stretch")
    loaded = {
        int(source[0, 0, 0]): truth
        for part in (pictures.train, pictures.validation)
        for source, truth in zip(part.sources, part.truths_in(spec), strict=True)
    }
    stretched = [replace(each, boxes=each.boxes * ([320 / width, 320 / height] * 2)) for each in found]
    ours = average_precision(stretched, [loaded[index] for index in range(len(truths))], LABELS)
    assert (ours.others[COCO_MEASURE], ours.value) == pytest.approx(by_pycocotools(found, truths), abs=1e-12)
