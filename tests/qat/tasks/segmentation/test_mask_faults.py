"""Faulty entries of pictures with masks: read right, left out with a word, or refused by their name."""

import random
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mobile_sdk.errors import DataError
from mobile_sdk.tasks.segmentation import VOID
from qat.data.masks.folder import load_mask_folder
from qat.data.masks.pictures import SegmentationPictures
from tests.support.pictures.mask_exporters import EXPORTERS, LABELS, SCENES, check_scenes, save, save_colours, write
from tests.support.pictures.png_writer import CHANNELS, GREY, GREY_ALPHA, PALETTE, RGB, RGBA, write_png

MASKS = {"plain": "masks", "voc": "VOCdevkit/VOC2012/SegmentationClass", "cvat": "SegmentationClass"}
MASKS |= {"labelme": "SegmentationClassPNG", "labelme_5": "SegmentationClass", "roboflow": "train"}
PICTURES = {"plain": "images", "voc": "VOCdevkit/VOC2012/JPEGImages", "roboflow": "train"}
LISTS = {"plain": "labels.txt", "cvat": "labelmap.txt", "labelme": "class_names.txt", "roboflow": "train/_classes.csv"}


def mask_of(root: Path, exporter: str) -> Path:
    """The mask of the scene 0."""
    name = "a_png.rf.0123456789abcdef_mask.png" if exporter == "roboflow" else "a.png"
    return root / MASKS[exporter] / name


def picture_of(root: Path, exporter: str) -> Path:
    name = mask_of(root, exporter).name.replace("_mask", "")
    return root / PICTURES.get(exporter, "JPEGImages") / name


def refused(root: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        load_mask_folder(root)
    assert caught.value.message.isprintable() and caught.value.hint
    return caught.value


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(
    ("depth", "colour_type", "transparency"),
    [
        *((depth, GREY, b"") for depth in (2, 4, 8, 16)),
        *((depth, PALETTE, b"") for depth in (2, 4, 8)),
        (4, GREY, b"\0\1"),
        (8, GREY, b"\0\0"),
        (8, PALETTE, b"\0\xff\x80"),
        (2, PALETTE, b"\0"),
    ],
)
@pytest.mark.parametrize("exporter", ["plain", "voc", "labelme", "roboflow"])
def test_numbers_of_every_depth_are_those_that_the_file_stores(
    tmp_path: Path, exporter: str, depth: int, colour_type: int, transparency: bytes, interlaced: bool
) -> None:
    EXPORTERS[exporter](tmp_path)
    if exporter == "voc":
        write(tmp_path / "VOCdevkit" / "VOC2012" / "labels.txt", "\n".join(LABELS))  # else its colours count
    mask = SCENES[0][1] if depth >= 8 else np.where(SCENES[0][1] == VOID, 0, SCENES[0][1])
    write_png(mask_of(tmp_path, exporter), mask, depth, colour_type, interlaced=interlaced, transparency=transparency)
    pictures = load_mask_folder(tmp_path)
    truths = {
        source.tobytes(): truth
        for part in (pictures.train, pictures.validation)
        for source, truth in zip(part.sources, part.truths, strict=True)
    }
    assert np.array_equal(truths[SCENES[0][0].tobytes()], mask)


@pytest.mark.parametrize("colour_type", [GREY, PALETTE])
def test_one_bit_says_the_first_two_labels(tmp_path: Path, colour_type: int) -> None:
    for index, (picture, mask) in enumerate(SCENES):
        save(picture, tmp_path / "images" / f"{index}.png")
        write_png(tmp_path / "masks" / f"{index}.png", mask == 1, 1, colour_type)
    write(tmp_path / "labels.txt", "ground\nsquare\n")
    pictures = load_mask_folder(tmp_path)
    masks = {picture.tobytes(): mask == 1 for picture, mask in SCENES}
    for source, truth in zip(pictures.train.sources, pictures.train.truths, strict=True):
        assert np.array_equal(truth, masks[source.tobytes()])


def check_scenes_but_first(pictures: SegmentationPictures) -> None:
    """The first scene's mask is all background, the others are theirs."""
    masks = {picture.tobytes(): mask for picture, mask in SCENES[1:]}
    for part in (pictures.train, pictures.validation):
        for source, truth in zip(part.sources, part.truths, strict=True):
            assert np.array_equal(truth, masks.get(source.tobytes(), np.zeros_like(truth)))


@pytest.mark.parametrize("exporter", ["cvat", "voc"])
def test_a_palette_that_does_not_hold_a_number_is_refused(tmp_path: Path, exporter: str) -> None:
    EXPORTERS[exporter](tmp_path)
    file = mask_of(tmp_path, exporter)
    write_png(file, SCENES[0][1], 8, PALETTE)
    content = file.read_bytes()
    start = content.index(b"PLTE")
    short = content[start : start + 4 + 3 * 2]
    chunk = (6).to_bytes(4, "big") + short + zlib.crc32(short).to_bytes(4, "big")
    file.write_bytes(content[: start - 4] + chunk + content[start + 4 + 3 * 256 + 4 :])
    assert "a.png, found no PNG that decodes" in refused(tmp_path).message


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize(
    ("depth", "colour_type"), [(8, GREY_ALPHA), (8, RGBA), (16, RGB), (16, GREY_ALPHA), (16, RGBA), (8, RGB)]
)
def test_what_is_no_number_a_pixel_is_refused(tmp_path: Path, exporter: str, depth: int, colour_type: int) -> None:
    EXPORTERS[exporter](tmp_path)
    file = mask_of(tmp_path, exporter)
    write_png(file, np.zeros((10, 12, CHANNELS[colour_type]), np.uint16), depth, colour_type)
    if exporter in {"cvat", "voc"} and (depth, colour_type) == (8, RGB):
        check_scenes_but_first(load_mask_folder(tmp_path))  # black is the background's colour
        return
    error = refused(tmp_path)
    assert file.name in error.message and "found mode" in error.message


def jpeg(file: Path) -> None:
    Image.fromarray(SCENES[0][1]).save(file.with_suffix(".jpg"))
    file.unlink()


def jpeg_called_png(file: Path) -> None:
    Image.fromarray(SCENES[0][1]).save(file, format="JPEG")


def another_size(file: Path) -> None:
    save(np.zeros((10, 13), np.uint8), file)


def turned(file: Path) -> None:
    save(np.zeros((12, 10), np.uint8), file)


def beyond(file: Path) -> None:
    save(np.full((10, 12), 77, np.uint8), file)


def wide(file: Path) -> None:
    write_png(file, np.full((10, 12), 65535), 16)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:60])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def folder_instead(file: Path) -> None:
    file.unlink()
    file.mkdir()


