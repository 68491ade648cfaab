"""Where COCO's annotations and their pictures lie: as COCO itself lays them out, as exporters do, or in one folder.

- `annotations.json` or `_annotations.coco.json`, and the pictures that it names beside it
- the same in `train/`, `valid/` …, as Roboflow exports
- `annotations/instances_train2017.json` …, and the pictures in `train2017/` or `images/train2017/`
"""

from dataclasses import dataclass
from pathlib import Path

from mobile_sdk.errors import DataError
from qat.annotated_folders import chosen, laid_out_otherwise, unwrapped
from qat.picture_folder import Folder, read_folder
from qat.split_names import splits_among

ANNOTATIONS = "annotations.json"
HINT = "write it as COCO does: images, categories, annotations"
_NAMES = (ANNOTATIONS, "_annotations.coco.json")


@dataclass(frozen=True, kw_only=True)
class Annotated:
    """A file of annotations, and the folder that its pictures' names are relative to."""

    annotations: Path
    pictures: Path


def find_annotations(root: Path) -> tuple[Annotated, ...]:
    """Those to learn from, and those to validate by where they are parted; DataError names what is there instead."""
    folder = unwrapped(read_folder(root))
    if own := _beside(folder):
        return (own,)
    places = {each.name: found for each in folder.folders if (found := _beside(each))} or _in_annotations(folder)
    if places:
        return chosen(places, root)
    missing = f"{ANNOTATIONS} in {root}"
    if folder.filled() and not folder.pictures:
        hint = f"for labels without boxes: --task classification; else {HINT}"
        raise laid_out_otherwise((folder, *folder.folders), missing, "folders of pictures without it", hint)
    raise laid_out_otherwise((folder, *folder.folders), missing, "none", HINT)


def _beside(folder: Folder) -> Annotated | None:
    """Annotations that lie among their pictures."""
    files = {file.name.lower(): file for file in folder.others}
    found = next((files[name] for name in _NAMES if name in files), None)
    return Annotated(annotations=found, pictures=folder.path) if found else None


def _in_annotations(folder: Folder) -> dict[str, Annotated]:
    """By split, annotations in a folder of their own, and the folder of that split's pictures."""
    names = {each.name.lower(): each for each in folder.folders}
    if "annotations" not in names:
        return {}
    homes = [folder, *(names[name] for name in ("images",) if name in names)]
    pictures = {each.name: each for home in homes for each in home.folders if each.holds_pictures()}
    splits = splits_among(pictures)
    found = {}
    for file in names["annotations"].others:
        name = file.stem.removeprefix("instances_")
        split = splits_among([name]).get(name)
        if file.suffix.lower() != ".json" or not split or (file.stem == name and "_" in name):
            continue  # captions_train2017.json and person_keypoints_train2017.json are of other tasks
        same = [each for each in pictures if each == name] or [each for each in splits if splits[each] == split]
        if not same:
            raise DataError(
                f"expected a folder of the pictures of {file}, found none", hint=f"name it {name}, in {folder.path}"
            )
        found[name] = Annotated(annotations=file, pictures=pictures[same[0]].path)
    return found
