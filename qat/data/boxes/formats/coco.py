"""Reads pictures with boxes in COCO's layout, as COCO, Roboflow, CVAT, Label Studio and FiftyOne write it.

Format: https://cocodataset.org/#format-data; `images`, `categories` and `annotations` are read. Their places are in
`qat.data.boxes.formats.coco_layout`; what becomes of faulty boxes is in `qat.data.boxes.faults`.

It takes UTF-8 with or without its mark, and UTF-16; identities that are whole numbers or texts, "7" being 7; names of
pictures with folders in front that no longer exist, with backslashes, or in letters of another case; and pictures
without annotations, which show nothing. Labels are the categories in the order of their identities.

It keeps as ignored: crowds (`iscrowd`), and annotations with `ignore`.

It leaves out, and names: pictures that no annotation file names; a category without annotations if another one has its
name or has it as `supercategory`, as Roboflow writes its project's name.

It refuses, naming file and entry: an identity that two images, categories or annotations have; an annotation of an
image or a category that is not listed; a picture that is missing or listed twice; a category's name that is blank or
repeated; categories that only validation has; width and height of another picture; no box at all.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mobile_sdk.arguments import expect_path
from mobile_sdk.errors import DataError
from qat.data.boxes.annotations import Box, Boxed, BoxedFolder, Part, quoted
from qat.data.boxes.file_finder import FileFinder
from qat.data.boxes.formats.coco_layout import HINT, CocoFile, find_annotations, no_annotations, read_json
from qat.data.boxes.loading import load_boxed
from qat.data.boxes.pictures import DetectionPictures
from qat.data.folders.annotated import unwrapped
from qat.data.folders.listing import Folder, counted, listed, natural_order, read_folder
from qat.progress import say


def _identity(value: Any) -> Any:
    """Returns a whole number however it is written, else a text."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, str) and value.strip().lstrip("-").isdecimal() else value


def _number(value: Any) -> Any:
    """Returns the value if it may be a number; true and false, which would count as 1 and 0, raise ValueError."""
    if isinstance(value, bool):
        raise ValueError("a number is expected, not true or false")
    return value


Number = Annotated[float, BeforeValidator(_number)]
Identity = Annotated[Annotated[int, Field(strict=True)] | str, BeforeValidator(_identity)]
Side = Annotated[int | None, BeforeValidator(lambda value: value or None)]  # 0 means unknown
Flag = Annotated[bool, BeforeValidator(lambda value: value or False)]  # null means False


class _Entry(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)


class _Image(_Entry):
    id: Identity
    file_name: str
    width: Side = None
    height: Side = None


class _Category(_Entry):
    id: Identity
    name: str
    supercategory: Annotated[str | None, BeforeValidator(lambda value: value if isinstance(value, str) else None)] = (
        None
    )


class _Annotation(_Entry):
    id: Identity | None = None
    image_id: Identity
    category_id: Identity
    bbox: tuple[Number, Number, Number, Number]  # left, top, width, height
    iscrowd: Flag = False
    ignore: Flag = False


class _Coco(BaseModel):
    images: list[_Image] = Field(min_length=1)
    categories: list[_Category] = Field(min_length=1)
    annotations: list[_Annotation]


Names = dict[int | str, str]
"""Maps a category's identity to its label."""


def load_coco_folder(path: Path | str) -> DetectionPictures:
    """Returns the pictures, decoded, that the annotations of a folder in COCO's layout name, and their boxes.

    The module's docstring says what is taken, left out and refused with a DataError. If training and validation are not
    separate, a fifth is held out by a hash of the names.
    """
    expect_path("path", path)
    folder = unwrapped(read_folder(Path(path)))
    if files := find_annotations(folder):
        return load_boxed(read_coco(folder, files))
    raise no_annotations(folder)


def read_coco(folder: Folder, files: Sequence[CocoFile]) -> BoxedFolder:
    """Returns the checked content of the files that `find_annotations` found."""
    read = [_read(each.annotations) for each in files]
    used = {each.category_id for coco in read for each in coco.annotations}
    names = [_names(each.annotations, coco, used) for each, coco in zip(files, read, strict=True)]
    labels = _labels(names[0])
    if others := set(names[-1].values()) - set(labels):
        raise DataError(
            f"expected the same categories in all annotations in {folder.path}, found others in "
            f"{files[-1].annotations}: {listed(others)}",
            hint="give all files the categories of the pictures to learn from",
        )
    parts = tuple(_part(*each) for each in zip(files, read, names, strict=True))
    for line in _unnamed(files, parts):
        say(line)
    return BoxedFolder(root=folder.path, labels=labels, said_by=files[0].annotations, parts=parts)


