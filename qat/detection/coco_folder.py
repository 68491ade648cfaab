"""Pictures with boxes of a folder in COCO's layout.

Format: https://cocodataset.org/#format-data, of which `images`, `categories` and `annotations` are read. Where pictures
say an orientation, boxes are those of the upright picture, as labelling tools show it (CVAT, Label Studio, labelme),
unless the annotations' `width` and `height` are the sides of the stored one, which pycocotools and torchvision read.
"""

import hashlib
from collections import defaultdict
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from mobile_sdk.arguments import expect_path
from mobile_sdk.detections import Truth
from mobile_sdk.errors import DataError
from mobile_sdk.preprocess import open_picture, open_stored_picture
from mobile_sdk.regular_file import GIB, read_regular
from qat.annotated_folders import check_sides
from qat.detection.coco_layout import ANNOTATIONS, HINT, Annotated, find_annotations
from qat.detection.pictures import DetectionPictures, DetectionSet
from qat.held_out import in_bytes
from qat.picture_folder import counted, listed, read_folder
from qat.progress import map_in_threads, say

VALIDATION_SHARE = 0.2
Boxes = dict[int, list[tuple[list[float], int]]]
"""By picture, its boxes (left, top, right, bottom) and their labels' indices."""


class _Image(BaseModel):
    id: int
    file_name: str
    width: int | None = None
    height: int | None = None


class _Category(BaseModel):
    id: int
    name: str


class _Annotation(BaseModel):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]  # left, top, width, height
    iscrowd: int = 0


class _Annotations(BaseModel):
    images: list[_Image] = Field(min_length=1)
    categories: list[_Category] = Field(min_length=1)
    annotations: list[_Annotation]


def load_coco_folder(path: Path | str) -> DetectionPictures:
    """The pictures that a folder's annotations name; crowds are left out.

    `qat.detection.coco_layout` says where they may lie. Where training and validation are not parted, a fifth is held
    out by a hash of the names. Labels are the categories in the order of their identities. The pictures are decoded
    and kept in memory. DataError: no annotations, another format, a picture that is missing, does not decode or is too
    narrow, a category that is not listed, other categories in validation.
    """
    expect_path("path", path)
    root = Path(path)
    sources = find_annotations(root)
    read = [_read(source.annotations) for source in sources]
    for source, found in zip(sources, read, strict=True):
        _say_unnamed(source, found)
    labels = [_labels(each) for each in read]
    if labels[0] != labels[-1]:
        raise DataError(
            f"expected the same categories in all annotations in {root}, found others in {sources[-1].annotations}",
            hint="give the categories the same identities and names",
        )
    groups = [each.images for each in read] if len(read) == 2 else _held_out(read[0].images, root)
    parts = [
        _part(source.pictures, images, _boxes(annotations))
        for source, images, annotations in zip((sources * 2)[:2], groups, (read * 2)[:2], strict=True)
    ]
    return DetectionPictures(train=parts[0], validation=parts[1], labels=labels[0])


def _read(file: Path) -> _Annotations:
    try:
        return _Annotations.model_validate_json(read_regular(file, at_most=2 * GIB))
    except OSError as error:
        raise DataError(f"expected COCO's format in {file}, found {error.strerror}", hint=HINT) from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        raise DataError(f"expected COCO's format in {file}, found in {where}: {problem['msg']}", hint=HINT) from error


def _say_unnamed(source: Annotated, found: _Annotations) -> None:
    """Says which pictures are left out because the annotations do not name them."""
    named = {source.pictures / image.file_name for image in found.images}
    if rest := [file.name for file in read_folder(source.pictures).all_pictures() if file not in named]:
        say(f"left out {counted(len(rest), 'picture')} that {source.annotations.name} does not name: {listed(rest)}")


def _labels(found: _Annotations) -> tuple[str, ...]:
    return tuple(category.name for category in sorted(found.categories, key=lambda category: category.id))


def _held_out(images: list[_Image], root: Path) -> tuple[list[_Image], list[_Image]]:
    """To learn from, and a fifth to validate by."""
    if len(images) < 2:
        raise DataError(f"expected two pictures or more in {root}, found one", hint="one is held out to judge by")
    ranked = sorted(images, key=lambda image: hashlib.sha256(in_bytes(image.file_name)).digest())
    count = max(1, round(len(ranked) * VALIDATION_SHARE))
    return ranked[count:], ranked[:count]


def _boxes(found: _Annotations) -> Boxes:
    ordered = sorted(found.categories, key=lambda category: category.id)
    index = {category.id: position for position, category in enumerate(ordered)}
    boxes: Boxes = defaultdict(list)
    for each in found.annotations:
        if each.category_id not in index:
            raise DataError(f"expected a listed category in {ANNOTATIONS}, found {each.category_id}", hint=HINT)
        if not each.iscrowd:
            left, top, width, height = each.bbox
            boxes[each.image_id].append(([left, top, left + width, top + height], index[each.category_id]))
    return boxes


def _part(folder: Path, images: list[_Image], boxes: Boxes) -> DetectionSet:
    truths = []
    for image in images:
        rows = boxes.get(image.id, [])
        truths.append(
            Truth(
                boxes=np.array([box for box, _ in rows], np.float64).reshape(-1, 4),
                labels=np.array([label for _, label in rows], np.int64),
            )
        )
    sources = map_in_threads(lambda image: _decode(folder, image), images, what="decoding pictures")
    return DetectionSet(sources=tuple(sources), truths=tuple(truths))


def _decode(folder: Path, image: _Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The picture to which the boxes belong."""
    file = folder / image.file_name
    picture = open_picture(file)
    check_sides(file, *picture.size)
    said = (image.width, image.height)
    if said == picture.size[::-1] != picture.size:
        stored = open_stored_picture(file)
        picture = stored if stored.size == said else picture
    return np.asarray(picture, np.uint8)
