"""Finds COCO's annotations and their pictures: as COCO itself lays them out, as exporters do, or in one folder.

- `annotations.json` or `_annotations.coco.json`, and the pictures that it names beside it
- the same in `train/`, `valid/` …, as Roboflow exports
- `annotations/instances_train2017.json` …, and the pictures in `train2017/`, `images/train2017/` or `images/`
- `train.json` and `val.json`, and the pictures in `images/`
- one file in COCO's format, whatever its name, in `annotations/` or beside the folder of pictures: CVAT's
  `annotations/instances_default.json`, Label Studio's `result.json`, FiftyOne's `labels.json`
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobile_sdk.errors import DataError
from mobile_sdk.system.regular_file import GIB, read_regular
from qat.data.folders.annotated import chosen, laid_out_otherwise
from qat.data.folders.listing import Folder, listed
from qat.data.folders.split_names import splits_among

ANNOTATIONS = "annotations.json"
HINT = "write it as COCO does: images, categories, annotations"
_NAMES = (ANNOTATIONS, "_annotations.coco.json")
_OF_BOXES = "instances_"
_OF_OTHER_TASKS = ("captions_", "person_keypoints_", "panoptic_", "stuff_", "image_info_")
_HOMES = ("images", "data", "image", "imgs", "img", "jpegimages")
_MOST_FILES = 16  # files of other names that are opened; labelme and others write one for each picture
_KEYS = (b'"images"', b'"categories"', b'"annotations"')


@dataclass(frozen=True, kw_only=True)
class CocoFile:
    """Holds a file of annotations, and the folders in which its pictures are looked for, the likeliest first."""

    annotations: Path
    homes: tuple[Folder, ...]


def find_annotations(folder: Folder) -> tuple[CocoFile, ...]:
    """Returns the annotations to train on, and those to validate by if they are separate; nothing if there are none.

    Raises DataError for two files of one split, or for several files of which none is marked for training.
    """
    if own := _beside(folder):
        return (own,)
    if places := {each.name: found for each in folder.folders if (found := _beside(each))}:
        return chosen(places, folder.path)
    files = _files(folder)
    if places := _by_split(folder, files):
        return chosen(places, folder.path)
    if len(files) > 1:
        raise DataError(
            f"expected one file of annotations in {folder.path}, or one for each split, found "
            f"{listed(file.name for file in files)}",
            hint="name them train.json and val.json, or move the others away",
        )
    return tuple(
        CocoFile(annotations=file, homes=(*_homes_named(folder, {_name(file)}), *_homes(folder))) for file in files
    )


def no_annotations(folder: Folder) -> DataError:
    """Returns the error for a folder without annotations, by what is there instead."""
    missing = f"{ANNOTATIONS} in {folder.path}"
    if folder.filled() and not folder.pictures:
        hint = f"for labels without boxes: --task classification; else {HINT}"
        return laid_out_otherwise((folder, *folder.folders), missing, "folders of pictures without it", hint)
    return laid_out_otherwise((folder, *folder.folders), missing, "none", HINT)


def read_json(file: Path) -> bytes:
    """Returns a file of JSON in UTF-8 without a mark; raises OSError if it cannot be read."""
    content = read_regular(file, at_most=2 * GIB)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        content = content.decode("utf-16", "replace").encode("utf-8", "replace")
    return content.removeprefix(b"\xef\xbb\xbf")


def _beside(folder: Folder) -> CocoFile | None:
    """Returns annotations by one of their usual names, and the pictures beside or below them."""
    files = {file.name.lower(): file for file in folder.others}
    found = next((files[name] for name in _NAMES if name in files), None)
    return CocoFile(annotations=found, homes=(folder, *_homes(folder)[:-1])) if found else None


def _by_split(folder: Folder, files: Sequence[Path]) -> dict[str, CocoFile]:
    """Returns the annotation files whose names say a split, with that split's pictures, by that name."""
    splits = {file: split for file in files if (split := splits_among([_name(file)]).get(_name(file)))}
    found = {}
    for file, split in splits.items():
        inner = [each for home in (folder, *_homes(folder)[:-1]) for each in home.folders if each.holds_pictures()]
        same = splits_among([each.name for each in inner])
        names = {_name(file)} & {each.name for each in inner} or {name for name in same if same[name] == split}
        homes = (*_homes_named(folder, names), *_homes(folder))
        found[_name(file)] = CocoFile(annotations=file, homes=homes)
    return found


def _files(folder: Folder) -> list[Path]:
    """Returns the files of annotations in `annotations/`, else in the folder itself."""
    annotations = [each for each in folder.folders if each.name.lower() in ("annotations", "annotation")]
    for place in (*annotations, folder):
        files = [file for file in place.others if file.suffix.lower() == ".json"]
        if named := [file for file in files if file.name.startswith(_OF_BOXES)]:
            return named
        pictures = {picture.stem for picture in folder.all_pictures()}
        others = [file for file in files if file.stem not in pictures and not file.name.startswith(_OF_OTHER_TASKS)]
        if len(others) <= _MOST_FILES and (found := [file for file in others if _is_coco(file)]):
            return found
    return []


def _is_coco(file: Path) -> bool:
    try:
        content = read_json(file)
    except OSError:
        return False
    return all(key in content for key in _KEYS)


def _name(file: Path) -> str:
    return file.stem.removeprefix(_OF_BOXES)


def _homes(folder: Folder) -> tuple[Folder, ...]:
    """Returns the folders in it that are named as pictures' usually are, and the folder itself."""
    return (*(each for name in _HOMES for each in folder.folders if each.name.lower() == name), folder)


def _homes_named(folder: Folder, names: set[str]) -> Iterator[Folder]:
    """Yields the folders of those names in it and in its folders of pictures."""
    for home in (folder, *_homes(folder)[:-1]):
        yield from (each for each in home.folders if each.name in names and each.holds_pictures())
