"""Pictures with masks of a folder: `images/NAME.jpg` or `.png`, `masks/NAME.png`, and `labels.txt`.

A mask is PASCAL VOC's: a PNG, grey or with a palette, whose numbers are label indices, 255 for void.
"""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from mobile_sdk.errors import DataError
from mobile_sdk.masks import VOID, Masks
from mobile_sdk.preprocess import open_picture, upright_rgb
from qat.progress import map_in_threads
from qat.segmentation.pictures import SegmentationPictures, SegmentationSet

LABELS, PICTURES, MASKS = "labels.txt", "images", "masks"
VALIDATION_SHARE = 0.2
_HINT = f"lay them out as DIR/{PICTURES}/NAME.jpg, DIR/{MASKS}/NAME.png and DIR/{LABELS}, a label a line"


def load_mask_folder(path: Path | str) -> SegmentationPictures:
    """The pictures of `path/images` and their masks, a fifth held out by a hash of their names.

    They are decoded and kept in memory. DataError: a part is missing, fewer than two pictures, a picture without a
    mask, a mask of another size, in colours, or with a number that is no label's.
    """
    root = Path(path)
    labels = _labels(root)
    files = sorted(file for file in _entries(root / PICTURES) if file.suffix.lower() in {".jpg", ".jpeg", ".png"})
    if len(files) < 2:
        raise DataError(f"expected two pictures or more in {root / PICTURES}, found {len(files)}", hint=_HINT)
    ranked = sorted(files, key=lambda file: hashlib.sha256(file.name.encode()).digest())
    count = max(1, round(len(ranked) * VALIDATION_SHARE))
    train, validation = (_part(root, part, len(labels)) for part in (ranked[count:], ranked[:count]))
    return SegmentationPictures(train=train, validation=validation, labels=labels)


def _labels(root: Path) -> tuple[str, ...]:
    try:
        return tuple((root / LABELS).read_text(encoding="utf-8").splitlines())
    except OSError as error:
        raise DataError(f"expected {LABELS} in {root}, found {error.strerror}", hint=_HINT) from error


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"expected a folder {folder.name} in {folder.parent}, found none", hint=_HINT)
    return list(folder.iterdir())


def _part(root: Path, files: list[Path], labels: int) -> SegmentationSet:
    def decode(file: Path) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], Masks]:
        picture = np.asarray(upright_rgb(open_picture(file)), np.uint8)
        return picture, _mask(root / MASKS / f"{file.stem}.png", picture.shape[:2], labels)

    pairs = map_in_threads(decode, files, what="decoding pictures")
    return SegmentationSet(sources=tuple(picture for picture, _ in pairs), truths=tuple(mask for _, mask in pairs))


def _mask(file: Path, shape: tuple[int, ...], labels: int) -> Masks:
    try:
        with Image.open(file, formats=["PNG"]) as opened:
            mode, mask = opened.mode, np.array(opened)
    except OSError as error:
        raise DataError(f"expected a mask at {file}, found {error.strerror or 'no PNG'}", hint=_HINT) from error
    if mode not in {"L", "P"} or mask.shape != shape:
        found = f"mode {mode}, {mask.shape[1]} × {mask.shape[0]}"
        raise DataError(
            f"expected a mask of one byte a pixel, {shape[1]} × {shape[0]} px, in {file}, found {found}", hint=_HINT
        )
    wrong = mask[(mask >= labels) & (mask != VOID)]
    if wrong.size:
        raise DataError(f"expected labels 0 to {labels - 1}, or {VOID}, in {file}, found {wrong.max()}", hint=_HINT)
    return mask.astype(np.uint8)
