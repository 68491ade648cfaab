"""The ways in which exporters of data sets lay labelled pictures out: each is read, or refused by its name."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mobile_sdk.errors import DataError
from qat.data.pictures import Pictures, load_folder, load_labelled, load_unlabelled
from tests.support.pictures.folders import FLAT, LABELS, darknet, fill, labelled, lay, names_of, voc, yolo


def news(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def refused(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        load_folder(path)
    assert caught.value.hint and "\n" not in caught.value.message
    return caught.value


def sizes(pictures: Pictures) -> tuple[int, int]:
    return len(pictures.train), len(pictures.validation)


@pytest.mark.parametrize(
    ("train", "validation"),
    [
        ("train", "valid"),
        ("Train", "Val"),
        ("training", "validation"),
        ("TRAIN", "VALIDATION"),
        ("Training", "Validate"),
        ("training_set", "val_set"),
        ("trainset", "validset"),
        ("train2017", "val2017"),
        ("train_images", "val_images"),
        ("seg_train", "seg_val"),
        ("train", "dev"),
        ("train", "eval"),
        ("pets_train", "pets_val"),
        ("train-data", "holdout"),
    ],
)
def test_splits_are_known_by_every_name_that_they_bear(tmp_path: Path, train: str, validation: str) -> None:
    labelled(tmp_path, train, validation)
    pictures = load_folder(tmp_path)
    assert pictures.labels == LABELS and sizes(pictures) == (10, 10)
    assert all(source.parent.parent.name == train for source in pictures.train.sources if isinstance(source, Path))


@pytest.mark.parametrize("test", ["test", "Test", "testing", "test_set", "TEST"])
def test_test_is_left_aside_with_a_word(tmp_path: Path, test: str, capsys: pytest.CaptureFixture[str]) -> None:
    labelled(tmp_path, "train", "valid", test)
    pictures = load_folder(tmp_path)
    assert pictures.labels == LABELS and sizes(pictures) == (10, 10)
    assert pictures.left_out == (f"{test}/",)
    assert f"left aside the folder {test} with 10 pictures" in news(capsys)


@pytest.mark.parametrize(
    ("train", "test"),
    [("train", "test"), ("Training", "Test"), ("training", "testing"), ("asl_train", "asl_test"), ("train", "pred")],
)
def test_train_without_val_is_split(tmp_path: Path, train: str, test: str, capsys: pytest.CaptureFixture[str]) -> None:
    labelled(tmp_path, train)
    lay(tmp_path, f"{test}/cat")
    pictures = load_folder(tmp_path)
    assert pictures.labels == LABELS and sizes(pictures) == (8, 2) and pictures.left_out == (f"{test}/",)
    assert f"left aside the folder {test} with 5 pictures" in news(capsys)


def test_roboflows_classification_export_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labelled(tmp_path, "train", "valid", "test")
    (tmp_path / "README.dataset.txt").write_text("cats and dogs")
    (tmp_path / "README.roboflow.txt").write_text("exported by roboflow.com")
    pictures = load_folder(tmp_path)
    assert pictures.labels == LABELS and sizes(pictures) == (10, 10)
    assert "left out 2 other files: 2 .txt" in news(capsys)
    assert pictures.left_out == ("test/", "README.dataset.txt", "README.roboflow.txt")


def test_kaggles_folders_of_one_name_in_each_other_are_read(tmp_path: Path) -> None:
    labelled(tmp_path, "seg_train/seg_train", "seg_test/seg_test")
    lay(tmp_path, "seg_pred/seg_pred")
    pictures = load_folder(tmp_path)
    assert pictures.labels == LABELS and sizes(pictures) == (8, 2)
    assert set(pictures.left_out) == {"seg_pred/", "seg_test/"}


@pytest.mark.parametrize("wrapped", ["flowers", "fruits-360/Fruits", "train", "images", "val"])
def test_the_archives_own_folder_is_entered(tmp_path: Path, wrapped: str, capsys: pytest.CaptureFixture[str]) -> None:
    labelled(tmp_path, wrapped)
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "paper.pdf").write_bytes(b"%PDF")
    fill(tmp_path, ["cover.png"])
    pictures = load_folder(tmp_path)
    assert pictures.labels == LABELS and sizes(pictures) == (8, 2)
    assert set(pictures.left_out) == {"cover.png", "papers/paper.pdf"}
    assert f"pictures are read from the folder {wrapped}" in news(capsys)


def test_splits_in_the_archives_own_folder_are_read(tmp_path: Path) -> None:
    labelled(tmp_path, "pets/train", "pets/valid", "pets/test")
    pictures = load_folder(tmp_path)
    assert pictures.labels == LABELS and sizes(pictures) == (10, 10) and pictures.left_out == ("pets/test/",)


def test_other_folders_beside_splits_are_left_aside_with_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled(tmp_path, "train", "val")
    lay(tmp_path, "duplicates")
    assert load_folder(tmp_path).left_out == ("duplicates/",)
    assert "left aside the folder duplicates with 5 pictures" in news(capsys)


def test_pictures_of_trains_are_a_label_with_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(tmp_path, "bus", "car", "train")
    assert load_folder(tmp_path).labels == ("bus", "car", "train")
    assert "train is taken as a label, beside bus, car" in news(capsys)


def test_a_known_label_is_no_split(tmp_path: Path) -> None:
    lay(tmp_path, "train/steam", "train/electric", "bus")
    assert "found train, with folders, beside bus" in refused(tmp_path).message
    assert sizes(load_labelled(tmp_path, ("bus", "train"))) == (12, 3)


def test_two_folders_to_validate_by_are_refused(tmp_path: Path) -> None:
    labelled(tmp_path, "train", "val", "Validation")
    assert "one folder for validation" in refused(tmp_path).message
    assert "Validation, val" in refused(tmp_path).message


@pytest.mark.parametrize("inner", [("animals/cat", "plants/rose"), ("animals/cat", "animals/dog", "plants/rose")])
def test_nested_folders_are_said(tmp_path: Path, inner: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    lay(tmp_path, *inner)
    assert load_folder(tmp_path).labels == ("animals", "plants")
    (line,) = news(capsys)
    names = ", ".join(place.partition("/")[2] for place in inner)
    assert f"animals, plants; what lies in folders below them counts as theirs: {names}" in line


@pytest.mark.parametrize(
    "outer", [("entrenamiento", "prueba"), ("fold1", "fold2", "fold3"), ("original", "augmented"), ("2023", "2024")]
)
def test_folders_that_all_hold_the_same_folders_are_refused(tmp_path: Path, outer: tuple[str, ...]) -> None:
    labelled(tmp_path, *outer)
    error = refused(tmp_path)
    assert "all hold the same folders: cat, dog" in error.message and "train, val and test" in error.hint


def test_splits_within_labels_are_refused(tmp_path: Path) -> None:
    lay(tmp_path, *(f"{label}/{split}" for label in LABELS for split in ("train", "test")))
    assert "all hold the same folders: test, train" in refused(tmp_path).message


def test_masks_within_labels_are_refused(tmp_path: Path) -> None:
    lay(tmp_path, *(f"{label}/{kind}" for label in ("covid", "normal") for kind in ("images", "masks")))
    assert "images, masks" in refused(tmp_path).message


def coco(root: Path) -> None:
    lay(root, "train2017", "val2017")
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_train2017.json").write_text("{}")


def coco_here(root: Path) -> None:
    fill(root, FLAT)
    (root / "annotations.json").write_text("{}")


def roboflow_coco(root: Path) -> None:
    lay(root, "train", "valid")
    for split in ("train", "valid"):
        (root / split / "_annotations.coco.json").write_text("{}")


def roboflow_yolo(root: Path) -> None:
    lay(root, "train/images", "valid/images")
    (root / "data.yaml").write_text("nc: 2")
    for split in ("train", "valid"):
        (root / split / "labels").mkdir()
        (root / split / "labels" / "0.txt").write_text("0 0.5 0.5 0.1 0.1")


def roboflow_voc(root: Path) -> None:
    lay(root, "train", "valid")
    for split in ("train", "valid"):
        for name in FLAT:
            (root / split / name.replace(".png", ".xml")).write_text("<annotation/>")


def masks(root: Path) -> None:
    lay(root, "images", "masks")
    (root / "labels.txt").write_text("cat\ndog\n")


def listed_in_csv(root: Path) -> None:
    lay(root, "train", "test")
    (root / "train.csv").write_text("file,label\n")


def listed_beside(root: Path) -> None:
    fill(root, FLAT)
    (root / "labels.csv").write_text("file,label\n")


def listed_above(root: Path) -> None:
    lay(root, "images")
    (root / "labels.csv").write_text("file,label\n")


@pytest.mark.parametrize(
    ("make", "found", "hint"),
    [
        (coco, "found a COCO data set", "--task detection"),
        (coco_here, "found a COCO data set", "--task detection"),
        (roboflow_coco, "found a COCO data set", "--task detection"),
        (yolo, "found a YOLO data set", "--task detection"),
        (roboflow_yolo, "found a YOLO data set", "--task detection"),
        (darknet, "found a YOLO data set", "--task detection"),
        (voc, "found a PASCAL VOC data set with masks", "--task segmentation"),
        (roboflow_voc, "found a PASCAL VOC data set", "--task detection"),
        (masks, "found pictures with masks", "--task segmentation"),
        (listed_in_csv, "found 10 pictures in test, train without", "if train.csv says their labels"),
        (listed_above, "found 5 pictures without", "if labels.csv says their labels"),
        (listed_beside, "found 5 pictures without", "if labels.csv says their labels"),
    ],
)
@pytest.mark.parametrize("wrapped", ["", "unpacked"])
def test_what_is_laid_out_otherwise_is_refused_by_its_name(
    tmp_path: Path, make: Callable[[Path], None], found: str, hint: str, wrapped: str
) -> None:
    (tmp_path / wrapped).mkdir(exist_ok=True)
    make(tmp_path / wrapped)
    error = refused(tmp_path)
    assert found in error.message and hint in error.hint


def test_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w"):
        pass
    for path in (tmp_path, tmp_path / "photos.zip"):
        for load in (load_folder, load_unlabelled):
            with pytest.raises(DataError, match="unpack"):
                load(path)
    (tmp_path / "one.jpg").write_bytes(b"")
    assert "found a file" in refused(tmp_path / "one.jpg").message


def test_files_that_are_no_pictures_are_counted_by_suffix(tmp_path: Path) -> None:
    (tmp_path / "cifar").mkdir()
    for name in ("train-0.parquet", "train-1.parquet", "README.md"):
        (tmp_path / "cifar" / name).write_bytes(b"")
    assert "found none, but files: 2 .parquet, 1 .md" in refused(tmp_path).message


def test_all_that_is_left_out_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labelled(tmp_path, ".")
    fill(tmp_path, ["stray.png", "other.png"])
    for name in ("clip.MOV", "notes.txt", "more.txt", ".DS_Store", "Thumbs.db", "desktop.ini", "._0.png"):
        (tmp_path / "cat" / name).write_bytes(b"")
    pictures = load_folder(tmp_path)
    assert set(pictures.left_out) == {"stray.png", "other.png", "cat/clip.MOV", "cat/notes.txt", "cat/more.txt"}
    assert news(capsys) == [
        "left out 2 pictures beside the folders of labels: other.png, stray.png",
        "left out 3 other files: 2 .txt, 1 .mov",
    ]


def test_labels_of_one_name_in_other_letters_are_one(tmp_path: Path) -> None:
    lay(tmp_path, "train/cafe\u0301", "train/tea", "val/caf\u00e9", "val/tea")
    pictures = load_folder(tmp_path)
    assert pictures.labels == ("caf\u00e9", "tea") and sizes(pictures) == (10, 10)


@pytest.mark.parametrize("name", ["new\nline", "\x1b[31m", "no utf-8: \udcff", "next\u2028line"])
def test_labels_that_are_no_line_of_text_are_refused_before_anything_is_learned(tmp_path: Path, name: str) -> None:
    lay(tmp_path, "cat", name)
    assert "a line of UTF-8 text each" in refused(tmp_path).message


def test_natural_order_is_said_where_text_is_sorted_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(tmp_path, *(str(number) for number in range(12)))
    assert load_folder(tmp_path).labels == tuple(str(number) for number in range(12))
    assert "labels are in natural order, 2 before 10" in news(capsys)[0]
    lay(tmp_path / "padded", "01", "02", "10")
    load_folder(tmp_path / "padded")
    assert news(capsys) == []


def test_a_pipe_among_the_pictures_is_not_waited_for(tmp_path: Path) -> None:
    labelled(tmp_path, ".")
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    assert "1 of 11: cat/pipe.png" in refused(tmp_path).message


def test_links_that_lead_across_each_other_end(tmp_path: Path) -> None:
    labelled(tmp_path, ".")
    for one, other in (("cat", "dog"), ("dog", "cat")):
        for number in range(2):
            (tmp_path / one / f"link{number}").symlink_to(tmp_path / other, target_is_directory=True)
    assert names_of(load_folder(tmp_path).train)


def test_folders_without_end_are_refused(tmp_path: Path) -> None:
    labelled(tmp_path, ".")
    deep = tmp_path / "cat"
    for _ in range(40):
        deep = deep / "x"
    deep.mkdir(parents=True)
    assert "at most 32 folders in each other" in refused(tmp_path).message
