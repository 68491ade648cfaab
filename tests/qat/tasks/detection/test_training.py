"""Pictures with boxes, SSD's loss, and the loop that trains a detector."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mobile_sdk.contract import Contract, DetectionSpec, ImageSpec
from mobile_sdk.errors import SettingError
from mobile_sdk.tasks.average_precision import COCO_MEASURE
from mobile_sdk.tasks.boxes import Truth, overlaps
from qat.data.augmentation.detection import DetectionAugmentation
from qat.data.boxes.composed_digits import SIZES, composed_digits
from qat.data.boxes.pictures import DetectionPictures, DetectionSet
from qat.data.digit_scenes import SIZE_PX
from qat.layers.anchors import anchors_of
from qat.layers.box_decoder import Decoder
from qat.nets.ssd import Ssd, build_detector
from qat.tasks.detection.loss import MultiboxLoss, hardest, pairwise_overlaps
from qat.tasks.detection.training import evaluate_detector, fit_detector
from qat.training.plan import TrainPlan

DECODER = Decoder.of(anchors_of([(2, 2), (1, 1)], (100, 100)), scores=4)


def truth(*boxes: tuple[float, float, float, float], labels: tuple[int, ...] = ()) -> Truth:
    return Truth(boxes=np.array(boxes, np.float64).reshape(-1, 4), labels=np.array(labels, np.int64))


def test_composed_digits_have_boxes_inside_the_picture_that_do_not_hide_one_another() -> None:
    pictures = composed_digits(train=20, validation=5)
    assert len(pictures.train) == 20 and pictures.labels == tuple("0123456789")
    for each in pictures.train.truths:
        assert 1 <= len(each.labels) <= 4 and each.boxes.min() >= 0 and each.boxes.max() <= SIZE_PX
        heights = each.boxes[:, 3] - each.boxes[:, 1]
        assert heights.min() >= SIZES.heights_px[0] and heights.max() <= SIZES.heights_px[1]
        shared = overlaps(each.boxes, each.boxes) - np.eye(len(each.boxes))
        assert shared.max() <= 0.05


def test_one_seed_gives_one_set_and_training_and_validation_differ() -> None:
    first, again, other = (composed_digits(train=3, validation=3, seed=seed) for seed in (1, 1, 2))
    assert first.train.fingerprint() == again.train.fingerprint() != other.train.fingerprint()
    assert first.train.fingerprint() != first.validation.fingerprint()


def test_digits_stand_out_where_their_boxes_are() -> None:
    pictures = composed_digits(train=20, validation=1).train
    spreads = []
    for source, each in zip(pictures.sources, pictures.truths, strict=True):
        for left, top, right, bottom in each.boxes.astype(int):
            spreads.append(np.ptp(source[top:bottom, left:right].astype(int), axis=(0, 1)).max())
    assert np.median(spreads) > 80


def test_boxes_are_stretched_with_their_picture() -> None:
    source = np.zeros((50, 100, 3), np.uint8)
    pictures = DetectionSet(sources=(source,), truths=(truth((10, 10, 20, 30), labels=(0,)),))
    (stretched,) = pictures.truths_in(ImageSpec(size_px=200, fit="stretch"))
    assert stretched.boxes.tolist() == [[20, 40, 40, 120]]


def test_every_box_gets_its_best_anchor_and_anchors_that_overlap_by_half_take_a_box() -> None:
    anchors = DECODER.origins.double().numpy()
    tiny = (1.0, 1.0, 4.0, 4.0)  # overlaps no anchor by half
    labels, boxes = MultiboxLoss(DECODER).match(truth(tuple(anchors[14]), tiny, labels=(2, 0)))
    assert labels[14] == 3 and (labels == 1).sum() == 1
    best = overlaps(np.array([tiny]), anchors)[0].argmax()
    assert labels[best] == 1 and boxes[best].tolist() == list(tiny)


def test_a_picture_with_nothing_in_it_has_no_matches() -> None:
    labels, _ = MultiboxLoss(DECODER).match(truth())
    assert not labels.any()


def test_three_of_the_hardest_anchors_count_for_each_box() -> None:
    costs = torch.tensor([[9.0, 1.0, 2.0, 3.0, 4.0, 5.0]])
    chosen = hardest(costs, torch.tensor([[True, False, False, False, False, False]]))
    assert chosen.tolist() == [[False, False, False, True, True, True]]


def test_overlaps_in_torch_are_those_in_numpy() -> None:
    random = np.random.default_rng(0)
    corners = random.uniform(0, 50, (6, 2))
    boxes = np.concatenate([corners, corners + random.uniform(1, 40, (6, 2))], axis=1)
    found = pairwise_overlaps(torch.from_numpy(boxes), torch.from_numpy(boxes)).numpy()
    np.testing.assert_allclose(found, overlaps(boxes, boxes), atol=1e-12)


def test_the_loss_of_a_perfect_output_is_nearly_zero_and_moving_a_box_costs() -> None:
    loss, wanted = MultiboxLoss(DECODER), truth(tuple(DECODER.origins[14].tolist()), labels=(1,))
    labels, boxes = loss.match(wanted)
    perfect = torch.cat([boxes, 30.0 * torch.nn.functional.one_hot(labels, 4)], dim=1)[None]
    assert loss(perfect, [wanted]) < 1e-4
    perfect[..., 0] += 5
    assert loss(perfect, [wanted]) > 0.1


def test_training_lowers_the_loss_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    schedule = {"epochs": 3, "batch": 8, "learning_rate": 0.003, "warm_up_epochs": 0.5}
    pictures, plan = _squares(), TrainPlan(**schedule, ema_decay=None, augmentation=DetectionAugmentation())
    whole = fit_detector(_fresh(), pictures, plan).epochs
    assert whole[-1].loss < whole[0].loss
    stopping = _Stopping(epochs=2)
    with pytest.raises(KeyboardInterrupt):
        fit_detector(_fresh(), pictures, plan, compose=stopping, out=tmp_path)
    resumed = fit_detector(_fresh(), pictures, plan, out=tmp_path).epochs
    assert [epoch.loss for epoch in resumed] == [epoch.loss for epoch in whole]


def test_evaluation_is_cocos_of_the_nets_own_outputs() -> None:
    precision = evaluate_detector(_fresh(), _squares().validation)
    assert 0 <= precision.others[COCO_MEASURE] <= precision.value <= 1 and precision.images == 8


def test_a_net_that_is_no_detector_and_pictures_of_other_labels_are_refused() -> None:
    pictures = _squares()
    with pytest.raises(SettingError, match="expected a contract"):
        fit_detector(torch.nn.Linear(2, 2), pictures)
    net = torch.nn.Linear(2, 2)
    net.contract = _CONTRACT  # type: ignore[assignment]
    with pytest.raises(SettingError, match="expected a detector"):
        fit_detector(net, pictures)
    with pytest.raises(SettingError, match="the contract's labels"):
        fit_detector(_fresh(), replace(pictures, labels=("circle",)))


@pytest.mark.parametrize(
    ("box", "label", "found"),
    [
        ((10, 10, 10, 20), 0, "left, top, right, bottom of"),
        ((20, 10, 10, 20), 0, "left, top, right, bottom of"),
        ((70, 10, 90, 20), 0, "left, top, right, bottom of"),
        ((float("nan"), 10, 90, 20), 0, "left, top, right, bottom of"),
        ((10, 10, 20, float("inf")), 0, "left, top, right, bottom of"),
        ((10, 10, 20, 20), 1, "the label 1"),
        ((10, 10, 20, 20), -1, "the label -1"),
    ],
)
def test_boxes_that_are_none_are_refused_by_their_picture(
    box: tuple[float, float, float, float], label: int, found: str
) -> None:
    right = _squares()
    truths = (right.train.truths[0], truth(box, labels=(label,)), *right.train.truths[2:])
    wrong = replace(right.train, truths=truths)
    with pytest.raises(SettingError, match=f"found {found}.* in picture 1"):
        fit_detector(_fresh(), replace(right, train=wrong))
    with pytest.raises(SettingError, match="in picture 1"):
        evaluate_detector(_fresh(), wrong)


_CONTRACT = Contract(
    name="squares",
    task="detection",
    labels=("square",),
    image=ImageSpec(size_px=64, fit="stretch"),
    detection=DetectionSpec(),
)


class _Stopping:
    """Gives the pictures of the first epochs and then stops, as a user would."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs

    def __call__(self, epoch: int) -> DetectionSet:
        if epoch == self._epochs:
            raise KeyboardInterrupt
        return _squares().train


def _fresh() -> Ssd:
    torch.manual_seed(0)
    return build_detector("mobilenet_v3_small", _CONTRACT, width=0.35)


def _squares() -> DetectionPictures:
    """Light squares on dark grounds."""
    random = np.random.default_rng(0)
    sources, truths = [], []
    for _ in range(40):
        source = np.full((64, 64, 3), 40, np.uint8)
        left, top = random.integers(0, 34, 2)
        source[top : top + 30, left : left + 30] = 220
        sources.append(source)
        truths.append(truth((left, top, left + 30, top + 30), labels=(0,)))
    whole = DetectionSet(sources=tuple(sources), truths=tuple(truths))
    return DetectionPictures(train=whole[:32], validation=whole[32:], labels=("square",))
