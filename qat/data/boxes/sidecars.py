"""Finds files of annotations that each belong to one picture by its name: XML for PASCAL VOC, text for YOLO.

They are beside the pictures, or in a folder of their own:

- `0.jpg`, `0.xml`
- `images/0.jpg`, `annotations/0.xml` (`JPEGImages/`, `imgs/` …; `Annotations/`, `labels/`, `xmls/` …)
- either of them in `train/`, `valid/` …
- `images/train/0.jpg`, `labels/train/0.txt`, `images/val/` …
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mobile_sdk.errors import DataError
from qat.data.folders.listing import Folder, counted, folded_name, listed
from qat.data.folders.split_names import splits_among
from qat.progress import say

_PICTURES = ("images", "jpegimages", "image", "imgs", "img", "pictures", "photos", "data")
_SIDECARS = ("annotations", "labels", "annotation", "annots", "label", "xml", "xmls", "bboxes", "boxes", "bbox", "txt")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Holds a folder of pictures, and the folder of their files of annotations, which may be the same one."""

    pictures: Folder
    sidecars: Folder


def places_of(folder: Folder, suffix: str) -> dict[str, Place]:
    """Returns, by name, the places in `folder` of pictures that have files of that suffix; "" is a single place."""
    if own := _place(folder, suffix):
        return {"": own}
    places = {each.name: place for each in folder.folders if (place := _place(each, suffix))}
    if places:
        return places
    for pictures, sidecars in _pairs(folder):
        inner = {each.name.casefold(): each for each in sidecars.folders}
        for each in pictures.folders:
            other = inner.get(each.name.casefold())
            if other and each.holds_pictures() and _has(other, suffix):
                places[each.name] = Place(pictures=each, sidecars=other)
    return places


def by_picture(place: Place, suffix: str) -> dict[Path, Path]:
    """Maps pictures to their files of annotations; DataError names two pictures, or two files, of one name."""
    pictures = _by_name(place.pictures, place.pictures.all_pictures())
    files = _by_name(place.sidecars, (file for file in place.sidecars.all_others() if file.suffix.lower() == suffix))
    found = {}
    for name, (file, *others) in files.items():
        for kind in ([file, *others], pictures.get(name, [])):
            if len(kind) > 1:
                names = listed(each.name for each in kind)
                raise DataError(
                    f"expected one file for each picture in {place.sidecars.path}, found {names}",
                    hint="it cannot be told which belong together: rename or remove one",
                )
        if name in pictures:
            found[pictures[name][0]] = file
    return found


def say_left_out(files: Iterable[Path], what: str, why: str, plural: str = "") -> None:
    """Reports that such files, "picture", are left out, and why: "without a file of annotations"."""
    if names := [file.name for file in files]:
        say(f"left out {counted(len(names), what, plural)} {why}: {listed(names)}")


def _place(folder: Folder, suffix: str) -> Place | None:
    """Returns the folder's pictures and files of annotations if they are not divided into splits, else None."""
    stems = {folded_name(file.stem) for file in folder.others if file.suffix.lower() == suffix}
    if any(folded_name(file.stem) in stems for file in folder.pictures):
        return Place(pictures=folder, sidecars=folder)
    for pictures, sidecars in _pairs(folder):
        if _is_flat(pictures) and _has(sidecars, suffix):
            return Place(pictures=pictures, sidecars=sidecars)
    return None


def _is_flat(pictures: Folder) -> bool:
    """Returns whether the pictures are in the folder itself, or in folders that are no splits."""
    return bool(pictures.pictures) or not splits_among(each.name for each in pictures.folders)


def _pairs(folder: Folder) -> Iterator[tuple[Folder, Folder]]:
    """Yields folders named as pictures' folders are, each with one named as annotations' are.

    The latter may be nested, as `annotations/xmls/` of the Oxford pets is.
    """
    names = {each.name.lower(): each for each in folder.folders}
    for picture_name in _PICTURES:
        for sidecar_name in _SIDECARS:
            if picture_name in names and sidecar_name in names:
                for inner in names[sidecar_name].folders:
                    if inner.name.lower() in _SIDECARS:
                        yield names[picture_name], inner
                yield names[picture_name], names[sidecar_name]


def _has(folder: Folder, suffix: str) -> bool:
    return any(file.suffix.lower() == suffix for file in folder.all_others())


def _by_name(home: Folder, files: Iterable[Path]) -> dict[str, list[Path]]:
    """Groups the files by their names below `home`, without their suffix."""
    found: dict[str, list[Path]] = {}
    for file in files:
        found.setdefault(folded_name(file.relative_to(home.path).with_suffix("").as_posix()), []).append(file)
    return found
