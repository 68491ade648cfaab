"""Folders of pictures, the built-in digits, and sets of pictures as bytes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.preprocess import to_bytes
from qat.data.picture_set import PictureSet, normalised
from qat.data.pictures import Pictures, load_folder, load_mnist, load_unlabelled
from tests.support.pictures.folders import fill, names_of, numbered

SPEC = ImageSpec(size_px=16)


@pytest.fixture
def fruit(tmp_path: Path) -> Path:
    fill(tmp_path / "pear", numbered(10), shade=200)
    fill(tmp_path / "apple", numbered(20), shade=100)
    return tmp_path


@pytest.fixture(scope="module")
def digits() -> Pictures:
    return load_mnist()


def test_labels_are_sorted_and_targets_point_at_them(fruit: Path) -> None:
    pictures = load_folder(fruit)
    assert pictures.labels == ("apple", "pear")
    for part in (pictures.train, pictures.validation):
        for source, (image, target) in zip(part.sources, part, strict=True):
            assert isinstance(source, Path) and source.parent.name == pictures.labels[target]
            assert image.getpixel((0, 0))[0] == (100, 200)[target]  # type: ignore[index]


def test_the_split_is_stratified_disjoint_and_complete(fruit: Path) -> None:
    pictures = load_folder(fruit)
    assert [pictures.validation.targets.count(label) for label in (0, 1)] == [4, 2]
    assert not names_of(pictures.train) & names_of(pictures.validation)
    assert len(pictures.train) + len(pictures.validation) == 30


def test_the_split_depends_on_the_seed_and_on_nothing_else(fruit: Path) -> None:
    once, again, other = load_folder(fruit), load_folder(fruit), load_folder(fruit, seed=1)
    assert once.train.sources == again.train.sources and once.validation.sources == again.validation.sources
    assert names_of(once.validation) != names_of(other.validation)


def test_unrelated_files_and_labels_leave_the_split_as_it_was(fruit: Path) -> None:
    before = names_of(load_folder(fruit).validation)
    (fruit / "README.md").write_text("pictures of fruit")
    (fruit / "apple" / "notes.txt").write_text("sour")
    (fruit / "apple" / ".hidden.png").write_bytes(b"no picture")
    (fruit / ".git" / "objects").mkdir(parents=True)
    fill(fruit / "quince", numbered(5))
    after = load_folder(fruit)
    assert after.labels == ("apple", "pear", "quince") and not after.unreadable
    assert {name for name in names_of(after.validation) if not name.startswith("quince")} == before


def test_a_further_picture_moves_at_most_one_other(fruit: Path) -> None:
    before = names_of(load_folder(fruit).validation)
    fill(fruit / "apple", ["later.png"])
    assert len(before - names_of(load_folder(fruit).validation)) <= 1


def test_the_order_mixes_the_labels_so_that_a_slice_is_a_sample(fruit: Path) -> None:
    sample = load_folder(fruit).train[:12]
    assert isinstance(sample, PictureSet) and len(sample) == 12
    assert set(sample.targets) == {0, 1}


def test_folders_nest_below_a_label_and_links_are_followed_without_end(fruit: Path) -> None:
    fill(fruit / "apple" / "red" / "ripe", numbered(5), shade=100)
    (fruit / "apple" / "loop").symlink_to(fruit / "apple", target_is_directory=True)
    (fruit / "plum").symlink_to(fruit / "pear", target_is_directory=True)
    pictures = load_folder(fruit)
    assert pictures.labels == ("apple", "pear", "plum")
    assert len(pictures.train) + len(pictures.validation) == 25 + 10 + 10


@pytest.mark.parametrize("validation", ["val", "validation"])
def test_train_and_validation_folders_are_taken_as_they_are(tmp_path: Path, validation: str) -> None:
    for label in ("a", "b"):
        fill(tmp_path / "train" / label, numbered(3))
        fill(tmp_path / validation / label, numbered(1))
    fill(tmp_path / "test" / "a", numbered(1))
    pictures = load_folder(tmp_path)
    assert pictures.labels == ("a", "b") and len(pictures.train) == 6 and len(pictures.validation) == 2


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_folder(path)
    assert caught.value.hint
    return caught.value.message


def test_labels_that_differ_between_train_and_val_are_named(tmp_path: Path) -> None:
    fill(tmp_path, [f"{part}/{label}/0.png" for part in ("train", "val") for label in ("a", "b")])
    fill(tmp_path / "val" / "stranger", numbered(1))
    assert "stranger" in refused(tmp_path)


def test_an_empty_label_is_named(fruit: Path) -> None:
    (fruit / "durian").mkdir()
    assert "durian" in refused(fruit)


def test_a_label_with_one_picture_cannot_be_split(fruit: Path) -> None:
    fill(fruit / "fig", numbered(1))
    assert "fig" in refused(fruit)


def test_a_single_label_is_named(tmp_path: Path) -> None:
    fill(tmp_path / "only", numbered(4))
    assert "only" in refused(tmp_path)


def test_no_pictures_no_folder_and_pictures_without_labels_are_refused(tmp_path: Path) -> None:
    assert "found none" in refused(tmp_path)
    assert "nowhere" in refused(tmp_path / "nowhere")
    fill(tmp_path, numbered(3))
    assert "found 3 pictures without" in refused(tmp_path)
    fill(tmp_path / "train", numbered(4))
    assert "found 4 pictures in train without" in refused(tmp_path)


def test_unreadable_pictures_below_one_percent_are_listed_and_left_out(tmp_path: Path) -> None:
    fill(tmp_path / "a", numbered(60, "bmp"))
    fill(tmp_path / "b", numbered(60, "bmp"))
    (tmp_path / "a" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    pictures = load_folder(tmp_path)
    assert pictures.unreadable == ("a/broken.jpg",)
    assert len(pictures.train) + len(pictures.validation) == 120


def test_more_than_one_percent_unreadable_is_refused_with_names(fruit: Path) -> None:
    (fruit / "pear" / "photo.heic").write_bytes(b"unknown to Pillow")
    assert "1 of 31" in refused(fruit) and "photo.heic" in refused(fruit)


def test_a_share_outside_zero_to_one_is_a_setting_error(fruit: Path) -> None:
    with pytest.raises(SettingError):
        load_folder(fruit, validation_share=20)


def test_unlabelled_pictures_carry_minus_one(fruit: Path) -> None:
    pictures = load_unlabelled(fruit)
    assert len(pictures) == 30 and set(pictures.targets) == {-1}
    with pytest.raises(DataError, match="nowhere"):
        load_unlabelled(fruit / "nowhere")


def test_the_digits_are_split_evenly(digits: Pictures) -> None:
    assert digits.labels == tuple("0123456789")
    assert [digits.train.targets.count(digit) for digit in range(10)] == [400] * 10
    assert [digits.validation.targets.count(digit) for digit in range(10)] == [100] * 10
    seen = {image.tobytes() for image, _ in digits.train} & {image.tobytes() for image, _ in digits.validation}
    assert not seen
    assert len(set(digits.train.targets[:50])) == 10


def test_bytes_are_those_of_the_recipe_for_each_picture(fruit: Path) -> None:
    part = load_folder(fruit).train
    expected = np.stack([to_bytes(image, SPEC) for image, _ in part])
    assert np.array_equal(part.bytes(SPEC), expected)


def test_bytes_are_decoded_once_where_they_fit_and_each_time_where_not(fruit: Path) -> None:
    part = load_folder(fruit).train
    assert part.bytes(SPEC) is part.bytes(SPEC.model_copy(update={"mean_byte": (1.0, 1.0, 1.0)}))
    small = PictureSet(sources=part.sources, targets=part.targets, cache_mib=0)
    assert small.bytes(SPEC) is not small.bytes(SPEC)
    rows = np.array([5, 2, 2])
    assert np.array_equal(small.some_bytes(SPEC, rows), part.some_bytes(SPEC, rows))


def test_cached_bytes_cannot_be_written_by_accident(fruit: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        load_folder(fruit).train.bytes(SPEC)[0] = 0


def test_tensors_are_normalised_per_channel_and_lie_as_users_nets_expect(fruit: Path) -> None:
    spec = ImageSpec(size_px=16, mean_byte=(1.0, 2.0, 3.0), std_byte=(10.0, 20.0, 40.0))
    part = load_folder(fruit).validation
    tensors = part.tensors(spec)
    assert tensors.dtype == torch.float32 and tensors.is_contiguous()
    expected = (part.bytes(spec).astype(np.float32) - [1, 2, 3]) / [10, 20, 40]
    assert np.allclose(tensors.permute(0, 2, 3, 1).numpy(), expected)
    assert normalised(torch.zeros(1, 3, 4, 4), ImageSpec()).eq(-1).all()


def test_a_fingerprint_changes_with_files_and_labels(fruit: Path) -> None:
    before = load_folder(fruit).train
    assert before.fingerprint() == load_folder(fruit).train.fingerprint()
    swapped = PictureSet(sources=before.sources, targets=tuple(1 - target for target in before.targets))
    assert swapped.fingerprint() != before.fingerprint()
    assert before[:5].fingerprint() != before.fingerprint()
