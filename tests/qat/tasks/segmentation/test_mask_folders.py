"""Pictures with masks of every exporter are read to the pixel; what is laid out otherwise is refused by its name."""

import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_sdk.errors import DataError
from mobile_sdk.labels.lists import shipped_labels
from mobile_sdk.tasks.segmentation import VOID
from qat.data.masks.folder import load_mask_folder
from qat.data.masks.formats.voc import colour_of
from qat.data.pictures import load_folder
from tests.support.pictures.mask_exporters import (
    COLOURS,
    EXPORTERS,
    LABELS,
    SCENES,
    VOCS,
    check_scenes,
    cvat,
    labelme,
    plain,
    roboflow,
    save,
    save_palette,
    voc,
    write,
)

PARTED = {"voc": (3, 2), "roboflow": (3, 2)}


def home(root: Path, exporter: str) -> Path:
    return root / "VOCdevkit" / "VOC2012" if exporter == "voc" else root


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("wrapped", ["", "unpacked/again"])
def test_what_an_exporter_writes_is_read_to_the_pixel(
    tmp_path: Path, exporter: str, wrapped: str, capsys: pytest.CaptureFixture[str]
) -> None:
    EXPORTERS[exporter](tmp_path / wrapped)
    pictures = load_mask_folder(tmp_path)
    check_scenes(pictures)
    assert (len(pictures.train), len(pictures.validation)) == PARTED.get(exporter, (4, 1))
    assert pictures.labels == (shipped_labels("voc") if exporter == "voc" else LABELS)
    said = capsys.readouterr().err
    assert ("taken for PASCAL VOC's 21 labels" in said) is (exporter == "voc")
    assert ("left aside" in said) is (exporter == "roboflow")  # test; VOC's trainval is both of its lists


