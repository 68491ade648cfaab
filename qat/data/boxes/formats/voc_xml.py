"""Reads one file of PASCAL VOC's annotations: the size of its picture, and the objects in it.

Source: VOC2012's development kit, `devkit_doc.pdf`, section 10.1. VOC's own files count pixels from 1 and include the
last one, so left and top are one less here; other tools count from 0, and their corners are kept.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from mobile_sdk.errors import DataError
from mobile_sdk.system.regular_file import MIB, read_regular
from qat.data.boxes.annotations import Box, quoted, written_number
from qat.data.folders.listing import listed, printable

HINT = "write it as PASCAL VOC does: <annotation>, <object>, <name>, <bndbox>, <xmin>"
_OWN = "The VOC"  # Database, as <source><database> of VOC's own files says
_MOST_BYTES = 64 * MIB
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_NO, _YES = frozenset(("", "0", "false", "no", "unspecified")), frozenset(("1", "true", "yes"))


class VocPicture(NamedTuple):
    """Holds a file's content; `size` is None if the file has none, or 0."""

    size: tuple[int, int] | None
    boxes: tuple[Box, ...]


def read_voc_xml(file: Path) -> VocPicture:
    """Returns the file's content, difficult objects as ignored ones. DataError names the file and the object."""
    root = _parsed(file)
    if root.tag != "annotation":
        raise DataError(
            f"expected PASCAL VOC's <annotation> in {printable(file)}, found <{quoted(root.tag)}>", hint=HINT
        )
    shift = 1 if _text(root, "source/database").startswith(_OWN) else 0
    boxes = [
        box
        for number, each in enumerate(root.findall("object"), start=1)
        for box in _boxes(each, file, f"object {number}", shift)
    ]
    size = [written_number(_text(root, f"size/{side}") or "0", file, f"size/{side}") for side in ("width", "height")]
    width, height = (int(side) if side.is_integer() else 0 for side in size)
    return VocPicture(size=(width, height) if width and height else None, boxes=tuple(boxes))


def _parsed(file: Path) -> Element:
    """Returns the file's root. A document type, which could name other files or grow without end, is refused."""
    builder, parser = TreeBuilder(), expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise ValueError("a document type (<!DOCTYPE>)")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(read_regular(file, at_most=_MOST_BYTES).lstrip(), True)
    except (OSError, expat.ExpatError, LookupError, ValueError) as error:
        found = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise DataError(f"expected XML in {printable(file)}, found: {found}", hint=HINT) from error
    return builder.close()


def _boxes(element: Element, file: Path, entry: str, shift: int) -> Iterator[Box]:
    """Yields an object's boxes: mostly one, but some tools write several."""
    label, found = _text(element, "name"), element.findall("bndbox")
    if not label or not found:
        others = listed(sorted({child.tag for child in element}))
        raise DataError(
            f"expected a <{'bndbox' if label else 'name'}> in {entry} of {printable(file)}, found {others}", hint=HINT
        )
    difficult = _text(element, "difficult").lower()
    if difficult not in _NO | _YES:
        raise DataError(
            f"expected 0 or 1 as <difficult> in {entry} of {printable(file)}, found {quoted(difficult)}", hint=HINT
        )
    for each in found:
        left, top, right, bottom = (written_number(_text(each, side), file, f"<{side}> of {entry}") for side in _SIDES)
        yield Box(label, (left - shift, top - shift, right, bottom), entry, difficult in _YES)


def _text(element: Element, path: str) -> str:
    """Returns the text at the path below the element, or ""."""
    return (element.findtext(path) or "").strip()
