"""Masks and their mean intersection over union; pictures with masks, composed and of a folder; training on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.tasks.segmentation import VOID, PicturesWithMasks, commonest_labels, masks_of, mean_iou
from qat.data.augmentation.segmentation import SegmentationAugmentation
from qat.data.masks.composed_digits import SIZES, composed_masks, fresh_masks
from qat.data.masks.folder import load_mask_folder
from qat.data.masks.pictures import SegmentationPictures
from qat.tasks.segmentation.training import evaluate_segmenter, fit_segmenter
from qat.training.plan import TrainPlan


def test_a_pixels_label_is_its_largest_score_the_lowest_of_equal_ones() -> None:
    outputs = np.array([[[[1, 3, 3], [-5, -5, -9]]]], np.int8)
    assert masks_of(outputs).tolist() == [[[1, 0]]] and masks_of(outputs).dtype == np.uint8


def test_the_commonest_label_is_that_of_most_pixels_and_a_nan_has_none() -> None:
    scores = np.zeros((2, 1, 3, 4), np.float32)
    scores[:, 0, :, :] = np.eye(4, dtype=np.float32)[[2, 2, 1]]
    scores[1, 0, 0, 0] = np.nan
    assert commonest_labels(scores).tolist() == [2, -1]


def test_the_mean_counts_the_pixels_of_all_pictures_together() -> None:
    truths = np.array([[[0, 0, 1, 1]], [[1, 1, 1, VOID]]], np.uint8)
    masks = np.array([[[0, 1, 1, 1]], [[1, 1, 0, 0]]], np.uint8)
    found = mean_iou(masks, truths, 3)
    assert found.by_class == (1 / 3, 4 / 6, None)
    assert found.value == pytest.approx((1 / 3 + 4 / 6) / 2) and found.images == 2


def test_a_label_that_no_truth_shows_has_no_share_of_its_own_but_counts_in_the_mean_where_it_is_found() -> None:
    found = mean_iou(np.array([[[0, 0, 2, 1]]], np.uint8), np.array([[[0, 0, 0, VOID]]], np.uint8), 4)
    assert found.by_class == (2 / 3, None, None, None) and found.value == pytest.approx((2 / 3 + 0) / 2)


@given(st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_the_mean_is_that_of_sets_of_pixels(labels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    masks, truths = random.integers(0, labels, (2, 3, 5, 4)).astype(np.uint8)
    truths[random.random(truths.shape) < 0.2] = VOID
    shares = []
    for label in range(labels):
        ours, theirs = (masks == label) & (truths != VOID), truths == label
        if (ours | theirs).any():
            shares.append((ours & theirs).sum() / (ours | theirs).sum())
    found = mean_iou(masks, truths, labels).value
    assert found == pytest.approx(float(np.mean(shares)) if shares else 0.0)


def test_composed_masks_show_digits_on_a_background_with_void_edges_from_one_seed() -> None:
    pictures = composed_masks(train=8, validation=4)
    assert pictures.labels == ("background", *map(str, range(10))) and isinstance(pictures.train, PicturesWithMasks)
    for mask in pictures.train.truths:
        digits = set(np.unique(mask)) - {0, VOID}
        assert 1 <= len(digits) <= SIZES.digits[1] and max(digits) <= 10
        assert (mask == 0).mean() > 0.3 and 0 < (mask == VOID).mean() < 0.3
    again, other = (composed_masks(train=8, validation=4, seed=seed).train.fingerprint() for seed in (0, 1))
    assert again == pictures.train.fingerprint() != other
    assert fresh_masks(8)(0).fingerprint() != fresh_masks(8)(1).fingerprint()


def folder(root: Path, masks: list[np.ndarray], labels: str = "sky\nroad\n") -> Path:
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    (root / "labels.txt").write_text(labels, encoding="utf-8")
    for index, mask in enumerate(masks):
        Image.fromarray(np.full((*mask.shape, 3), 40 * index, np.uint8)).save(root / "images" / f"{index}.png")
        Image.fromarray(mask).save(root / "masks" / f"{index}.png")
    return root


def test_a_folders_masks_stay_with_their_pictures_and_grow_by_whole_pixels(tmp_path: Path) -> None:
    masks = [np.full((4, 6), index % 2, np.uint8) for index in range(5)]
    masks[3][0, 0] = VOID
    pictures = load_mask_folder(folder(tmp_path, masks))
    assert (len(pictures.train), len(pictures.validation), pictures.labels) == (4, 1, ("sky", "road"))
    for part in (pictures.train, pictures.validation):
        larger = part.masks_in(ImageSpec(size_px=12, fit="stretch"))
        for source, mask, grown in zip(part.sources, part.truths, larger, strict=True):
            assert np.array_equal(mask, masks[source[0, 0, 0] // 40])
            assert np.array_equal(grown, np.repeat(np.repeat(mask, 3, axis=0), 2, axis=1))


def test_a_palette_s_numbers_are_the_labels(tmp_path: Path) -> None:
    root = folder(tmp_path, [np.zeros((8, 8), np.uint8)] * 2)
    mask = Image.fromarray(np.ones((8, 8), np.uint8), mode=None).convert("P", palette=Image.Palette.WEB)
    mask.putdata([1] * 64)
    mask.save(root / "masks" / "0.png")
    found = load_mask_folder(root)
    assert sorted(int(each.max()) for part in (found.train, found.validation) for each in part.truths) == [0, 1]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda root: (root / "labels.txt").unlink(), r"expected labels\.txt in .*, found No such file"),
        (lambda root: (root / "masks" / "1.png").unlink(), r"expected a mask at .*1\.png, found No such file"),
        (lambda root: (root / "masks" / "1.png").write_bytes(b"\x89PNG"), r"expected a mask at .*1\.png, found no PNG"),
        (
            lambda root: Image.new("RGB", (4, 4)).save(root / "masks" / "1.png"),
            r"one byte a pixel in .*1\.png, found mode RGB, 4 × 4",
        ),
        (
            lambda root: Image.new("L", (5, 4)).save(root / "masks" / "1.png"),
            r"4 × 4 px, as its picture, .*1\.png, found 5 × 4",
        ),
        (
            lambda root: Image.new("L", (4, 4), 2).save(root / "masks" / "1.png"),
            r"expected labels 0 to 1, or 255, in .*1\.png, found 2",
        ),
        (lambda root: [file.unlink() for file in (root / "images").iterdir()], r"expected two pictures or more"),
    ],
)
def test_a_folder_that_is_wrong_is_refused_by_its_file(damage, expected, tmp_path: Path) -> None:
    root = folder(tmp_path, [np.zeros((4, 4), np.uint8)] * 2)
    damage(root)
    with pytest.raises(DataError, match=expected):
        load_mask_folder(root)


def tiny_segmenter(pictures: SegmentationPictures) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, len(pictures.labels), 1),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
    )
    image = ImageSpec(size_px=32, fit="stretch")
    net.contract = Contract(name="masks", task="segmentation", labels=pictures.labels, image=image)
    return net


def test_training_lowers_the_loss_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    pictures = composed_masks(train=64, validation=8)
    plan = replace(TrainPlan.segmenter(epochs=3), augmentation=SegmentationAugmentation())
    whole, parted = tiny_segmenter(pictures), tiny_segmenter(pictures)
    history = fit_segmenter(whole, pictures, plan)
    assert history.epochs[-1].loss < history.epochs[0].loss
    assert history.epochs[-1].validation_accuracy_share == evaluate_segmenter(whole, pictures.validation).value

    class StopError(Exception):
        pass

    def stopping(epoch: int):
        if epoch == 2:
            raise StopError
        return pictures.train

    with pytest.raises(StopError):
        fit_segmenter(parted, pictures, plan, compose=stopping, out=tmp_path)
    again = tiny_segmenter(pictures)
    fit_segmenter(again, pictures, plan, out=tmp_path)
    for ours, theirs in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_pictures_with_other_labels_are_refused() -> None:
    pictures = composed_masks(train=4, validation=4)
    net = tiny_segmenter(pictures)
    others = SegmentationPictures(train=pictures.train, validation=pictures.validation, labels=("a", "b"))
    with pytest.raises(SettingError, match="expected pictures with the contract's labels"):
        fit_segmenter(net, others)


def test_a_segmentation_has_two_labels_at_least_and_as_many_as_a_byte_holds_beside_void() -> None:
    image = ImageSpec(size_px=32, fit="stretch")
    for count in (1, 256):
        with pytest.raises(ValueError, match="labels"):
            Contract(name="masks", task="segmentation", labels=tuple(map(str, range(count))), image=image)
