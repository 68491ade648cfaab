"""Pictures for a net whose labels are known: folders may name a few of them, and hold one picture each."""

from pathlib import Path

import pytest

from mobile_sdk.errors import DataError
from qat.data.folders.listing import natural_order
from qat.data.pictures import folder_labels, has_labels, load_folder, load_labelled
from tests.support.pictures.folders import fill, numbered

LABELS = ("tench", "goldfish", "great white shark", "hen")
SYNSETS = {"n01440764": "tench", "n01443537": "goldfish", "n01484850": "great white shark"}


def test_a_few_of_the_labels_count_in_the_nets_order(tmp_path: Path) -> None:
    fill(tmp_path / "hen", numbered(10), shade=10)
    fill(tmp_path / "tench", numbered(5), shade=20)
    pictures = load_labelled(tmp_path, LABELS)
    assert pictures.labels == LABELS
    assert sorted(pictures.train.targets) == [0] * 4 + [3] * 8 and sorted(pictures.validation.targets) == [0, 3, 3]
    for image, target in (*pictures.train, *pictures.validation):
        assert image.getpixel((0, 0))[0] == {3: 10, 0: 20}[target]  # type: ignore[index]


def test_folders_may_bear_other_names_of_the_labels(tmp_path: Path) -> None:
    fill(tmp_path, [f"{synset}/{number}.png" for synset in SYNSETS for number in range(5)])
    fill(tmp_path / "tench", numbered(5))
    pictures = load_labelled(tmp_path, LABELS, known_as=SYNSETS)
    assert [pictures.train.targets.count(label) for label in range(4)] == [8, 4, 4, 0]


def test_one_picture_a_label_is_enough(tmp_path: Path) -> None:
    fill(tmp_path, [f"{label}/0.png" for label in LABELS])
    pictures = load_labelled(tmp_path, LABELS)
    assert sorted((*pictures.train.targets, *pictures.validation.targets)) == [0, 1, 2, 3]
    assert len(pictures.validation) == 1


def test_the_split_is_the_one_that_training_saw(tmp_path: Path) -> None:
    fill(tmp_path, [f"{label}/{number}.png" for label in LABELS for number in range(7)])
    learned, known = load_folder(tmp_path), load_labelled(tmp_path, sorted(LABELS))
    assert known.train.sources == learned.train.sources and known.validation.targets == learned.validation.targets


def test_train_and_val_may_hold_different_labels(tmp_path: Path) -> None:
    fill(tmp_path, ["train/hen/0.png", "train/tench/0.png", "val/goldfish/0.png"])
    pictures = load_labelled(tmp_path, LABELS)
    assert sorted(pictures.train.targets) == [0, 3] and pictures.validation.targets == (1,)


def test_a_folder_of_no_label_is_refused_by_its_name(tmp_path: Path) -> None:
    fill(tmp_path, ["hen/0.png", "hen/1.png", "kiwi/0.png"])
    with pytest.raises(DataError, match="the 4 labels, found others: kiwi"):
        load_labelled(tmp_path, LABELS)


def test_a_single_picture_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, ["hen/0.png"])
    with pytest.raises(DataError, match="two readable pictures"):
        load_labelled(tmp_path, LABELS)


def test_numbered_labels_count_as_people_do(tmp_path: Path) -> None:
    names = [f"class_{number}" for number in (0, 1, 2, 9, 10, 11)]
    fill(tmp_path, [f"{name}/{number}.png" for name in names for number in range(2)])
    assert folder_labels(tmp_path) == load_folder(tmp_path).labels == tuple(names)


def test_names_with_and_without_numbers_have_an_order() -> None:
    names = ["10", "2", "a10", "a", "a2b", "a2", "", "01", "1", "b"]
    assert sorted(names, key=natural_order) == ["", "01", "1", "2", "10", "a", "a2", "a2b", "a10", "b"]


@pytest.mark.parametrize(
    ("files", "labels", "expected"),
    [
        (("0.png", "1.png"), (), False),
        (("a/0.png", "b/1.png"), (), True),
        (("a/0.png", "b/1.png", "stray.png"), (), True),
        (("hen/0.png", "tench/1.png", "stray.png"), LABELS, True),
        (("0.png", "more/1.png"), LABELS, False),
        (("photos/0.png", "photos/1.png"), LABELS, False),
        (("kiwi/0.png", "fig/1.png"), LABELS, True),  # and refused by name
    ],
)
def test_a_folder_says_labels_or_not(
    tmp_path: Path, files: tuple[str, ...], labels: tuple[str, ...], expected: bool
) -> None:
    fill(tmp_path, files)
    assert has_labels(tmp_path, labels) is expected
