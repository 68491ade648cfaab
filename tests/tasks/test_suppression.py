"""The decoding of boxes gives what comparing every pair of them gave, and needs neither its time nor its memory."""

import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.speed.decode_boxes import by_all_pairs
from mobile_sdk.contract import DetectionSpec
from mobile_sdk.tasks.boxes import Detections, best_of, detect, label_shares

SIDE = 64


def assert_equal(found: Detections, expected: Detections) -> None:
    assert np.array_equal(found.labels, expected.labels)
    assert np.array_equal(found.scores, expected.scores)
    assert np.array_equal(found.boxes, expected.boxes) and found.boxes.shape == expected.boxes.shape


specs = st.builds(
    DetectionSpec,
    score_threshold=st.sampled_from([0.01, 0.25, 0.3, 0.5]),
    iou_threshold=st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 0.9]),
    max_detections=st.sampled_from([1, 2, 5, 100, 1000]),
)


@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(1, 5), specs)
def test_detections_are_those_of_all_pairs(seed: int, anchors: int, labels: int, spec: DetectionSpec) -> None:
    random = np.random.default_rng(seed)
    if random.random() < 0.5:  # whole pixels and few shares: ties of every kind
        boxes = random.integers(-2, 9, (anchors, 4)) * 8.0
        shares = random.integers(0, 5, (anchors, labels)) / 4
    else:
        starts = random.random((anchors, 2)) * SIDE
        boxes = np.concatenate([starts, starts + random.random((anchors, 2)) * 30 - 2], axis=1)
        shares = random.random((anchors, labels))
    assert_equal(best_of(boxes, shares, spec, SIDE), by_all_pairs(boxes, shares, spec, SIDE))


def likely_anchors(count: int) -> NDArray[np.float32]:
    random = np.random.default_rng(7)
    centres, sizes = random.random((count, 2)) * SIDE, random.random((count, 2)) * 20 + 2
    logits = random.normal(0, 2, (count, 4))
    return np.concatenate([centres - sizes / 2, centres + sizes / 2, logits], axis=1).astype(np.float32)


def test_eight_hundred_likely_anchors_are_decoded_as_before() -> None:
    rows, spec = likely_anchors(800), DetectionSpec(score_threshold=0.01)
    assert_equal(detect(rows, spec, SIDE), by_all_pairs(rows[:, :4], label_shares(rows), spec, SIDE))


def test_eight_thousand_likely_anchors_take_a_few_megabytes() -> None:
    rows = likely_anchors(8000)
    tracemalloc.start()
    assert len(detect(rows, DetectionSpec(score_threshold=0.01), SIDE).labels) == 100
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 2**20


def test_nothing_is_detected_in_an_output_that_is_not_finite() -> None:
    rows = likely_anchors(5)
    assert len(detect(rows, DetectionSpec(score_threshold=0.01), SIDE).labels)
    for column, value in ((0, np.nan), (2, np.inf), (4, -np.inf), (6, np.inf)):
        spoilt = rows.copy()
        spoilt[3, column] = value
        assert len(detect(spoilt, DetectionSpec(score_threshold=0.01), SIDE).labels) == 0


def test_no_side_is_minus_zero() -> None:
    rows = np.array([[-0.0, -1, 5, 5, 0, 4]], np.float32)
    assert not np.signbit(detect(rows, DetectionSpec(), SIDE).boxes).any()