def gone(file: Path) -> None:
    file.unlink()


MASK_FAULTS = {
    jpeg: "mask",
    jpeg_called_png: "no PNG",
    another_size: "13 × 10",
    turned: "10 × 12",
    beyond: "found 77",
    wide: "found 65535",
    cut: "no PNG",
    empty: "no PNG",
    gone: "mask",
    folder_instead: "mask",
}


@pytest.mark.parametrize("fault", MASK_FAULTS)
@pytest.mark.parametrize("exporter", ["plain", "voc", "roboflow", "cvat", "labelme"])
def test_a_mask_that_is_wrong_is_refused_by_its_name(
    tmp_path: Path, exporter: str, fault: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    EXPORTERS[exporter](tmp_path)
    file = mask_of(tmp_path, exporter)
    fault(file)
    if exporter in {"cvat", "labelme"} and not file.is_file():  # where pictures may have no mask
        check_scenes(load_mask_folder(tmp_path), 4)
        assert "left out 1 picture" in capsys.readouterr().err
        return
    error = refused(tmp_path)
    assert MASK_FAULTS[fault] in error.message and (file.stem in error.message or " a of " in error.message)


def damaged(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:200])


def narrow(file: Path) -> None:
    save(np.zeros((1, 200, 3), np.uint8), file)


def twice(file: Path) -> None:
    save(SCENES[1][0], file.with_suffix(".bmp"))


def in_other_letters(file: Path) -> None:
    save(SCENES[1][0], file.with_name(file.name.upper()))


@pytest.mark.parametrize("fault", [damaged, empty, narrow, twice, in_other_letters])
@pytest.mark.parametrize("exporter", EXPORTERS)
def test_a_picture_that_is_wrong_is_refused_by_its_name(
    tmp_path: Path, exporter: str, fault: Callable[[Path], None]
) -> None:
    EXPORTERS[exporter](tmp_path)
    file = picture_of(tmp_path, exporter)
    fault(file)
    assert file.stem.lower() in refused(tmp_path).message.lower()


LABEL_FAULTS = {
    "twice": (lambda names: [*names, names[1]], "car more than once"),
    "blank between": (lambda names: [names[0], "", *names[1:]], ""),
    "control character": (lambda names: [*names, "b\x07us"], "control characters"),
    "end of a line": (lambda names: [*names, "b\u2028us"], "control characters"),
    "too long": (lambda names: [*names, "x" * 300], "of 300 letters"),
    "too many": (lambda names: [*names, *(f"label {index}" for index in range(300))], ""),
    "too few": (lambda names: names[:1], "found 1"),
    "none": (lambda names: [], ""),
}


