"""Augmentation of pictures with boxes and masks: picture and truth move together, and nothing depends on who draws."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import SettingError
from mobile_sdk.tasks.boxes import Truth
from mobile_sdk.tasks.segmentation import VOID
from qat.data.augmentation.classification import Augmentation, _recoloured
from qat.data.augmentation.colour import ColourJitter
from qat.data.augmentation.detection import DetectionAugmentation, inside, seen_of
from qat.data.augmentation.segmentation import SegmentationAugmentation
from qat.data.augmentation.view import View
from qat.data.boxes.composed_digits import composed_digits
from qat.data.boxes.pictures import DetectionPictures, DetectionSet
from qat.data.masks.composed_digits import composed_masks
from qat.data.masks.pictures import SegmentationPictures, SegmentationSet
from qat.distributed.processes import Processes
from qat.nets.segmenters import build_segmenter
from qat.nets.ssd import build_detector
from qat.tasks.detection.training import fit_detector
from qat.tasks.segmentation.training import fit_segmenter
from qat.training import annotated_batches
from qat.training.annotated_batches import own_batches
from qat.training.batches import epoch_generator, shuffled_batches
from qat.training.plan import TrainPlan
from tests.support.nets.detectors import contract as detector_contract
from tests.support.nets.segmenters import contract as segmenter_contract

SIZE_PX, MEAN = 64, 40
SPEC = ImageSpec(size_px=SIZE_PX, fit="stretch", mean_byte=(float(MEAN),) * 3)
CPU = torch.device("cpu")
SAME_COLOURS: dict[str, Any] = {
    f"{what}_jitter_share": 0.0 for what in ("brightness", "contrast", "saturation", "white_balance")
}
BOXES = DetectionAugmentation(largest_expansion=3.0, **SAME_COLOURS)
MASKS = SegmentationAugmentation(**SAME_COLOURS)
seeds = st.integers(0, 2**32 - 1)
sides = st.tuples(st.integers(8, 90), st.integers(8, 90))


def truth(*boxes: tuple[float, ...], ignored: tuple[int, ...] = ()) -> Truth:
    """Boxes with labels in their order, some of them ignored."""
    count = len(boxes)
    is_ignored = np.isin(np.arange(count), ignored)
    rows = np.array(boxes, np.float64).reshape(-1, 4)
    return Truth(boxes=rows, labels=np.arange(count, dtype=np.int64), is_ignored=is_ignored)


def drawn(random: np.random.Generator, height: int, width: int, *, ignored: int = 0) -> Truth:
    """Some boxes inside a picture, two pixels wide and high or more; the first are ignored."""
    corners = random.random((5, 2)) * (width - 2, height - 2)
    ends = corners + 2 + random.random((5, 2)) * ((width, height) - corners - 2)
    return truth(*np.concatenate([corners, ends], axis=1).tolist(), ignored=tuple(range(ignored)))


# Picture and truth together


def marked(height: int, width: int, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """A black picture with one white box."""
    source = np.zeros((height, width, 3), np.uint8)
    left, top, right, bottom = box
    source[top:bottom, left:right] = 255
    return source


@given(seeds, st.integers(40, 200), st.integers(40, 200), st.data())
def test_a_painted_box_lies_where_its_box_says_within_a_pixel(
    seed: int, height: int, width: int, data: st.DataObject
) -> None:
    left, top = data.draw(st.integers(0, width - 20)), data.draw(st.integers(0, height - 20))
    box = (left, top, data.draw(st.integers(left + 16, width)), data.draw(st.integers(top + 16, height)))
    pixels, seen = BOXES.augmented(marked(height, width, box), truth(box), SPEC, np.random.default_rng(seed))
    assert len(seen.boxes) == 1, "a crop holds the centre of a box, and here is but one"
    bright = pixels[:, :, 0] > 127
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    painted = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert np.abs(seen.boxes[0] - painted).max() <= 1


@given(seeds, st.integers(20, 200), st.integers(20, 200), st.integers(2, 9))
def test_a_masks_pixels_lie_where_the_pictures_do(seed: int, height: int, width: int, cells: int) -> None:
    rows, columns = np.indices((height, width))
    mask = ((rows * cells // height + columns * cells // width) % 2).astype(np.uint8)
    source = np.repeat((mask * 200 + 55)[:, :, None], 3, axis=2).astype(np.uint8)
    pixels, labels = MASKS.augmented(source, mask, SPEC, np.random.default_rng(seed))
    filled = (pixels == MEAN).all(axis=2)
    assert ((labels == VOID) == filled).all(), "void lies on the mean colour, and nowhere else"
    wrong = ~filled & ((pixels[:, :, 0] > 155) != (labels == 1))
    assert not _eroded(wrong).any(), "edges differ by a pixel at most"


def _eroded(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns an area without the pixels at its border: nothing of lines."""
    return where[1:-1, 1:-1] & where[:-2, 1:-1] & where[2:, 1:-1] & where[1:-1, :-2] & where[1:-1, 2:]


