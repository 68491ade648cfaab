"""Reads pictures with boxes in PASCAL VOC's format, an XML file for each, as LabelImg, Roboflow and CVAT write them.

The format is in `qat.data.boxes.formats.voc_xml`, the files' places are in `qat.data.boxes.sidecars`, and what becomes
of faulty boxes is in `qat.data.boxes.faults`. A file belongs to the picture of its own name; its <filename> is stale
where files were renamed.

It takes `ImageSets/Main/train.txt` and `val.txt` beside `JPEGImages/` and `Annotations/`; where there are no such
lists, trainval.txt, another single list such as CVAT's default.txt, or all pictures, of which a fifth is held out;
`train/`, `valid/` …; and XML in UTF-8 or another encoding that it declares. Labels are the objects' names in natural
order.

It keeps difficult objects as ignored.

It leaves out, and names: pictures without an XML file and XML files without a picture, if no list names them; splits
for tests; the parts of objects.

It refuses, naming file and entry: an object without a name or a box, numbers that are none; an entry of a list without
its picture or XML file, or in two lists; labels that only validation has; a document type; width and height of another
picture; no box at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mobile_sdk.errors import DataError
from mobile_sdk.labels.label_text import lines_of, read_text
from mobile_sdk.system.regular_file import MIB
from qat.data.boxes.annotations import Boxed, BoxedFolder, Part, quoted
from qat.data.boxes.formats.voc_xml import read_voc_xml
from qat.data.boxes.sidecars import Place, by_picture, places_of, say_left_out
from qat.data.folders.annotated import chosen
from qat.data.folders.listing import Folder, folded_name, listed, natural_order, printable
from qat.data.folders.split_names import splits_among

SUFFIX = ".xml"


@dataclass(frozen=True, kw_only=True)
class Voc:
    """Holds places of pictures and XML files for training and validation, or one place and the lists that divide it."""

    folder: Folder
    places: tuple[Place, ...]
    lists: tuple[Path, ...] = field(default=())


def find_voc(folder: Folder) -> Voc | None:
    """Returns what `folder` holds in this format, None if nothing; raises DataError if its splits are ambiguous."""
    places = places_of(folder, SUFFIX)
    if not places:
        return None
    if "" in places:
        return Voc(folder=folder, places=(places[""],), lists=_lists(folder))
    return Voc(folder=folder, places=chosen(places, folder.path))


def read_voc(voc: Voc) -> BoxedFolder:
    """Returns the checked content of the files."""
    pairs = [_pairs(place) for place in voc.places]
    if voc.lists:
        pairs = [_listed(file, voc.places[0], pairs[0]) for file in voc.lists]
    else:
        for place, each in zip(voc.places, pairs, strict=True):
            _say_left_out(place, each)
    parts = tuple(_part(voc.folder, each) for each in pairs)
    labels = sorted({box.label for each in parts[0] for box in each.boxes}, key=natural_order)
    if not labels:
        raise DataError(
            f"expected boxes to learn from in {voc.folder.path}, found no object in {len(parts[0])} XML files",
            hint="annotate the pictures first",
        )
    _check_known(labels, parts)
    return BoxedFolder(root=voc.folder.path, labels=tuple(labels), said_by=voc.places[0].sidecars.path, parts=parts)


def _lists(folder: Folder) -> tuple[Path, ...]:
    """Returns the lists of training and validation pictures, or the only list."""
    names = {each.name.lower(): each for each in folder.folders}
    within = {each.name.lower(): each for each in names["imagesets"].folders} if "imagesets" in names else {}
    files = [file for file in within["main"].others if file.suffix.lower() == ".txt"] if "main" in within else []
    by_stem = {file.stem: file for file in files if splits_among([file.stem])}  # cat_train.txt lists a label's pictures
    if "train" in splits_among(by_stem).values():
        return chosen(by_stem, within["main"].path)
    others = [file for file in files if file.stem == "trainval"] or [
        file for file in files if "_" not in file.stem and file.stem not in by_stem
    ]
    if len(others) > 1 or (files and not others):
        raise DataError(
            f"expected a list train.txt in {within['main'].path}, found {listed(file.name for file in files)}",
            hint="name the lists train.txt and val.txt",
        )
    return tuple(others)


def _pairs(place: Place) -> dict[Path, Path]:
    if pairs := by_picture(place, SUFFIX):
        return pairs
    raise DataError(
        f"expected the pictures of the XML files of {place.sidecars.path} in {place.pictures.path}, found none",
        hint="export the data set with its pictures; a file and its picture have one name",
    )


def _listed(file: Path, place: Place, pairs: Mapping[Path, Path]) -> dict[Path, Path]:
    """Returns the pictures and XML files that the list names."""
    home = place.pictures.path
    names = {folded_name(each.relative_to(home).with_suffix("").as_posix()): each for each in pairs}
    found = {}
    for number, line in enumerate(lines_of(read_text(file, of="one name a line", at_most=256 * MIB)), start=1):
        if not line:
            continue
        forms = (line, line.strip('"'), line.split()[0], str(Path(line).with_suffix("")), Path(line).stem)
        picture = next((names[name] for name in map(folded_name, forms) if name in names), None)
        if picture is None or picture in found:
            raise DataError(
                f"expected a picture in {home} and an XML file in {place.sidecars.path} for {quoted(line)} of line "
                f"{number} of {file}, found {'none' if picture is None else 'it listed twice'}",
                hint="unpack the whole archive, or remove the line",
            )
        found[picture] = pairs[picture]
    return found


def _say_left_out(place: Place, pairs: Mapping[Path, Path]) -> None:
    taken = set(pairs.values())
    files = [file for file in place.sidecars.all_others() if file.suffix.lower() == SUFFIX]
    say_left_out((file for file in files if file not in taken), "XML file", "without a picture")
    say_left_out(
        (each for each in place.pictures.all_pictures() if each not in pairs), "picture", "without an XML file"
    )


def _part(folder: Folder, pairs: Mapping[Path, Path]) -> Part:
    part = []
    for picture, file in pairs.items():
        size, boxes = read_voc_xml(file)
        name = picture.relative_to(folder.path).as_posix()
        part.append(Boxed(picture=picture, name=name, source=file, boxes=boxes, size=size))
    return tuple(part)


def _check_known(labels: list[str], parts: tuple[Part, ...]) -> None:
    """Raises DataError if only validation has a label."""
    known = set(labels)
    for each in parts[-1]:
        for box in each.boxes:
            if box.label not in known:
                raise DataError(
                    f"expected a label of the pictures to learn from in {box.entry} of {printable(each.source)}, found "
                    f"{quoted(box.label)}",
                    hint=f"correct it, or add pictures to learn it from; known are: {listed(labels)}",
                )