def as_lines(exporter: str, names: list[str]) -> list[str]:
    if exporter == "cvat":
        return [f"{name}:{index // 256},{index % 256},9::" if name else "" for index, name in enumerate(names)]
    if exporter == "roboflow":
        return ["Pixel Value, Class", *(f"{index}, {name}" for index, name in enumerate(names))]
    return names


@pytest.mark.parametrize("fault", LABEL_FAULTS)
@pytest.mark.parametrize("exporter", LISTS)
def test_labels_that_are_wrong_are_refused_by_file_and_label(tmp_path: Path, exporter: str, fault: str) -> None:
    EXPORTERS[exporter](tmp_path)
    change, expected = LABEL_FAULTS[fault]
    text = "\n".join(as_lines(exporter, change(list(LABELS))))
    for file in tmp_path.rglob(Path(LISTS[exporter]).name):
        write(file, text)
    if (exporter, fault) == ("cvat", "blank between"):
        assert "png, found 128,0,64 at" in refused(tmp_path).message  # a blank line is none; colours are others
        return
    error = refused(tmp_path)
    assert expected in error.message and (Path(LISTS[exporter]).name in error.message), error


@pytest.mark.parametrize("exporter", LISTS)
@pytest.mark.parametrize("content", [b"\xff\xfeq", b"caf\xe9\n", b"a\0b\n", b"\xff\xfe\0\0c\0\0\0"])
def test_a_list_that_is_no_text_is_refused_by_its_name(tmp_path: Path, exporter: str, content: bytes) -> None:
    EXPORTERS[exporter](tmp_path)
    for file in tmp_path.rglob(Path(LISTS[exporter]).name):
        file.write_bytes(content)
    assert Path(LISTS[exporter]).name in refused(tmp_path).message


@pytest.mark.parametrize("exporter", LISTS)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\n\r\n", "\n \n\n"])
def test_a_list_is_read_as_editors_leave_it(tmp_path: Path, exporter: str, encoding: str, end: str) -> None:
    EXPORTERS[exporter](tmp_path)
    for file in tmp_path.rglob(Path(LISTS[exporter]).name):
        lines = [f"  {line}\t" if exporter != "roboflow" else line for line in file.read_text().splitlines()]
        file.write_bytes(((end[:2] if "\r" in end else "\n").join(lines) + end).encode(encoding))
    pictures = load_mask_folder(tmp_path)
    check_scenes(pictures)
    assert pictures.labels == LABELS


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bus", "line 5 of"),
        ("bus:1,2::", "line 5 of"),
        ("bus:1,2,256::", "line 5 of"),
        ("bus:::", "line 5 of"),
        ("bus:-1,2,3::", "line 5 of"),
        (":1,2,3::", "label 4 blank"),
    ],
)
def test_a_labelmaps_line_that_is_wrong_is_named(tmp_path: Path, line: str, expected: str) -> None:
    EXPORTERS["cvat"](tmp_path)
    file = tmp_path / "labelmap.txt"
    write(file, file.read_text() + line)
    assert expected in refused(tmp_path).message


@pytest.mark.parametrize("row", ["x, bus", "1, bus", "256, bus", "-1, bus", "3", "3, bus, 4", "3.5, bus", "3, ", "²,b"])
def test_a_row_of_roboflows_classes_that_is_wrong_is_named(tmp_path: Path, row: str) -> None:
    EXPORTERS["roboflow"](tmp_path)
    for part in ("train", "valid"):
        file = tmp_path / part / "_classes.csv"
        write(file, file.read_text() + row)
    assert "_classes.csv" in refused(tmp_path).message


def test_other_classes_in_validation_are_refused(tmp_path: Path) -> None:
    EXPORTERS["roboflow"](tmp_path)
    file = tmp_path / "valid" / "_classes.csv"
    write(file, file.read_text().replace("tree", "bush"))
    assert "the same classes" in refused(tmp_path).message


@pytest.mark.parametrize(
    ("name", "entries", "expected"),
    [
        ("train", "a\nb\na", "train.txt, found a twice"),
        ("val", "d\na", "found in both: a"),
        ("train", "a\nzebra", "for zebra of"),
        ("train", "a\n../JPEGImages/b", "for ../JPEGImages/b of"),
        ("train", "a.png", "for a.png of"),
        ("train", "boxes_only", "for boxes_only of"),
        ("train", "", "train.txt, found none"),
        ("val", "\n\n", "val.txt, found none"),
    ],
)
def test_an_entry_of_a_list_that_is_wrong_is_named(tmp_path: Path, name: str, entries: str, expected: str) -> None:
    EXPORTERS["voc"](tmp_path)
    write(tmp_path / "VOCdevkit/VOC2012/ImageSets/Segmentation" / f"{name}.txt", entries)
    assert expected in refused(tmp_path).message