def test_a_flip_mirrors_picture_box_and_mask() -> None:
    mirrored = {"flip_share": 1.0, **SAME_COLOURS}
    source = np.random.default_rng(0).integers(0, 256, (SIZE_PX, SIZE_PX, 3), np.uint8)
    still = DetectionAugmentation(least_overlaps=(), **mirrored)
    pixels, seen = still.augmented(source, truth((10, 5, 30, 40)), SPEC, np.random.default_rng(0))
    assert (pixels == source[:, ::-1]).all() and seen.boxes.tolist() == [[34, 5, 54, 40]]
    masking = SegmentationAugmentation(scale=(1.0, 1.0), **mirrored)
    pixels, labels = masking.augmented(source, source[:, :, 0] % 3, SPEC, np.random.default_rng(0))
    assert (pixels == source[:, ::-1]).all() and (labels == (source[:, :, 0] % 3)[:, ::-1]).all()


@given(seeds, sides)
def test_without_room_a_picture_and_its_truth_are_the_recipes(seed: int, of: tuple[int, int]) -> None:
    random = np.random.default_rng(seed)
    source, known = random.integers(0, 256, (*of, 3), np.uint8), drawn(random, *of)
    still = DetectionAugmentation(least_overlaps=(), flip_share=0.0, **SAME_COLOURS)
    pixels, seen = still.augmented(source, known, SPEC, random)
    plain = DetectionSet(sources=(source,), truths=(known,))
    assert (pixels == plain.bytes(SPEC)[0]).all()
    np.testing.assert_allclose(seen.boxes, plain.truths_in(SPEC)[0].boxes, atol=1e-9)
    mask = source[:, :, 0] % 5
    pixels, labels = SegmentationAugmentation(scale=(1.0, 1.0), flip_share=0.0, **SAME_COLOURS).augmented(
        source, mask, SPEC, random
    )
    masked = SegmentationSet(sources=(source,), truths=(mask,))
    assert (pixels == masked.bytes(SPEC)[0]).all() and (labels == masked.masks_in(SPEC)[0]).all()