def _read(file: Path) -> _Coco:
    try:
        coco = _Coco.model_validate_json(read_json(file))
    except OSError as error:
        raise DataError(f"expected COCO's format in {file}, found {error.strerror}", hint=HINT) from error
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        found = " ".join(str(problem["msg"]).split())
        raise DataError(f"expected COCO's format in {file}, found in {where}: {found}", hint=HINT) from error
    _check_identities(file, coco)
    return coco


def _check_identities(file: Path, coco: _Coco) -> None:
    for what, entries in (
        ("image", coco.images),
        ("category", coco.categories),
        ("annotation", coco.annotations),
    ):
        identities = [each.id for each in entries if each.id is not None]
        if twice := [identity for identity, count in Counter(identities).items() if count > 1]:
            raise DataError(
                f"expected an identity for each {what} in {file}, found the {what} id {_listed(twice)} more than once",
                hint="it cannot be told which is meant: number them anew",
            )
    known = {"image": {each.id for each in coco.images}, "category": {each.id for each in coco.categories}}
    for position, annotation in enumerate(coco.annotations):
        for what, identity in (("image", annotation.image_id), ("category", annotation.category_id)):
            if identity not in known[what]:
                raise DataError(
                    f"expected a listed {what} in {file}, found {what}_id {_listed([identity])} in "
                    f"{_entry(position, annotation)}",
                    hint=f"list the {what}, or remove its annotations",
                )


def _names(file: Path, coco: _Coco, used: set[int | str]) -> Names:
    """Returns the categories' labels, without those that are left out."""
    groups = {each.supercategory for each in coco.categories if each.supercategory != each.name}
    taught = {each.name.strip() for each in coco.categories if each.id in used}
    left_out = [
        each for each in coco.categories if each.id not in used and (each.name in groups or each.name.strip() in taught)
    ]
    kept = [each for each in coco.categories if each not in left_out]
    if left_out and kept:
        say(
            f"left out of {file.name} {counted(len(left_out), 'category', 'categories')} without a box whose name is "
            f"another's, or another's supercategory: {listed(each.name for each in left_out)}"
        )
    return {each.id: each.name.strip() for each in kept or coco.categories}


def _labels(names: Names) -> tuple[str, ...]:
    """Returns the labels in the order of their identities: numbers, then texts."""
    numbers = sorted(identity for identity in names if isinstance(identity, int))
    texts = sorted((identity for identity in names if isinstance(identity, str)), key=natural_order)
    return (*(names[number] for number in numbers), *(names[text] for text in texts))


def _part(file: CocoFile, coco: _Coco, names: Names) -> Part:
    boxes: dict[int | str, list[Box]] = {}
    for position, each in enumerate(coco.annotations):
        left, top, width, height = each.bbox
        sides = (left, top, left + width, top + height)
        box = Box(names[each.category_id], sides, _entry(position, each), each.iscrowd or each.ignore)
        boxes.setdefault(each.image_id, []).append(box)
    finder = FileFinder(file.homes)
    return tuple(
        Boxed(
            picture=_picture(finder, file, image),
            name=image.file_name,
            source=file.annotations,
            boxes=tuple(boxes.get(image.id, ())),
            size=(image.width, image.height) if image.width and image.height else None,
        )
        for image in coco.images
    )


def _picture(finder: FileFinder, file: CocoFile, image: _Image) -> Path:
    if found := finder.find(image.file_name):
        return found
    raise DataError(
        f"expected the picture '{quoted(image.file_name)}' that {file.annotations} names, found none below "
        f"{file.homes[0].path}",
        hint="export the data set with its pictures, and unpack all of it",
    )


def _unnamed(files: Sequence[CocoFile], parts: Iterable[Part]) -> list[str]:
    """Returns a line on the pictures that are left out because the annotations do not name them."""
    named = {each.picture for part in parts for each in part}
    rest = {picture for file in files for picture in file.homes[0].all_pictures()} - named
    if not rest:
        return []
    says = " and ".join(file.annotations.name for file in files)
    do = "does" if len(files) == 1 else "do"
    return [f"left out {counted(len(rest), 'picture')} that {says} {do} not name: {listed(file.name for file in rest)}"]


def _entry(position: int, annotation: _Annotation) -> str:
    return f"annotation {position + 1}" if annotation.id is None else f"annotation id {_listed([annotation.id])}"


def _listed(identities: Iterable[int | str]) -> str:
    """Returns identities in a line, texts in quotes."""
    return listed(f'"{quoted(each)}"' if isinstance(each, str) else quoted(str(each)) for each in identities)
