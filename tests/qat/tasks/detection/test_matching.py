"""Which anchor stands for which box: every box gets one of its own, as in SSD."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mobile_sdk.tasks.boxes import Truth
from qat.layers.anchors import anchors_of
from qat.layers.box_decoder import Decoder
from qat.tasks.detection.loss import MultiboxLoss, one_to_one, pairwise_closeness, pairwise_overlaps

SIZE_PX = 96
DECODER = Decoder.of(anchors_of([(6, 6), (3, 3), (2, 2), (1, 1)], (SIZE_PX, SIZE_PX)), scores=10)
ANCHORS = DECODER.origins


def boxes_of(seed: int, count: int) -> Tensor:
    """Boxes of all sizes at random, in one pile, or on a grid where overlaps are equal."""
    random = np.random.default_rng(seed)
    middle, size = random.uniform(0, SIZE_PX, (count, 2)), random.uniform(1, random.choice([8, 60]), (count, 2))
    if seed % 3 == 1:
        middle = 40 + random.integers(0, 2, (count, 2))
    if seed % 3 == 2:
        middle, size = np.round(middle / 16) * 16, np.round(size / 8) * 8 + 8
    corners = np.concatenate([middle - size / 2, middle + size / 2], axis=1)
    return torch.from_numpy(corners.clip(0, SIZE_PX)).float()


def one_by_one(closeness: Tensor) -> list[int]:
    """SSD's bipartite matching in plain words: the closest pair of all, then the closest of those left, and so on."""
    left, found = closeness.clone(), [-1] * len(closeness)
    for _ in range(min(closeness.shape)):
        box, anchor = divmod(int(left.argmax()), left.shape[1])
        found[box] = anchor
        left[box], left[:, anchor] = -torch.inf, -torch.inf
    return found


@settings(max_examples=80)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 40))
def test_no_box_is_without_an_anchor_and_the_matching_is_ssds(seed: int, count: int) -> None:
    boxes = boxes_of(seed, count)
    own = one_to_one(boxes, ANCHORS).tolist()
    assert len(set(own)) == count and min(own) >= 0
    assert own == one_by_one(pairwise_closeness(boxes, ANCHORS))


@settings(max_examples=80)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 9))
def test_every_box_is_learned_and_the_other_anchors_take_the_box_they_overlap_most_if_by_half(
    seed: int, count: int
) -> None:
    boxes = boxes_of(seed, count)
    labels, wanted = MultiboxLoss(DECODER).match(Truth(boxes=boxes.double().numpy(), labels=np.arange(count)))
    assert set(labels.tolist()) - {0} == set(range(1, count + 1))
    own = one_to_one(boxes, ANCHORS)
    assert labels[own].tolist() == list(range(1, count + 1))
    share, best = pairwise_overlaps(boxes, ANCHORS).max(dim=0)
    others = torch.ones(len(ANCHORS), dtype=torch.bool)
    others[own] = False
    assert torch.equal(labels[others], torch.where(share >= 0.5, best + 1, 0)[others])
    assert torch.equal(wanted[labels > 0], boxes[labels[labels > 0] - 1])


def test_three_boxes_with_one_best_anchor_are_all_learned() -> None:
    boxes = np.array([[40.0, 40, 60, 60], [41, 41, 60, 60], [40, 40, 59, 60]])
    labels, _ = MultiboxLoss(DECODER).match(Truth(boxes=boxes, labels=np.arange(3)))
    assert set(labels.tolist()) == {0, 1, 2, 3}


def test_equal_boxes_get_anchors_in_their_order_and_the_same_ones_every_time() -> None:
    boxes = torch.tensor([[40.0, 40, 60, 60]] * 4)
    own = one_to_one(boxes, ANCHORS)
    closeness = pairwise_closeness(boxes, ANCHORS)[range(4), own]
    assert torch.equal(own, one_to_one(boxes, ANCHORS)) and (closeness.diff() <= 0).all()


def test_where_boxes_outnumber_anchors_as_many_as_there_are_anchors_get_one() -> None:
    anchors = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 10, 10], [21, 21, 30, 30], [50, 50, 60, 60]])
    assert one_to_one(boxes, anchors).tolist() == [-1, 0, 1, -1]
    crowded = Truth(boxes=np.tile([[10.0, 10, 30, 30]], (len(ANCHORS) + 5, 1)), labels=np.zeros(len(ANCHORS) + 5, int))
    assert (MultiboxLoss(DECODER).match(crowded)[0] == 1).all()


@pytest.mark.parametrize("box", [(200, 200, 210, 210), (50, 50, 50, 60), (95.9, 95.9, 95.95, 95.95)])
def test_a_box_that_overlaps_no_anchor_gets_the_closest_and_not_the_first(
    box: tuple[float, float, float, float],
) -> None:
    labels, _ = MultiboxLoss(DECODER).match(Truth(boxes=np.array([box], float), labels=np.array([0])))
    (anchor,) = torch.nonzero(labels).flatten().tolist()
    assert anchor and anchor == pairwise_closeness(torch.tensor([box]), ANCHORS).argmax()


def test_closeness_is_the_overlap_where_there_is_one_and_falls_with_the_distance() -> None:
    box = torch.tensor([[0.0, 0, 10, 10]])
    others = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [20, 0, 30, 10], [80, 0, 90, 10]])
    closeness = pairwise_closeness(box, others)[0]
    assert closeness[:2].tolist() == pytest.approx([1, 1 / 3]) and (closeness.diff() < 0).all()
    assert closeness[2] == 0 and closeness[3].item() == pytest.approx(200 / 300 - 1)
