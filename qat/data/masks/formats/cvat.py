"""Reads CVAT's export "Segmentation mask 1.1", with its pictures: PASCAL VOC's folders, and `labelmap.txt`.

Source: https://docs.cvat.ai/docs/dataset_management/formats/format-smask. A line of labelmap.txt is
`name:red,green,blue:parts:actions`; masks are PNGs of these colours, or of one channel whose numbers count the lines.

It takes masks of three channels and of palettes, by their colours; grey ones, whose numbers count the lines; labels in
the order of the lines, whichever is background; and Train.txt and Validation.txt, or default.txt, as `voc` does.

It leaves out, and names: listed pictures without a mask, which are not annotated; the label `ignored`, which is void,
as is 224,224,192; what `voc` leaves out.

It refuses: a colour of no line, two lines of one colour or name, a line of another form, transparency, 16 bits a
colour.
"""

import re
from pathlib import Path

from mobile_sdk.errors import DataError
from mobile_sdk.labels.label_text import lines_of, read_text, shown
from mobile_sdk.tasks.segmentation import VOID
from qat.data.masks.annotations import Key, Masked
from qat.data.masks.formats.voc import Voc, colour_of, parts_of
from qat.progress import say

LABELS = "labelmap.txt"
_LINE = re.compile(r"(?P<name>[^:]*):(?P<rgb>\d{1,3} *, *\d{1,3} *, *\d{1,3}) *(:[^:]*)*")
_VOID_COLOUR = colour_of(VOID)  # 224,224,192
_VOID_NAMES = frozenset(("ignored", "__ignore__"))


def read_cvat(voc: Voc, file: Path) -> Masked:
    """Returns the content of VOC's layout, with the labels and colours of the labelmap `file`."""
    return Masked(key=_key(file), parts=parts_of(voc, is_partly_masked=True))


def _key(file: Path) -> Key:
    labels: list[str] = []
    numbers: dict[int, int] = {VOID: VOID}
    colours: dict[int, int] = {}
    for number, (name, colour) in enumerate(_lines(file)):
        if colour in colours:
            other = f"label {shown(labels[colours[colour]])}" if colours[colour] != VOID else "void"
            raise DataError(
                f"expected colours that differ in {file}, found {_rgb(colour)} for {shown(name)} and {other}",
                hint="give each label a colour of its own, and draw the masks again",
            )
        is_void = name.casefold() in _VOID_NAMES
        numbers[number] = colours[colour] = VOID if is_void else len(labels)
        if is_void:
            say(f"left out the label {name} of {file.name}: its pixels are void")
        else:
            labels.append(name)
    return Key(labels=tuple(labels), place=str(file), numbers=numbers, colours={_VOID_COLOUR: VOID, **colours})


def _lines(file: Path) -> list[tuple[str, int]]:
    """Returns the names and colours (0xRRGGBB) of the lines that are no comments."""
    found = []
    for number, line in enumerate(lines_of(read_text(file, of="name:red,green,blue:: a line")), start=1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        channels = [int(each) for each in match["rgb"].split(",")] if match else []
        if match is None or max(channels) > 255:
            raise DataError(
                f"expected name:red,green,blue:: in line {number} of {file}, found {shown(line)}",
                hint="write it as CVAT does: car:128,0,64::",
            )
        found.append((match["name"].strip(), channels[0] << 16 | channels[1] << 8 | channels[2]))
    return found


def _rgb(colour: int) -> str:
    return f"{colour >> 16},{colour >> 8 & 255},{colour & 255}"