@given(seeds, st.integers(129, 400), st.integers(129, 400))
def test_large_pictures_are_made_smaller_and_their_truths_with_them(seed: int, height: int, width: int) -> None:
    box = (30, 50, 110, 120)
    source = marked(height, width, box)
    boxed_set = DetectionSet(sources=(source, source[:60]), truths=(truth(box), truth()))
    smaller = boxed_set.for_crops(SPEC)
    assert smaller.for_crops(SPEC) is smaller
    assert [min(each.shape[:2]) for each in smaller.sources] == [128, 60]
    pixels, seen = BOXES.augmented(smaller.sources[0], smaller.truths[0], SPEC, np.random.default_rng(seed))
    bright = np.flatnonzero((pixels[:, :, 0] > 127).any(axis=0))
    assert np.abs(seen.boxes[0, [0, 2]] - (bright[0], bright[-1] + 1)).max() <= 1.5, "resized twice"
    masked_set = SegmentationSet(sources=(source,), truths=(source[:, :, 0] // 255,)).for_crops(SPEC)
    assert ((masked_set.sources[0][:, :, 0] > 127) != masked_set.truths[0]).mean() < 0.02


def test_boxes_that_were_corrected_in_place_are_those_of_the_next_run() -> None:
    pictures = boxed(8)
    large = tuple(np.repeat(np.repeat(source, 4, axis=0), 4, axis=1) for source in pictures.train.sources)
    train = replace(pictures.train, sources=large, truths=tuple(each.scaled(4, 4) for each in pictures.train.truths))
    plan = replace(PLAN, epochs=1, augmentation=DetectionAugmentation())
    losses = []
    for _ in range(2):
        history = fit_detector(detector(), replace(pictures, train=train), plan, progress=False)
        losses.append(history.epochs[0].loss)
        train.truths[0].boxes[:] = (0, 0, 40, 40)
    assert losses[0] != losses[1]


# Nothing invalid


@given(seeds, sides, st.integers(0, 5))
def test_boxes_lie_inside_and_have_areas_and_keep_their_labels(seed: int, of: tuple[int, int], ignored: int) -> None:
    random = np.random.default_rng(seed)
    known = drawn(random, *of, ignored=ignored)
    pixels, seen = replace(BOXES, largest_expansion=8.0).augmented(np.zeros((*of, 3), np.uint8), known, SPEC, random)
    assert pixels.shape == (SIZE_PX, SIZE_PX, 3) and pixels.dtype == np.uint8
    assert seen.boxes.min(initial=0) >= 0 and seen.boxes.max(initial=0) <= SIZE_PX
    assert (seen.boxes[:, 2:] > seen.boxes[:, :2]).all()
    assert set(seen.labels) <= set(known.labels)
    assert (seen.is_ignored == known.is_ignored[seen.labels]).all(), "labels number the boxes here"
    assert seen.is_ignored.all() == (ignored == 5), "a crop holds the centre of a box that is not ignored"


@given(seeds, sides)
def test_masks_have_labels_of_their_own_and_void_alone(seed: int, of: tuple[int, int]) -> None:
    random = np.random.default_rng(seed)
    mask = random.choice(np.array([0, 2, 7, VOID], np.uint8), of)
    wide = replace(MASKS, scale=(0.1, 20.0))
    pixels, labels = wide.augmented(np.zeros((*of, 3), np.uint8), mask, SPEC, random)
    assert pixels.shape == (*labels.shape, 3) == (SIZE_PX, SIZE_PX, 3) and labels.dtype == np.uint8
    assert set(np.unique(labels)) <= {*np.unique(mask).tolist(), VOID}


def test_boxes_go_by_their_centre_and_ignored_ones_by_any_part() -> None:
    view = View(part=np.array([0, 0, 50, 100]), onto=np.array([0, 0, 64, 64]), size_px=64)
    boxes = ((20.0, 0, 70, 50), (40.0, 0, 70, 50), (60.0, 0, 70, 50))
    assert seen_of(truth(*boxes), view).labels.tolist() == [0]
    assert seen_of(truth(*boxes, ignored=(0, 1, 2)), view).labels.tolist() == [0, 1]
    assert seen_of(truth(boxes[0]), view).boxes.tolist() == [[25.6, 0, 64, 32]]


def test_boxes_outside_and_without_area_are_none() -> None:
    found = inside(truth((-20, 0, -5, 10), (5, 5, 5, 20), (90, 90, 120, 130), (3, 3, 9, 9)), (100, 100))
    assert found.labels.tolist() == [2, 3] and found.boxes[0].tolist() == [90, 90, 100, 100]


@given(seeds)
def test_crops_overlap_a_box_as_they_were_asked_to(seed: int) -> None:
    """If a crop overlaps the only box by 0.7, that box covers 0.7 of the net's picture or more."""
    near = replace(BOXES, largest_expansion=1.0, least_overlaps=(0.7,), flip_share=0.0)
    source, known = np.zeros((100, 100, 3), np.uint8), truth((10, 20, 80, 90))
    _, seen = near.augmented(source, known, SPEC, np.random.default_rng(seed))
    left, top, right, bottom = seen.boxes[0] / SIZE_PX
    whole = (left, top, right, bottom) == pytest.approx((0.1, 0.2, 0.8, 0.9))
    assert whole or (right - left) * (bottom - top) > 0.65, "but for the whole pixels that a crop ends at"


def test_all_choices_are_drawn_in_their_shares() -> None:
    source, known = np.zeros((100, 100, 3), np.uint8), truth((30, 30, 60, 60))
    found = [BOXES.augmented(source, known, SPEC, np.random.default_rng(seed)) for seed in range(700)]
    expanded = np.mean([(pixels[:, 0] == MEAN).all() or (pixels[0] == MEAN).all() for pixels, _ in found])
    assert 0.2 < expanded < 0.5, "half are expanded; some have an edge there, and crops leave it"
    lefts = np.array([seen.boxes[0, 0] for _, seen in found])
    assert np.quantile(lefts, 0.1) < 0.25 * SIZE_PX < 0.5 * SIZE_PX < np.quantile(lefts, 0.95)


# Colours


def test_only_what_is_seen_changes_its_colours_and_the_rest_is_the_mean() -> None:
    source = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
    small = SegmentationAugmentation(scale=(0.5, 0.5), flip_share=0.0)
    pixels, labels = small.augmented(source, np.zeros((40, 40), np.uint8), SPEC, np.random.default_rng(3))
    plain, _ = replace(small, **SAME_COLOURS).augmented(
        source, np.zeros((40, 40), np.uint8), SPEC, np.random.default_rng(3)
    )
    assert (labels == VOID).mean() == pytest.approx(0.75) and (pixels[labels == VOID] == MEAN).all()
    assert (pixels[labels == 0] != plain[labels == 0]).mean() > 0.9


@given(seeds)
def test_one_pictures_colours_are_those_that_a_batch_would_get(seed: int) -> None:
    """Pillow on bytes and PyTorch on a batch of floats apply equal factors, within rounding."""
    source = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
    jitter = ColourJitter()
    found = np.asarray(jitter.recoloured(Image.fromarray(source), np.random.default_rng(seed)))
    factors = 1 + np.array(jitter.colour_reach) * np.random.default_rng(seed).uniform(-1, 1, 6)
    batch = torch.from_numpy(source).permute(2, 0, 1)[None].float()
    wanted = _recoloured(batch, torch.from_numpy(factors.astype(np.float32))[None])[0].permute(1, 2, 0).numpy()
    assert np.abs(found - wanted).max() <= 0.51


# The same whoever draws, and whenever


def boxed(count: int = 24) -> DetectionPictures:
    """Light squares on dark grounds."""
    random = np.random.default_rng(0)
    sources, truths = [], []
    for _ in range(count + 8):
        source = np.full((64, 72, 3), 40, np.uint8)
        left, top = (int(place) for place in random.integers(0, 34, 2))
        source[top : top + 30, left : left + 30] = 220
        sources.append(source)
        truths.append(Truth(boxes=np.array([[left, top, left + 30.0, top + 30]]), labels=np.zeros(1, np.int64)))
    whole = DetectionSet(sources=tuple(sources), truths=tuple(truths))
    return DetectionPictures(train=whole[:count], validation=whole[count:], labels=detector_contract().labels)


def masked(count: int = 24) -> SegmentationPictures:
    """Returns such pictures with masks."""
    pictures = boxed(count)
    sources = pictures.train.sources + pictures.validation.sources
    whole = SegmentationSet(sources=sources, truths=tuple((each[:, :, 0] > 128).astype(np.uint8) for each in sources))
    return SegmentationPictures(train=whole[:count], validation=whole[count:], labels=segmenter_contract().labels)


PLAN = TrainPlan(epochs=3, batch=8, learning_rate=0.003, warm_up_epochs=0.5, ema_decay=None, seed=3)


def batches(epoch: int, plan: TrainPlan = PLAN) -> list[tuple[torch.Tensor, list[Truth]]]:
    _, found = own_batches(boxed().train, SPEC, plan, DetectionAugmentation(), epoch, CPU)
    return list(found)


def pixels_by_picture(epoch: int, plan: TrainPlan = PLAN) -> dict[int, bytes]:
    """Returns the net's bytes of each picture, by its place in the set."""
    order = np.concatenate(shuffled_batches(24, plan, epoch_generator(plan, epoch)))
    rows = torch.cat([rgb for rgb, _ in batches(epoch, plan)])
    return {int(index): row.numpy().tobytes() for index, row in zip(order, rows, strict=True)}


def test_a_picture_is_augmented_by_seed_epoch_and_place_alone() -> None:
    first = pixels_by_picture(1)
    assert first == pixels_by_picture(1) == pixels_by_picture(1, replace(PLAN, batch=6))
    others = [pixels_by_picture(2), pixels_by_picture(1, replace(PLAN, seed=4))]
    assert all(first[index] != other[index] for other in others for index in range(24))
    assert len(set(first.values())) == 24


def test_equal_pictures_of_an_epoch_are_augmented_each_in_its_own_way() -> None:
    one = boxed().train
    same = replace(one, sources=one.sources[:1] * 24, truths=one.truths[:1] * 24)
    _, found = own_batches(same, SPEC, PLAN, DetectionAugmentation(), 0, CPU)
    assert len({row.numpy().tobytes() for rgb, _ in found for row in rgb}) == 24


def test_processes_draw_their_parts_of_one_processs_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts = batches(0), []
    for rank in range(2):
        process = Processes()
        process.rank, process.count = rank, 2
        monkeypatch.setattr(annotated_batches, "current_processes", lambda process=process: process)
        parts.append(batches(0))
    for (rgb, truths), *own in zip(whole, *parts, strict=True):
        assert torch.equal(rgb, torch.cat([each for each, _ in own]))
        assert [each.boxes.tolist() for each in truths] == [each.boxes.tolist() for _, some in own for each in some]


def detector() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_detector("mobilenet_v3_small", detector_contract(), width=0.35)


def segmenter() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_segmenter("mobilenet_v3_small", segmenter_contract(), width=0.35, filters=24)


class _Stopping:
    """Gives the pictures of the first epoch and then stops, as a user would."""

    def __init__(self, pictures: Any) -> None:
        self._pictures = pictures

    def __call__(self, epoch: int) -> Any:
        if epoch == 1:
            raise KeyboardInterrupt
        return self._pictures


@pytest.mark.parametrize(
    ("fit", "build", "pictures", "augmentation"),
    [
        (fit_detector, detector, boxed(), DetectionAugmentation()),
        (fit_segmenter, segmenter, masked(), SegmentationAugmentation()),
    ],
    ids=["boxes", "masks"],
)
def test_a_stopped_run_ends_where_an_undisturbed_one_does(
    fit: Callable[..., Any], build: Callable[[], torch.nn.Module], pictures: Any, augmentation: Any, tmp_path: Path
) -> None:
    plan, whole, resumed = replace(PLAN, augmentation=augmentation), build(), build()
    history = fit(whole, pictures, plan, progress=False)
    with pytest.raises(KeyboardInterrupt):
        fit(build(), pictures, plan, compose=_Stopping(pictures.train), out=tmp_path, progress=False)
    later = fit(resumed, pictures, plan, compose=lambda _: pictures.train, out=tmp_path, progress=False)
    assert later.epochs[-1].loss == history.epochs[-1].loss
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    plain = fit(build(), pictures, replace(plan, augmentation=None), progress=False)
    assert plain.epochs[-1].loss != history.epochs[-1].loss


# What a plan says


def test_a_tasks_own_augmentation_is_the_default_and_has_no_flips_where_pictures_have_sides() -> None:
    plan = TrainPlan.detector()
    assert plan.augmenting(DetectionAugmentation).augmentation == DetectionAugmentation()
    assert plan.augmenting(DetectionAugmentation, has_sides=True).augmentation == DetectionAugmentation(flip_share=0.0)
    assert plan.augmenting(DetectionAugmentation, composes=True).augmentation is None
    chosen = replace(plan, augmentation=DetectionAugmentation(flip_share=0.25))
    assert chosen.augmenting(DetectionAugmentation, has_sides=True, composes=True) == chosen
    assert TrainPlan.finetune(2, after=chosen).augmentation == TrainPlan.distil(2, after=chosen).augmentation
    assert TrainPlan().augmenting(Augmentation).augmentation == Augmentation()
    assert composed_digits(2, 2).train[:1].has_sides and composed_masks(2, 2).validation[1:].has_sides
    assert not boxed().train.has_sides


@pytest.mark.parametrize(
    ("fit", "build", "pictures", "augmentation", "kind"),
    [
        (fit_detector, detector, boxed(), Augmentation(), "DetectionAugmentation"),
        (fit_detector, detector, boxed(), SegmentationAugmentation(), "DetectionAugmentation"),
        (fit_segmenter, segmenter, masked(), DetectionAugmentation(), "SegmentationAugmentation"),
        (fit_segmenter, segmenter, masked(), Augmentation.digits(), "SegmentationAugmentation"),
    ],
)
def test_another_tasks_augmentation_is_refused_by_name(
    fit: Callable[..., Any], build: Callable[[], torch.nn.Module], pictures: Any, augmentation: Any, kind: str
) -> None:
    with pytest.raises(SettingError, match=f"expected a {kind}, or None, .* found {type(augmentation).__name__}"):
        fit(build(), pictures, replace(PLAN, augmentation=augmentation), progress=False)


@pytest.mark.parametrize(
    ("make", "settings", "named"),
    [
        (DetectionAugmentation, {"largest_expansion": 0.5}, "largest_expansion=0.5"),
        (DetectionAugmentation, {"largest_expansion": float("nan")}, "largest_expansion=nan"),
        (DetectionAugmentation, {"crop_area_share": (0.0, 1.0)}, "crop_area_share="),
        (DetectionAugmentation, {"crop_area_share": (0.5, 2.0)}, "crop_area_share="),
        (DetectionAugmentation, {"aspect_ratio": 0.5}, "aspect_ratio=0.5"),
        (DetectionAugmentation, {"least_overlaps": (0.5, 1.0)}, "least_overlaps="),
        (DetectionAugmentation, {"least_overlaps": 0.5}, "least_overlaps=0.5"),
        (DetectionAugmentation, {"flip_share": 2}, "flip_share=2"),
        (SegmentationAugmentation, {"scale": (2.0, 0.5)}, "scale="),
        (SegmentationAugmentation, {"scale": 2.0}, "scale=2.0"),
        (SegmentationAugmentation, {"scale": (0.0, 1.0)}, "scale="),
        (SegmentationAugmentation, {"flip_share": None}, "flip_share=None"),
        (SegmentationAugmentation, {"contrast_jitter_share": -0.1}, "contrast_jitter_share=-0.1"),
        (Augmentation, {"crop_area_share": (1.0, 0.5)}, "crop_area_share="),
        (Augmentation, {"rotation_deg": float("inf")}, "rotation_deg=inf"),
        (Augmentation, {"shift_share": "far"}, "shift_share='far'"),
        (Augmentation, {"white_balance_jitter_share": 1.5}, "white_balance_jitter_share=1.5"),
        (TrainPlan, {"augmentation": "none"}, "augmentation='none'"),
    ],
)
def test_settings_that_hold_nothing_are_refused_by_name(make: type, settings: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingError) as refused:
        make(**settings)
    assert named in str(refused.value) and "\n" not in str(refused.value)


# Pictures with nothing left


@pytest.mark.parametrize("ignored", [(), (0,)])
def test_a_detector_learns_from_pictures_in_which_nothing_is_to_be_found(ignored: tuple[int, ...]) -> None:
    pictures = boxed(8)
    there = truth((5, 5, 30, 30), ignored=ignored) if ignored else truth()
    empty = replace(pictures.train, truths=(there,) * len(pictures.train))
    history = fit_detector(detector(), replace(pictures, train=empty), replace(PLAN, epochs=1), progress=False)
    assert np.isfinite(history.epochs[0].loss)


def test_a_segmenter_learns_where_a_scale_leaves_little_but_void() -> None:
    pictures = masked(8)
    plan = replace(PLAN, epochs=1, augmentation=SegmentationAugmentation(scale=(0.05, 0.1)))
    assert np.isfinite(fit_segmenter(segmenter(), pictures, plan, progress=False).epochs[0].loss)
