"""From outputs to detections: suppression, and COCO's average precision."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mobile_sdk.contract import Contract, DetectionSpec
from mobile_sdk.tasks.average_precision import COCO_MEASURE, average_precision
from mobile_sdk.tasks.boxes import Detections, Truth, detect, label_shares, overlaps

SURE, NOTHING = 8.0, -8.0


def output(*rows: tuple[tuple[float, float, float, float], int, float]) -> NDArray[np.float32]:
    """An output of three labels; each row is a box, the label that it shows and that label's logit."""
    made = np.full((len(rows), 4 + 4), NOTHING, np.float32)
    made[:, 4] = 0
    for index, (box, label, logit) in enumerate(rows):
        made[index, :4] = box
        made[index, 5 + label] = logit
    return made


def test_the_better_of_two_overlapping_boxes_of_a_label_stays() -> None:
    found = detect(
        output(((0, 0, 10, 10), 1, 3.0), ((1, 0, 11, 10), 1, SURE), ((50, 50, 60, 60), 1, 2.0)), DetectionSpec(), 100
    )
    assert found.boxes.tolist() == [[1, 0, 11, 10], [50, 50, 60, 60]]
    assert found.labels.tolist() == [1, 1] and found.scores[0] > 0.99


def test_overlapping_boxes_of_different_labels_both_stay() -> None:
    found = detect(output(((0, 0, 10, 10), 0, SURE), ((0, 0, 10, 10), 2, SURE)), DetectionSpec(), 100)
    assert found.labels.tolist() == [0, 2]


def test_boxes_of_equal_scores_come_in_the_order_of_their_anchors() -> None:
    found = detect(output(((50, 50, 60, 60), 0, SURE), ((0, 0, 10, 10), 0, SURE)), DetectionSpec(), 100)
    assert found.boxes[:, 0].tolist() == [50, 0]


def test_boxes_are_cut_at_the_edges_and_unsure_ones_left_out() -> None:
    found = detect(output(((-5, -5, 120, 50), 0, SURE), ((0, 0, 10, 10), 1, -1.0)), DetectionSpec(), 100)
    assert found.boxes.tolist() == [[0, 0, 100, 50]]


def test_no_more_than_the_most_are_kept() -> None:
    rows = [((20.0 * index, 0.0, 20.0 * index + 10, 10.0), 0, SURE - index) for index in range(5)]
    assert detect(output(*rows), DetectionSpec(max_detections=2), 100).boxes[:, 0].tolist() == [0, 20]


def test_nothing_found_is_empty_arrays() -> None:
    found = detect(output(((0, 0, 10, 10), 0, -5.0)), DetectionSpec(), 100)
    assert found.boxes.shape == (0, 4) and found.labels.shape == found.scores.shape == (0,)


def test_shares_of_labels_and_nothing_sum_to_one_and_survive_huge_logits() -> None:
    logits = np.array([[0, 0, 1, 1, 1000.0, 1000.0, 0.0]])
    assert label_shares(logits).tolist() == [[0.5, 0.0]]


def test_overlap_is_intersection_over_union() -> None:
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 5, 5]], np.float64)
    assert overlaps(boxes[:1], boxes).tolist() == [[1.0, pytest.approx(1 / 3), 0.0]]


def test_perfect_detections_have_a_precision_of_one_and_wrong_labels_of_zero() -> None:
    boxes = np.array([[10, 10, 40, 50], [60, 20, 90, 80]], np.float64)
    truth = Truth(boxes=boxes, labels=np.array([0, 1]))
    right = Detections(boxes=boxes, labels=truth.labels, scores=np.array([0.9, 0.8]))
    wrong = Detections(boxes=boxes, labels=1 - truth.labels, scores=right.scores)
    assert average_precision([right], [truth], 2).value == pytest.approx(1)
    assert average_precision([wrong], [truth], 2).value == 0


def test_boxes_that_are_a_little_off_count_at_half_and_less_in_cocos_mean() -> None:
    truth = Truth(boxes=np.array([[0, 0, 40, 40]], np.float64), labels=np.array([0]))
    off = Detections(boxes=np.array([[0, 0, 40, 28]], np.float64), labels=truth.labels, scores=np.array([0.9]))
    precision = average_precision([off], [truth], 1)
    assert precision.value == pytest.approx(1) and precision.others[COCO_MEASURE] == pytest.approx(0.5)


def test_nothing_found_anywhere_is_a_precision_of_zero() -> None:
    none = Detections(boxes=np.zeros((0, 4)), labels=np.zeros(0, np.int64), scores=np.zeros(0))
    truth = Truth(boxes=np.array([[0, 0, 4, 4]], np.float64), labels=np.array([0]))
    assert average_precision([none], [truth], 1).others[COCO_MEASURE] == 0


def test_a_contract_says_how_to_detect_only_where_detecting_is_its_task() -> None:
    with pytest.raises(ValueError, match="belongs to the task detection"):
        Contract(name="a", labels=("x", "y"), detection=DetectionSpec())
    with pytest.raises(ValueError, match="belongs to the task detection"):
        Contract(name="a", labels=("x", "y"), task="detection")
    assert "detection" not in Contract(name="a", labels=("x", "y")).model_dump()
    assert Contract(name="a", labels=("x",), task="detection", detection=DetectionSpec()).model_dump()["detection"]
