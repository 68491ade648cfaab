"""Checks every box, of whichever format, before anything is learned from it.

| a box                                                          | becomes                                       |
|----------------------------------------------------------------|-----------------------------------------------|
| with a side that is no finite number                           | DataError, which names file and entry         |
| whose right side is left of its left one, or bottom above top  | DataError, which names file and entry         |
| less than a hundredth of a pixel wide or high                  | left out, counted and named                   |
| wholly outside its picture                                     | left out, counted and named                   |
| that is there twice, with one label                            | left out once, counted and named              |
| partly outside its picture                                     | cut at the edge, counted and named            |
| in pixels, but all of them lie between 0 and 1                 | DataError: they are shares of their pictures  |
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import DataError
from mobile_sdk.tasks.boxes import Truth
from qat.data.boxes.annotations import Boxed, BoxedFolder
from qat.data.folders.listing import counted, listed, printable

LEAST_PX = 0.01
"""A box's width and height, and a cut worth reporting, are at least this; rounding in files leaves less."""

WITHOUT_AREA, OUTSIDE, TWICE, CUT = "without area", "outside the picture", "there twice", "cut"
EXCHANGED = "exchanged"
News = Mapping[str, list[str]]
"""Maps what happened to the entries that it happened to; EXCHANGED holds pictures with width and height exchanged."""


def truth_of(each: Boxed, size: tuple[int, int], index: Mapping[str, int]) -> tuple[Truth, News]:
    """Returns the boxes of a picture of `size` px, width and height, by the table above, and what became of the others.

    `index` maps labels to class numbers.
    """
    sides = np.array([box.sides for box in each.boxes], np.float64).reshape(-1, 4)
    if each.are_shares:
        sides = sides * [*size, *size]
    _check(each, sides)
    cut = np.clip(sides, 0, [*size, *size]) + 0.0  # no -0.0
    labels = np.array([index[box.label] for box in each.boxes], np.int64)
    is_ignored = np.array([box.is_ignored for box in each.boxes], np.bool_)
    fate = _fates(sides, cut, np.column_stack([cut, labels, is_ignored]))
    news: dict[str, list[str]] = defaultdict(list)
    for box, what in zip(each.boxes, fate, strict=True):
        if what:
            news[what].append(f"{each.source.name} {box.entry}")
    kept = [what in ("", CUT) for what in fate]
    return Truth(boxes=cut[kept], labels=labels[kept], is_ignored=is_ignored[kept]), news


def check_pixels(found: BoxedFolder) -> None:
    """Raises DataError if all boxes that should be in pixels are between 0 and 1, and so are shares of pictures."""
    pairs = [(each, box) for part in found.parts for each in part if not each.are_shares for box in each.boxes]
    if pairs and all(0 <= side <= 1 for _, box in pairs for side in box.sides):
        each, box = next(((each, box) for each, box in pairs if max(box.sides) > 0), pairs[0])
        raise DataError(
            f"expected boxes in pixels in {printable(found.root)}, found shares of the pictures, 0 to 1, in all "
            f"{len(pairs)}, such as left, top, right, bottom of {list(box.sides)} in {box.entry} of "
            f"{printable(each.source)}",
            hint="multiply them by the pictures' widths and heights",
        )


def news_lines(found: Iterable[News]) -> list[str]:
    """Returns what became of boxes, a line for each kind."""
    entries: dict[str, list[str]] = defaultdict(list)
    for news in found:
        for what, names in news.items():
            entries[what] += names
    lines = [
        f"left out {counted(len(entries[what]), 'box', 'boxes')} {what}: {listed(entries[what])}"
        for what in (WITHOUT_AREA, OUTSIDE, TWICE)
        if entries[what]
    ]
    if names := entries[CUT]:
        lines.append(f"cut {counted(len(names), 'box', 'boxes')} at the picture's edge: {listed(names)}")
    if names := entries[EXCHANGED]:
        lines.append(f"{counted(len(names), 'picture')} said to have width and height exchanged: {listed(names)}")
    return lines


def _check(each: Boxed, sides: NDArray[np.float64]) -> None:
    """Raises DataError for numbers that are no box."""
    with np.errstate(invalid="ignore"):  # infinities
        is_turned = (sides[:, 2:] < sides[:, :2]).any(axis=1)
    for wrong, expected, hint in (
        (~np.isfinite(sides).all(axis=1), "finite numbers as a box's sides", "correct them, or remove the box"),
        (is_turned, "a box whose right is right of its left and bottom below its top", "exchange the sides"),
    ):
        for box, numbers in zip(np.flatnonzero(wrong), sides[wrong].tolist(), strict=True):
            raise DataError(
                f"expected {expected} in {printable(each.source)}, found left, top, right, bottom of {numbers} in "
                f"{each.boxes[box].entry}",
                hint=hint,
            )


def _fates(sides: NDArray[np.float64], cut: NDArray[np.float64], rows: NDArray[np.float64]) -> list[str]:
    """Returns what becomes of each box; "" means that it is taken as it is."""
    is_empty, is_outside = (_least_side(each) < LEAST_PX for each in (sides, cut))
    is_again = np.ones(len(rows), np.bool_)
    is_again[np.unique(rows, axis=0, return_index=True)[1]] = False
    is_cut = np.abs(sides - cut).max(axis=1, initial=0) >= LEAST_PX
    faults = ((is_empty, WITHOUT_AREA), (is_outside, OUTSIDE), (is_again, TWICE), (is_cut, CUT))
    return [next((name for where, name in faults if where[box]), "") for box in range(len(rows))]


def _least_side(sides: NDArray[np.float64]) -> NDArray[np.float64]:
    least: NDArray[np.float64] = (sides[:, 2:] - sides[:, :2]).min(axis=1)
    return least
