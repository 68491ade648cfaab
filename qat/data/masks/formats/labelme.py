"""Reads the files of labelme's `labelme2voc.py`: `JPEGImages/`, `SegmentationClass/` or `…PNG/`, and `class_names.txt`.

Source: labelme, `examples/semantic_segmentation/labelme2voc.py`: masks are PNGs with a palette whose numbers count the
lines of class_names.txt from 0; `__ignore__`, which that list of names leaves out, is -1, and 255 in a PNG.

It takes class_names.txt with or without a first line `__ignore__`; `_background_` is a label like others.

It leaves out, and names: pictures without a mask, masks without a picture, SegmentationClassVisualization.

It refuses: `__ignore__` in another line, and what `voc` refuses.
"""

from pathlib import Path

from mobile_sdk.errors import DataError
from mobile_sdk.labels.label_text import numbered_lines
from qat.data.masks.annotations import Key, Masked
from qat.data.masks.formats.voc import Voc, parts_of

LABELS = "class_names.txt"
_VOID = "__ignore__"


def read_labelme(voc: Voc, file: Path) -> Masked:
    """Returns the content of VOC's layout, with the labels of class_names.txt, the `file`."""
    labels = numbered_lines(file)
    labels = labels[1:] if labels[:1] == (_VOID,) else labels
    if _VOID in labels:
        raise DataError(
            f"expected {_VOID} in the first line of {file}, found it later", hint="labelme2voc.py has it so"
        )
    return Masked(key=Key.counted(labels, str(file)), parts=parts_of(voc))