@pytest.mark.parametrize(
    ("exporter", "lines"),
    [
        (
            "voc",
            ["left out 1 picture in", "JPEGImages: boxes_only.png", "left out 5 pictures in", "SegmentationObject: a"],
        ),
        ("cvat", ["left out 5 pictures in", "SegmentationObject: a.png"]),
        ("labelme", ["SegmentationClassVisualization: a.jpg"]),
        ("roboflow", ["left aside: test", "left out 2 pictures in"]),
    ],
)
def test_what_is_left_out_is_counted_and_named(
    tmp_path: Path, exporter: str, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    EXPORTERS[exporter](tmp_path)
    load_mask_folder(tmp_path)
    said = capsys.readouterr().err
    assert all(line in said for line in lines), said


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("names", [["a b", "ä", "日本", "x.y", "100%"], ["A", "b", "C", "d", "E"]])
def test_names_of_any_letters_are_read(tmp_path: Path, exporter: str, names: list[str]) -> None:
    EXPORTERS[exporter](tmp_path, names)
    check_scenes(load_mask_folder(tmp_path))


@pytest.mark.parametrize("exporter", ["plain", "cvat", "voc"])
def test_masks_are_found_whatever_archives_made_of_their_names(tmp_path: Path, exporter: str) -> None:
    names = ["É1", "b", "c", "d", "e"]
    EXPORTERS[exporter](tmp_path, names)
    for file in [*tmp_path.rglob("masks/*.png"), *tmp_path.rglob("SegmentationClass/*.png")]:
        file.rename(file.with_name(unicodedata.normalize("NFD", file.stem.lower()) + ".PNG"))
    check_scenes(load_mask_folder(tmp_path))


def test_vocs_palette_is_read_by_its_colours_in_whatever_order_a_tool_has_put_them(tmp_path: Path) -> None:
    voc(tmp_path)
    for index, name in enumerate("abcde"):
        mask, file = SCENES[index][1], home(tmp_path, "voc") / "SegmentationClass" / f"{name}.png"
        order = np.array([2, 0, 1, *range(3, 255), VOID], np.uint8)  # the number of each label
        save_palette(order[mask], file, {int(order[label]): colour for label, colour in VOCS.items()})
    check_scenes(load_mask_folder(tmp_path))
    save_palette(SCENES[0][1], home(tmp_path, "voc") / "SegmentationClass" / "a.png", COLOURS)
    with pytest.raises(DataError, match=r"colours of PASCAL VOC's list in .*a\.png, found 128,0,64 at"):
        load_mask_folder(tmp_path)


def test_vocs_colours_are_those_of_its_palette() -> None:
    known = {0: 0x000000, 1: 0x800000, 2: 0x008000, 3: 0x808000, 15: 0xC08080, 20: 0x004080, VOID: 0xE0E0C0}
    assert {number: colour_of(number) for number in known} == known
    assert len({colour_of(number) for number in range(256)}) == 256


def test_vocs_folders_with_a_list_of_labels_have_those(tmp_path: Path) -> None:
    voc(tmp_path)
    write(home(tmp_path, "voc") / "labels.txt", "\ufeffground\r\ncar\r\ntree\r\n\r\n")
    pictures = load_mask_folder(tmp_path)
    check_scenes(pictures)
    assert pictures.labels == ("ground", "car", "tree")


@pytest.mark.parametrize(
    ("lists", "counts"),
    [
        ({"trainval": "abcde"}, (4, 1)),
        ({"default": "abcde"}, (4, 1)),
        ({"Train": "abc", "Validation": "de"}, (3, 2)),
        ({"train": "abc", "val": "d", "test": "e"}, (3, 1)),
        ({"train": "abcd", "test": "e"}, (3, 1)),
        ({"trainval": "abcd", "test": "e"}, (3, 1)),
        ({}, (4, 1)),
    ],
)
@pytest.mark.parametrize("exporter", ["voc", "cvat"])
def test_lists_say_what_is_learned_and_what_is_held_out(
    tmp_path: Path, exporter: str, lists: dict[str, str], counts: tuple[int, int]
) -> None:
    EXPORTERS[exporter](tmp_path)
    place = home(tmp_path, exporter) / "ImageSets" / "Segmentation"
    for file in place.iterdir():
        file.unlink()
    for name, entries in lists.items():
        write(place / f"{name}.txt", "\n".join(entries))
    pictures = load_mask_folder(tmp_path)
    check_scenes(pictures, sum(counts))
    assert (len(pictures.train), len(pictures.validation)) == counts


@pytest.mark.parametrize("names", [["val"], ["test"], ["val", "test"], ["one", "other"]])
def test_lists_of_which_none_is_for_training_are_refused(tmp_path: Path, names: list[str]) -> None:
    voc(tmp_path)
    place = home(tmp_path, "voc") / "ImageSets" / "Segmentation"
    for file in place.iterdir():
        file.unlink()
    for name in names:
        write(place / f"{name}.txt", "a\nb\nc")
    with pytest.raises(DataError, match=r"expected a list train\.txt in .*Segmentation, found"):
        load_mask_folder(tmp_path)


def test_cvats_folders_of_pictures_and_frames_that_nobody_annotated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cvat(tmp_path, ["site 1/a", "site 1/b", "site 2/a", "site 2/b", "c"])
    (tmp_path / "SegmentationClass" / "c.png").unlink()
    check_scenes(load_mask_folder(tmp_path), 4)
    assert "left out 1 picture of" in (said := capsys.readouterr().err) and "without a mask: c" in said


@pytest.mark.parametrize("background", [0, 1, 2])
def test_cvats_labels_are_those_of_the_lines_whichever_is_background(tmp_path: Path, background: int) -> None:
    cvat(tmp_path)
    lines = (tmp_path / "labelmap.txt").read_text().splitlines()[1:]
    turned = lines[background:] + lines[:background]
    write(tmp_path / "labelmap.txt", "\n".join(turned))
    pictures = load_mask_folder(tmp_path)
    assert pictures.labels == tuple(line.split(":")[0] for line in turned)
    number = {VOID: VOID, **{LABELS.index(label): index for index, label in enumerate(pictures.labels)}}
    masks = {picture.tobytes(): mask for picture, mask in SCENES}
    for source, truth in zip(pictures.train.sources, pictures.train.truths, strict=True):
        assert np.array_equal(truth, np.vectorize(number.get)(masks[source.tobytes()]))


def test_cvats_masks_may_be_grey_or_have_a_palette(tmp_path: Path) -> None:
    cvat(tmp_path)
    for index, name in enumerate("abcde"):
        mask, file = SCENES[index][1], tmp_path / "SegmentationClass" / f"{name}.png"
        save(mask, file) if index % 2 else save_palette(mask, file, COLOURS)
    check_scenes(load_mask_folder(tmp_path))


def test_a_label_called_ignored_is_void_which_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cvat(tmp_path)
    file = tmp_path / "labelmap.txt"
    file.write_text(file.read_text() + "ignored:224,224,192::\n")
    pictures = load_mask_folder(tmp_path)
    check_scenes(pictures)
    assert pictures.labels == LABELS and "left out the label ignored" in capsys.readouterr().err


def test_labelmes_first_name_may_be_ignore(tmp_path: Path) -> None:
    labelme(tmp_path)
    write(tmp_path / "class_names.txt", "__ignore__\n_background_\ncar\ntree\n")
    pictures = load_mask_folder(tmp_path)
    check_scenes(pictures)
    assert pictures.labels == ("_background_", "car", "tree")


def test_roboflows_numbers_are_those_that_its_list_says(tmp_path: Path) -> None:
    roboflow(tmp_path)
    number = {0: 7, 1: 0, 2: 255}
    for part in ("train", "valid"):
        lines = [f"{number[index]}, {label}" for index, label in enumerate(LABELS)]
        write(tmp_path / part / "_classes.csv", "\ufeffPixel Value, Class\r\n" + "\r\n".join(lines) + "\r\n\r\n")
        for file in (tmp_path / part).glob("*_mask.png"):
            mask = np.array(Image.open(file))
            save(np.vectorize({**number, VOID: 7}.get)(mask).astype(np.uint8), file)
    pictures = load_mask_folder(tmp_path)
    masks = {picture.tobytes(): mask for picture, mask in SCENES}
    assert pictures.labels == LABELS
    for source, truth in zip(pictures.train.sources, pictures.train.truths, strict=True):
        assert np.array_equal(truth, masks[source.tobytes()] % VOID)


def test_labels_that_no_mask_shows_and_pictures_on_both_sides_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    roboflow(tmp_path)
    for part in ("train", "valid"):
        file = tmp_path / part / "_classes.csv"
        file.write_text(file.read_text() + "3, bus\n")
    save(SCENES[0][0], tmp_path / "valid" / "again.png")
    save(SCENES[0][1], tmp_path / "valid" / "again_mask.png")
    load_mask_folder(tmp_path)
    said = capsys.readouterr().err
    assert "no mask to learn from shows 1 label of 4: bus" in said
    assert "1 of 3 pictures to validate by are learned from, too" in said


def cityscapes(root: Path) -> None:
    save(SCENES[0][0], root / "leftImg8bit" / "train" / "ulm" / "ulm_0_leftImg8bit.png")
    save(SCENES[0][1], root / "gtFine" / "train" / "ulm" / "ulm_0_gtFine_labelIds.png")


def ade20k(root: Path) -> None:
    for part in ("training", "validation"):
        save(SCENES[0][0], root / "ADEChallengeData2016" / "images" / part / "ADE_0.png")
        save(SCENES[0][1], root / "ADEChallengeData2016" / "annotations" / part / "ADE_0.png")
    write(root / "ADEChallengeData2016" / "objectInfo150.txt", "Idx\tRatio\tTrain\tVal\tStuff\tName\n")


def carvana(root: Path) -> None:
    save(SCENES[0][0], root / "train" / "a.jpg")
    save(SCENES[0][1], root / "train_masks" / "a_mask.gif")


def camvid(root: Path) -> None:
    for part in ("train", "val"):
        save(SCENES[0][0], root / part / "a.png")
        save(SCENES[0][0], root / f"{part}_labels" / "a_L.png")
    write(root / "class_dict.csv", "name,r,g,b\n")


def cvats_camvid(root: Path) -> None:
    save(SCENES[0][0], root / "default" / "a.png")
    save(SCENES[0][0], root / "defaultannot" / "a.png")


def supervisely(root: Path) -> None:
    save(SCENES[0][0], root / "ds" / "img" / "a.png")
    write(root / "ds" / "ann" / "a.png.json", "{}")
    write(root / "meta.json", "{}")


def label_studio(root: Path) -> None:
    save(SCENES[0][1], root / "task-1-annotation-2-by-1-tag-car-0.png")


def labelme_json(root: Path) -> None:
    save(SCENES[0][0], root / "a.png")
    write(root / "a.json", '{"version": "5.0", "flags": {}, "shapes": []}')


def pets(root: Path) -> None:
    save(SCENES[0][0], root / "images" / "a.jpg")
    save(SCENES[0][1], root / "annotations" / "trimaps" / "a.png")


def without_pictures(root: Path) -> None:
    cvat(root)
    (root / "JPEGImages").rename(root.parent / "elsewhere")


def coco(root: Path) -> None:
    save(SCENES[0][0], root / "train" / "a.jpg")
    write(root / "train" / "_annotations.coco.json", "{}")


def two_vocs(root: Path) -> None:
    voc(root)
    voc(root / "VOCdevkit" / "other")
    (root / "VOCdevkit" / "other" / "VOCdevkit" / "VOC2012").rename(root / "VOCdevkit" / "VOC2007")


OTHERS = (
    (cityscapes, "Cityscapes", "labelTrainIds"),
    (ade20k, "ADE20K", "subtract 1"),
    (carvana, "masks in a folder beside", "labels.txt"),
    (camvid, "CamVid", "labelmap.txt"),
    (cvats_camvid, "masks in a folder beside", "labels.txt"),
    (supervisely, "Supervisely", "labels.txt"),
    (label_studio, "Label Studio", "join"),
    (labelme_json, "labelme's JSON", "labelme2voc"),
    (pets, "masks in a folder of another name", "rename it masks"),
    (without_pictures, "SegmentationClass without JPEGImages", "with its pictures"),
    (coco, "a COCO data set", "--task detection"),
    (two_vocs, "VOC2007, VOC2012", "name one"),
)


@pytest.mark.parametrize(("lay", "found", "hint"), OTHERS)
@pytest.mark.parametrize("wrapped", ["", "unpacked"])
def test_masks_in_other_layouts_are_refused_by_name(
    tmp_path: Path, lay: Callable[[Path], None], found: str, hint: str, wrapped: str
) -> None:
    root = tmp_path / "set" / wrapped
    lay(root)
    with pytest.raises(DataError) as caught:
        load_mask_folder(tmp_path / "set")
    assert found in caught.value.message and hint in caught.value.hint


@pytest.mark.parametrize("lay", [plain, voc, roboflow])
def test_a_classifier_is_told_that_its_pictures_have_masks(tmp_path: Path, lay: Callable[[Path], None]) -> None:
    lay(tmp_path)
    with pytest.raises(DataError, match=r"masks.*--task segmentation"):
        load_folder(tmp_path)


def test_every_colour_of_a_labelmap_is_its_own(tmp_path: Path) -> None:
    cvat(tmp_path)
    file = tmp_path / "labelmap.txt"
    file.write_text(file.read_text() + f"bus:{','.join(map(str, COLOURS[1]))}::\n")
    with pytest.raises(DataError, match=r"labelmap\.txt, found 128,0,64 for bus and label car"):
        load_mask_folder(tmp_path)
