"""Raw maps of an anchor-free head become the detections that its rule, written plainly, gives."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mobile_sdk.contract import DetectionSpec
from mobile_sdk.errors import SettingError
from mobile_sdk.tasks.anchor_free import detect_anchor_free

SIZE_PX = (32, 48)
EVERYTHING = DetectionSpec(score_threshold=1e-6, iou_threshold=0.999, max_detections=1000)


def maps_of(seed: int, bins: int, labels: int, scale: float = 3.0) -> list[NDArray[np.float32]]:
    """Maps of 4 × 6 and 2 × 3 cells."""
    random = np.random.default_rng(seed)
    sides = ((4, 6), (2, 3))
    return [random.normal(0, scale, (*each, 4 * bins + labels)).astype(np.float32) for each in sides]


def plainly(maps: list[NDArray[np.float32]], bins: int, labels: int) -> list[tuple[list[float], list[float]]]:
    """Every position's box, cut at the picture's edges, and its scores."""
    found = []
    for each in maps:
        rows, columns, _ = each.shape
        high, wide = SIZE_PX[0] / rows, SIZE_PX[1] / columns
        for row in range(rows):
            for column in range(columns):
                values = [float(value) for value in each[row, column]]
                sides = []
                for side in range(4):
                    powers = [math.exp(value) for value in values[side * bins : (side + 1) * bins]]
                    sides.append(sum(index * power for index, power in enumerate(powers)) / sum(powers))
                x, y = (column + 0.5) * wide, (row + 0.5) * high
                box = (x - sides[0] * wide, y - sides[1] * high, x + sides[2] * wide, y + sides[3] * high)
                cut = [min(max(value, 0), SIZE_PX[(index + 1) % 2]) for index, value in enumerate(box)]
                scores = [1 / (1 + math.exp(-value)) for value in values[4 * bins :]]
                assert len(scores) == labels
                found.append((cut, scores))
    return found


@settings(max_examples=40)
@given(seed=st.integers(0, 2**31), bins=st.integers(2, 16), labels=st.integers(1, 5))
def test_boxes_and_scores_are_the_rules(seed: int, bins: int, labels: int) -> None:
    maps = maps_of(seed, bins, labels)
    wanted = plainly(maps, bins, labels)
    found = detect_anchor_free(maps, labels, EVERYTHING, SIZE_PX)
    rows = np.array([[*box, *scores] for box, scores in wanted])
    for box, label, score in zip(found.boxes, found.labels, found.scores, strict=True):
        distances = np.abs(rows[:, [0, 1, 2, 3, 4 + label]] - [*box, score])
        assert distances.max(axis=1).min() < 1e-9
    assert len(found.labels) > 1 and found.scores[0] == pytest.approx(rows[:, 4:].max(), abs=1e-12)


def test_an_object_in_one_cell_is_found_where_it_is_once() -> None:
    bins, labels = 8, 3
    maps = [np.full((4, 6, 4 * bins + labels), -20, np.float32)]
    for row, column in ((1, 2), (1, 3)):  # two cells that see it
        sides = (1 + (column == 3), 1, 2 - (column == 3), 2)
        for side, distance in enumerate(sides):
            maps[0][row, column, side * bins + distance] = 20
        maps[0][row, column, 4 * bins + 1] = 3 + column
    found = detect_anchor_free(maps, labels, DetectionSpec(), SIZE_PX)
    np.testing.assert_allclose(found.boxes, [[12, 4, 36, 28]], atol=1e-6)
    assert found.labels.tolist() == [1] and found.scores[0] == pytest.approx(1 / (1 + math.exp(-6)))


def test_no_map_says_anything_and_extreme_logits_are_no_warning() -> None:
    maps = [np.full((2, 2, 9), -1e4, np.float32)]
    found = detect_anchor_free(maps, 1, DetectionSpec(), 32)
    assert found.boxes.shape == (0, 4) and len(found.labels) == len(found.scores) == 0


@pytest.mark.parametrize(
    ("maps", "labels", "found"),
    [
        ([], 3, "expected one map or more, found none"),
        ([np.zeros((4, 4, 66), np.float32)], 3, r"expected maps \(rows, columns, 4 × bins \+ 3\) .*found"),
        ([np.zeros((4, 4, 7), np.float32)], 3, "two bins or more"),
        ([np.zeros((16, 67), np.float32)], 3, "expected maps"),
        ([[1, 2]], 3, "expected ndarray as maps"),
        (np.zeros((4, 4, 67), np.float32), 3, "expected a sequence of ndarray as maps"),
        ([np.zeros((4, 4, 64), np.float32)], 0, "expected maps"),
    ],
)
def test_other_maps_are_refused_in_one_line(maps: Any, labels: int, found: str) -> None:
    with pytest.raises(SettingError, match=found):
        detect_anchor_free(maps, labels, DetectionSpec(), 32)
