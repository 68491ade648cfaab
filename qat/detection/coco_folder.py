"""Pictures with boxes of a folder in COCO's layout: `annotations.json`, and the pictures that it names beside it.

Format: https://cocodataset.org/#format-data, of which `images`, `categories` and `annotations` are read.
"""

import hashlib
from collections import defaultdict
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from mobile_sdk.detections import Truth
from mobile_sdk.errors import DataError
from mobile_sdk.preprocess import open_picture, upright_rgb
from qat.detection.pictures import DetectionPictures, DetectionSet
from qat.progress import map_in_threads

ANNOTATIONS = "annotations.json"
VALIDATION_SHARE = 0.2
_HINT = "write it as COCO does: images, categories, annotations"


class _Image(BaseModel):
    id: int
    file_name: str


class _Category(BaseModel):
    id: int
    name: str


class _Annotation(BaseModel):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]  # left, top, width, height
    iscrowd: int = 0


class _Annotations(BaseModel):
    images: list[_Image] = Field(min_length=2)
    categories: list[_Category] = Field(min_length=1)
    annotations: list[_Annotation]


def load_coco_folder(path: Path | str) -> DetectionPictures:
    """The pictures of `path/annotations.json`, a fifth held out by a hash of their names; crowds are left out.

    Labels are the categories in the order of their identities. The pictures are decoded and kept in memory. DataError:
    no such file, another format, a picture that is missing or does not decode, a category that is not listed.
    """
    root = Path(path)
    found = _read(root)
    categories = sorted(found.categories, key=lambda category: category.id)
    index = {category.id: position for position, category in enumerate(categories)}
    boxes: dict[int, list[tuple[list[float], int]]] = defaultdict(list)
    for each in found.annotations:
        if each.category_id not in index:
            raise DataError(f"expected a listed category in {ANNOTATIONS}, found {each.category_id}", hint=_HINT)
        if not each.iscrowd:
            left, top, width, height = each.bbox
            boxes[each.image_id].append(([left, top, left + width, top + height], index[each.category_id]))
    ranked = sorted(found.images, key=lambda image: hashlib.sha256(image.file_name.encode()).digest())
    count = max(1, round(len(ranked) * VALIDATION_SHARE))
    parts = [_part(root, images, boxes) for images in (ranked[count:], ranked[:count])]
    labels = tuple(category.name for category in categories)
    return DetectionPictures(train=parts[0], validation=parts[1], labels=labels)


def _read(root: Path) -> _Annotations:
    try:
        return _Annotations.model_validate_json((root / ANNOTATIONS).read_bytes())
    except OSError as error:
        raise DataError(f"expected {ANNOTATIONS} in {root}, found {error.strerror}", hint=_HINT) from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        raise DataError(
            f"expected COCO's format in {root / ANNOTATIONS}, found in {where}: {problem['msg']}", hint=_HINT
        ) from error


def _part(root: Path, images: list[_Image], boxes: dict[int, list[tuple[list[float], int]]]) -> DetectionSet:
    def decode(image: _Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return np.asarray(upright_rgb(open_picture(root / image.file_name)), np.uint8)

    truths = []
    for image in images:
        rows = boxes.get(image.id, [])
        truths.append(
            Truth(
                boxes=np.array([box for box, _ in rows], np.float64).reshape(-1, 4),
                labels=np.array([label for _, label in rows], np.int64),
            )
        )
    sources = map_in_threads(decode, images, what="decoding pictures")
    return DetectionSet(sources=tuple(sources), truths=tuple(truths))
