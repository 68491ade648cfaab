"""Loads pictures with boxes from a folder in COCO's, PASCAL VOC's or YOLO's format, whichever it finds.

Each format has a reader in `qat.data.boxes.formats`, whose module says what it takes, leaves out and refuses. The
checks of every box are in `qat.data.boxes.faults`.
"""

from pathlib import Path

from mobile_sdk.arguments import expect_path
from mobile_sdk.errors import DataError
from qat.data.boxes.annotations import BoxedFolder
from qat.data.boxes.formats.coco import read_coco
from qat.data.boxes.formats.coco_layout import find_annotations
from qat.data.boxes.formats.voc import find_voc, read_voc
from qat.data.boxes.formats.yolo import read_yolo
from qat.data.boxes.formats.yolo_layout import ROWS, find_yolo
from qat.data.boxes.loading import load_boxed
from qat.data.boxes.other_formats import other_boxes
from qat.data.boxes.pictures import DetectionPictures
from qat.data.boxes.sidecars import by_picture, places_of
from qat.data.folders.annotated import unwrapped
from qat.data.folders.listing import Folder, listed, no_pictures, read_folder
from qat.data.folders.other_layouts import FOR_BOXES, other_task

FORMATS = "COCO's annotations.json, PASCAL VOC's XML files or YOLO's text files"


def load_box_folder(path: Path | str) -> DetectionPictures:
    """Returns the pictures of a folder and their boxes, in COCO's, PASCAL VOC's or YOLO's format, whichever it finds.

    If training and validation are not separate, a fifth is held out by a hash of the names. Pictures are decoded and
    kept in memory; what is left out or cut is counted and named. Raises DataError, which names file and entry, for none
    of these formats, for several, and for what each reader refuses.
    """
    expect_path("path", path)
    return load_boxed(_read(unwrapped(read_folder(Path(path)))))


def _read(folder: Folder) -> BoxedFolder:
    coco, voc = find_annotations(folder), find_voc(folder)
    has_rows = any(by_picture(place, ROWS) for place in places_of(folder, ROWS).values())  # not a readme.txt alone
    is_yolo = has_rows or not (coco or voc)
    formats = [name for name, is_there in (("COCO's", coco), ("PASCAL VOC's", voc), ("YOLO's", is_yolo)) if is_there]
    if len(formats) > 1:
        raise DataError(
            f"expected boxes in one format in {folder.path}, found {listed(formats)}", hint="move the others away"
        )
    if coco:
        return read_coco(folder, coco)
    if voc:
        return read_voc(voc)
    if yolo := find_yolo(folder):
        return read_yolo(yolo)
    raise _no_boxes(folder)


def _no_boxes(folder: Folder) -> DataError:
    """Returns the error for a folder without boxes, by what is there instead."""
    if not folder.holds_pictures() and not other_boxes(folder):
        return no_pictures(folder)
    found, hint = _found_instead(folder)
    return DataError(f"expected boxes in {folder.path}: {FORMATS}, found {found}", hint=hint)


def _found_instead(folder: Folder) -> tuple[str, str]:
    """Returns what the folder holds in place of boxes, and what to do with it."""
    if found := other_boxes(folder):
        return found
    for each in (folder, *folder.folders):
        if (other := other_task(each)) and other[1] != FOR_BOXES:
            return other
    if folder.filled() and not folder.pictures:
        return "folders of pictures without them", "for labels without boxes: --task classification"
    return "pictures alone", "export them with their annotations"
