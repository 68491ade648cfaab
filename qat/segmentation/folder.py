"""Pictures with masks of a folder: `images/NAME.jpg`, `masks/NAME.png`, and `labels.txt`.

A mask is PASCAL VOC's: a PNG, grey or with a palette, whose numbers are label indices, 255 for void. Where a picture
says an orientation, its mask is that of the upright picture, as labelling tools show it, unless its sides are those of
the stored one.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.arguments import expect_path
from mobile_sdk.errors import DataError
from mobile_sdk.masks import VOID, Masks
from mobile_sdk.preprocess import open_picture, open_stored_picture
from mobile_sdk.regular_file import read_regular
from qat.annotated_folders import check_sides
from qat.held_out import in_bytes
from qat.progress import map_in_threads
from qat.segmentation.mask_layout import HINT, LABELS, Masked, find_masks
from qat.segmentation.pictures import SegmentationPictures, SegmentationSet

VALIDATION_SHARE = 0.2


def load_mask_folder(path: Path | str) -> SegmentationPictures:
    """The pictures of a folder and their masks.

    `qat.segmentation.mask_layout` says where they may lie. Where training and validation are not parted, a fifth is
    held out by a hash of the names. They are decoded and kept in memory. DataError: a part is missing, fewer than two
    pictures, one that is too narrow or has no mask, a mask of another size, in colours, or with a number of no label.
    """
    expect_path("path", path)
    home, places = find_masks(Path(path))
    labels = _labels(home)
    groups = [each.pictures for each in places] if len(places) == 2 else _held_out(places[0])
    train, validation = (
        _part(files, each.masks, len(labels)) for files, each in zip(groups, (places * 2)[:2], strict=True)
    )
    return SegmentationPictures(train=train, validation=validation, labels=labels)


def _labels(root: Path) -> tuple[str, ...]:
    try:
        return tuple(read_regular(root / LABELS).decode("utf-8-sig").splitlines())
    except OSError as error:
        raise DataError(f"expected {LABELS} in {root}, found {error.strerror}", hint=HINT) from error
    except UnicodeDecodeError as error:
        raise DataError(f"expected {LABELS} in {root} in UTF-8, found other bytes", hint="save it as UTF-8") from error


def _held_out(place: Masked) -> list[list[Path]]:
    """To learn from, and a fifth to validate by."""
    if len(place.pictures) < 2:
        raise DataError(f"expected two pictures or more in {place.place}, found {len(place.pictures)}", hint=HINT)
    ranked = sorted(place.pictures, key=lambda file: hashlib.sha256(in_bytes(file.name)).digest())
    count = max(1, round(len(ranked) * VALIDATION_SHARE))
    return [ranked[count:], ranked[:count]]


def _part(files: Sequence[Path], masks: Path, labels: int) -> SegmentationSet:
    def decode(file: Path) -> tuple[NDArray[np.uint8], Masks]:
        picture = open_picture(file)
        check_sides(file, *picture.size)
        mask_file = masks / f"{file.stem}.png"
        mask = _mask(mask_file)
        if mask.shape == picture.size != picture.size[::-1]:  # numpy's order is rows, columns
            stored = open_stored_picture(file)
            picture = stored if stored.size == mask.shape[::-1] else picture
        _check_mask(mask, mask_file, picture.size, labels)
        return np.asarray(picture, np.uint8), mask

    pairs = map_in_threads(decode, files, what="decoding pictures")
    return SegmentationSet(sources=tuple(picture for picture, _ in pairs), truths=tuple(mask for _, mask in pairs))


def _mask(file: Path) -> Masks:
    """The numbers of a mask, row by row."""
    try:
        if file.exists() and not file.is_file():
            raise OSError("no regular file")
        with Image.open(file, formats=["PNG"]) as opened:
            mask = np.array(opened)
            mode = opened.mode
    except Exception as error:  # decoders of damaged files raise anything from SyntaxError to struct.error
        found = getattr(error, "strerror", None) or "no PNG"
        raise DataError(f"expected a mask at {file}, found {found}", hint=HINT) from error
    if mode not in {"L", "P"}:
        raise DataError(
            f"expected a mask of one byte a pixel in {file}, found mode {mode}, {mask.shape[1]} × {mask.shape[0]}",
            hint=HINT,
        )
    return mask.astype(np.uint8)


def _check_mask(mask: Masks, file: Path, size: tuple[int, int], labels: int) -> None:
    if mask.shape != size[::-1]:
        raise DataError(
            f"expected a mask of {size[0]} × {size[1]} px, as its picture, in {file}, found {mask.shape[1]} × "
            f"{mask.shape[0]}",
            hint=HINT,
        )
    wrong = mask[(mask >= labels) & (mask != VOID)]
    if wrong.size:
        raise DataError(f"expected labels 0 to {labels - 1}, or {VOID}, in {file}, found {wrong.max()}", hint=HINT)
