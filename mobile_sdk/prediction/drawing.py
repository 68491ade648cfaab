"""Draws a prediction as both apps draw it: the picture that the net reads, places over it, and the words below.

Colours, places of tags, and words are those of the apps' `LabelColors`, `Overlay` and `AnswerWords`.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mobile_sdk.tasks.segmentation import Masks

_GOLDEN_RATIO = 0.618033988749895  # of the circle of hues: neighbours in the list of labels stand far apart
_PALEST = 0.15
_BRIGHT = 0.5
_HALF = 0x80
_WIDTH_PX = 720  # of a phone's screen in portrait, at two pixels a point
_TEXT_PX, _GAP_PX, _LINE_PX = 28, 8, 4
_INK, _PAPER, _SHADOW = (0, 0, 0), (255, 255, 255), (0, 0, 0, 0x60)
_MOST_LINES = 12

Color = tuple[int, int, int]


class Mark(NamedTuple):
    """Holds a box over a picture, as shares of its sides (left, top, right, bottom), and the tag at its corner."""

    area: tuple[float, float, float, float]
    words: str
    label_index: int


def label_color(label_index: int) -> Color:
    """Returns the colour of a label's boxes and pixels: the same label has the same one in every picture."""
    red, green, blue = (int(255 * channel + 0.5) for channel in _channels(label_index))
    return red, green, blue


def text_color(label_index: int) -> Color:
    """Returns black or white, whichever is read better on a label's colour."""
    brightness = sum(part * weight for part, weight in zip(_channels(label_index), (0.3, 0.6, 0.1), strict=True))
    return _INK if brightness > _BRIGHT else _PAPER


def draw(
    picture: Image.Image | None,
    lines: Sequence[tuple[str, int | None]],
    *,
    marks: Sequence[Mark] = (),
    mask: Masks | None = None,
) -> Image.Image:
    """Returns the picture with marks or a mask over it and the lines below, 720 px wide; None is no picture.

    A line has the index of the class whose colour begins it, or None. `mask` holds class indices (height, width).
    """
    shown = _overlaid(picture, marks, mask) if picture else Image.new("RGB", (_WIDTH_PX, 0))
    words = [*lines[:_MOST_LINES]] + ([(f"and {len(lines) - _MOST_LINES} more", None)] if lines[_MOST_LINES:] else [])
    height = shown.height + len(words) * (_TEXT_PX + _GAP_PX) + 2 * _GAP_PX
    page = Image.new("RGB", (_WIDTH_PX, height), _PAPER)
    page.paste(shown)
    pen, top = ImageDraw.Draw(page), shown.height + _GAP_PX
    for words_of_line, label_index in words:
        left = _GAP_PX
        if label_index is not None:
            pen.rectangle((left, top + 6, left + 20, top + 26), label_color(label_index))
            left += _TEXT_PX
        pen.text((left, top), words_of_line, _INK, _font())
        top += _TEXT_PX + _GAP_PX
    return page


def _overlaid(picture: Image.Image, marks: Sequence[Mark], mask: Masks | None) -> Image.Image:
    height = max(1, round(picture.height * _WIDTH_PX / picture.width))
    shown = picture.convert("RGB").resize((_WIDTH_PX, height), Image.Resampling.BILINEAR)
    if mask is not None:
        palette = np.array([(*label_color(index), _HALF) for index in range(256)], np.uint8)
        over = Image.fromarray(palette[mask]).resize(shown.size, Image.Resampling.NEAREST)
        shown.paste(over, mask=over)
    for mark in reversed(marks):  # the surest is drawn last
        _draw_mark(shown, mark)
    return shown


def _draw_mark(shown: Image.Image, mark: Mark) -> None:
    (left, top, right, bottom), color = mark.area, label_color(mark.label_index)
    box = (left * shown.width, top * shown.height, right * shown.width, bottom * shown.height)
    pen = ImageDraw.Draw(shown, "RGBA")
    for line_px, each in ((2 * _LINE_PX, _SHADOW), (_LINE_PX, color)):
        pen.rectangle(box, outline=each, width=line_px)
    width, height = _font().getlength(mark.words) + 2 * _GAP_PX, _TEXT_PX + _GAP_PX
    start = max(0.0, min(box[0], shown.width - width))
    above = box[1] - height if box[1] - height >= 0 else box[1]
    pen.rectangle((start, above, start + width, above + height), color)
    pen.text((start + _GAP_PX, above + _GAP_PX / 4), mark.words, text_color(mark.label_index), _font())


def _channels(label_index: int) -> list[float]:
    """Returns red, green and blue of the label's hue, 0..1."""
    hue = label_index * _GOLDEN_RATIO % 1
    distances = [abs((hue * 3 + third) % 3 - 1.5) / 1.5 for third in (0, 2, 1)]
    return [_PALEST + (1 - _PALEST) * min(max(2 * distance - 0.5, 0.0), 1.0) for distance in distances]


@cache
def _font() -> ImageFont.FreeTypeFont:
    import matplotlib as mpl  # for its font alone, which has more alphabets than Pillow's

    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", _TEXT_PX)
