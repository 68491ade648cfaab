"""Random folders of pictures are loaded right, or refused in one line; no picture file is lost without a word."""

import io
import os
import random
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mobile_sdk.contract import ImageSpec
from qat.data import pictures as data
from qat.data.boxes.folder import load_box_folder
from qat.data.boxes.formats.coco import load_coco_folder
from qat.data.folders.listing import PICTURE_SUFFIXES
from qat.data.masks.folder import load_mask_folder
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures, folder_labels, has_labels, load_folder, load_labelled, load_unlabelled
from tests.support.pictures.folders import loaded_or_refused

SPEC = ImageSpec(size_px=8)
LABELS = (
    "cat",
    "Dog",
    "a b",
    "nai\u0308ve",
    "名前",
    "it's",
    'q"uote',
    "new\nline",
    "2",
    "10",
    "class_2",
    "class_10",
    "%s{x}",
)
SPLITS = ("train", "Val", "test", "valid", "Training", "test_set", "seg_train", "train2017", "DEV")
OTHERS = ("images", "masks", "labels", "annotations", "Annotations", "JPEGImages", "unpacked", "$HOME", "-rf", "\udcff")
HIDDEN = (".hidden", "__MACOSX", ".ipynb_checkpoints")
FILES = ("notes.txt", "clip.MOV", "labels.csv", "annotations.json", "photos.zip", "0.xml", "labels.txt", "data.yaml")
MODES = {"png": ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"), "jpg": ("RGB", "L", "CMYK"), "tif": ("RGB", "CMYK", "L")}


def picture(rng: random.Random) -> tuple[str, bytes]:
    """The suffix and content of a picture file, mostly whole."""
    suffix = rng.choice(("png", "jpg", "tif", "webp", "bmp", "gif"))
    mode = rng.choice(MODES.get(suffix, ("RGB",)))
    size = rng.choice(((1, 1), (9, 7), (20, 3), (12, 12)))
    pixels = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (*size[::-1], 3), np.uint8)
    drawn = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = rng.randint(0, 9)
    stream = io.BytesIO()
    settings = {} if suffix in {"bmp", "gif"} or mode == "I;16" else {"exif": exif}
    (drawn if mode == "I;16" else drawn.convert(mode)).save(
        stream, format={"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()), **settings
    )
    content = stream.getvalue()
    damage = rng.random()
    if damage < 0.02:
        content = b""
    elif damage < 0.04:
        content = content[: len(content) // 2]
    elif damage < 0.06:
        content = b"no picture"
    return rng.choice((suffix, suffix.upper(), suffix, "jpeg")), content


def lay(folder: Path, rng: random.Random, depth: int) -> None:
    """Fills `folder` with pictures, other files, and folders down to `depth`."""
    folder.mkdir(parents=True, exist_ok=True)
    if depth:
        kind = rng.choice((LABELS, LABELS, LABELS, LABELS, LABELS, SPLITS, OTHERS))
        for name in rng.sample(kind, rng.randint(1, min(4, len(kind)))):
            lay(folder / name, rng, depth - 1)
    if rng.random() < 0.1:
        lay(folder / rng.choice((*HIDDEN, *SPLITS, *OTHERS, *LABELS)), rng, 0)
    if not depth or rng.random() < 0.1:
        for number in range(rng.choice((0, 2, 5, 5, 5, 5))):
            suffix, content = picture(rng)
            (folder / f"{rng.choice(('', 'é ', 'it ', '.'))}{number}.{suffix}").write_bytes(content)
    if rng.random() < 0.1:
        (folder / rng.choice(FILES)).write_bytes(b"")
    if rng.random() < 0.01:
        (folder / "gone.png").symlink_to("nowhere")
    if rng.random() < 0.01:
        os.mkfifo(folder / "pipe.jpg")


def picture_files(root: Path) -> set[str]:
    """All picture files that are not hidden, relative to the root."""
    found = set()
    for place, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__MACOSX"]
        shown = [Path(place, name) for name in names if not name.startswith(".")]
        found |= {file.relative_to(root).as_posix() for file in shown if file.suffix.lower() in PICTURE_SUFFIXES}
    return found


def check_whole(root: Path, pictures: Pictures) -> None:
    """Every picture file is in one part, or named; bytes can be made of all, and labels are their folders'."""
    taken = []
    for part in (pictures.train, pictures.validation):
        assert len(part) and part.bytes(SPEC).shape == (len(part), 8, 8, 3)
        for source, target in zip(part.sources, part.targets, strict=True):
            assert isinstance(source, Path)
            taken.append(source.relative_to(root).as_posix())
            names = {unicodedata.normalize("NFC", name) for name in source.relative_to(root).parent.parts}
            assert unicodedata.normalize("NFC", pictures.labels[target]) in names
    files = picture_files(root)
    folders = [name for name in pictures.left_out if name.endswith("/")]
    named = {name for name in files if any(name.startswith(folder) for folder in folders)}
    named |= {*pictures.left_out, *pictures.unreadable} & files
    assert len(taken) == len(set(taken)) and not named & set(taken)
    assert named | set(taken) == files


def known(root: Path) -> Pictures:
    return load_labelled(root, LABELS)


def unlabelled(root: Path) -> None:
    found: PictureSet = load_unlabelled(root)
    assert found.bytes(SPEC).shape == (len(found), 8, 8, 3)


def asked(root: Path) -> None:
    assert isinstance(has_labels(root, LABELS), bool)
    assert len(set(folder_labels(root))) == len(folder_labels(root))


@pytest.mark.parametrize(
    "load", [load_folder, known, unlabelled, asked, load_coco_folder, load_box_folder, load_mask_folder]
)
@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), is_patient=st.booleans())
def test_a_random_folder_is_loaded_whole_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, load: Callable[[Path], object], seed: int, is_patient: bool
) -> None:
    rng = random.Random(seed)
    root = tmp_path_factory.mktemp("random") / rng.choice(("pets", "new\nline", "train"))
    lay(root, rng, rng.randint(0, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "MAX_UNREADABLE_SHARE", 1.0 if is_patient else 0.01)
        found = loaded_or_refused(load, root)
    if isinstance(found, Pictures):
        check_whole(root, found)