@pytest.mark.parametrize("exporter", ["plain", "voc", "labelme", "roboflow", "cvat"])
def test_masks_of_0_and_255_alone_are_refused_with_a_hint(tmp_path: Path, exporter: str) -> None:
    EXPORTERS[exporter](tmp_path)
    for file in (tmp_path / MASKS[exporter]).glob("*_mask.png" if exporter == "roboflow" else "*.png"):
        save(np.where(np.array(Image.open(file).convert("L")) > 0, 255, 0).astype(np.uint8), file)
    error = refused(tmp_path)
    assert "only that and void, 255, in all" in error.message and "write its label's number" in error.hint


def masks_by_picture(root: Path, exporter: str) -> dict[bytes, Path]:
    """The mask's file of every picture, by the picture's pixels."""
    found = {}
    for part in ("train", "valid") if exporter == "roboflow" else ("",):
        places = (root / part, root / part) if part else (picture_of(root, exporter).parent, root / MASKS[exporter])
        for mask in places[1].glob("*_mask.png" if part else "*.png"):
            picture = places[0] / mask.name.replace("_mask", "")
            found[np.array(Image.open(picture)).tobytes()] = mask
    return found


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("part", ["train", "validation"])
def test_void_alone_is_refused(tmp_path: Path, exporter: str, part: str) -> None:
    EXPORTERS[exporter](tmp_path)
    masks = masks_by_picture(tmp_path, exporter)
    for source in getattr(load_mask_folder(tmp_path), part).sources:
        draw = save_colours if exporter == "cvat" else save
        draw(np.full((10, 12), VOID, np.uint8), masks[source.tobytes()])
    error = refused(tmp_path)
    assert "void alone in all" in error.message and ("learn" if part == "train" else "validate") in error.message


def test_some_masks_of_void_or_of_0_and_255_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    EXPORTERS["plain"](tmp_path)
    learned = [masks_by_picture(tmp_path, "plain")[each.tobytes()] for each in load_mask_folder(tmp_path).train.sources]
    save(np.full((10, 12), VOID, np.uint8), learned[0])
    save(np.where(SCENES[0][1] == 1, 255, 0).astype(np.uint8), learned[1])
    load_mask_folder(tmp_path)
    said = capsys.readouterr().err
    assert f"1 mask of 4 to learn from hold void alone: {learned[0].name}" in said
    assert f"1 mask to learn from show background and void, 255, alone: {learned[1].name}" in said


def mutate(root: Path, rng: random.Random) -> None:
    """Changes one file of the folder as accidents do."""
    file = rng.choice(sorted(path for path in root.rglob("*") if path.is_file()))
    content, kind = file.read_bytes(), rng.randrange(8)
    place = rng.randrange(len(content) + 1)
    if kind == 0:
        file.unlink()
    elif kind == 1:
        file.write_bytes(content[:place])
    elif kind == 2 and content:
        file.write_bytes(content[: place - 1] + bytes([rng.randrange(256)]) + content[place:])
    elif kind == 3:
        file.rename(file.with_name(rng.choice((file.name.upper(), "x" + file.name, file.stem + ".jpg", file.stem))))
    elif kind == 4:
        file.with_name(rng.choice(("copy of " + file.name, file.name.upper(), file.stem + ".bmp"))).write_bytes(content)
    elif kind == 5:
        file.write_bytes(rng.choice((b"", b"\n", b"\xff", b"1, 2\n", content + content, content.swapcase())))
    elif kind == 6:
        other = rng.choice(sorted(path for path in root.rglob("*") if path.is_file()))
        file.write_bytes(other.read_bytes())
    else:
        lines = content.split(b"\n")
        rng.shuffle(lines)
        file.write_bytes(b"\n".join(lines))


def read_or_refused(root: Path) -> tuple[SegmentationPictures | None, DataError | None]:
    try:
        return load_mask_folder(root), None
    except DataError as error:
        return None, error


@pytest.mark.parametrize("exporter", EXPORTERS)
@settings(max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_a_folder_with_accidents_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, exporter: str, seed: int
) -> None:
    rng, root = random.Random(seed), tmp_path_factory.mktemp("accidents")
    EXPORTERS[exporter](root)
    for _ in range(rng.randint(1, 3)):
        mutate(root, rng)
    pictures, refusal = read_or_refused(root)
    if refusal:
        assert refusal.message.startswith("expected") or ": expected" in refusal.message
        assert refusal.message.isprintable() and len(refusal.message) < 600 and refusal.hint
        return
    assert isinstance(pictures, SegmentationPictures)
    for part in (pictures.train, pictures.validation):
        assert len(part)
        for source, truth in zip(part.sources, part.truths, strict=True):
            assert source.shape[:2] == truth.shape and truth.dtype == np.uint8
            assert ((truth < len(pictures.labels)) | (truth == VOID)).all()
