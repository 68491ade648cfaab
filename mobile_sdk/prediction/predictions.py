"""Defines predictions, one class a task: what a net says of a picture, in the words and figures of both apps."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.prediction.drawing import Mark, draw
from mobile_sdk.preprocess import png_bytes
from mobile_sdk.tasks.segmentation import Masks

Box = tuple[float, float, float, float]
"""This is left, top, right, bottom."""
Line = tuple[str, int | None]
"""This is a line of words, and the index of the class whose colour begins it."""

_MOST_CLASSES = 5  # of a classifier, as on the apps' screens
_MOST_VALUES = 5
_MOST_LISTED = 3  # in a repr
_LONGEST_LABEL = 32


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """Holds a class and its score, 0..1: its probability, or of a mask its share of the pixels."""

    index: int
    label: str
    score: float

    def __str__(self) -> str:
        """Returns a line such as ` 97.1 %  cat`, as wide for every score."""
        return f"{100 * self.score:5.1f} %  {self.label}"


@dataclass(frozen=True, kw_only=True)
class FoundObject(ClassScore):
    """Adds an object's place: its box in pixels of the upright picture.

    `area` is the same box as shares, 0..1, of the part of the picture that the net reads.
    """

    box_px: Box
    area: Box


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction(ABC):
    """Holds what a net says of one picture or array.

    `picture` is the part that the net reads, in RGB, as the apps show it; None of an array. A notebook shows `drawn`.
    """

    picture: Image.Image | None = None

    @abstractmethod
    def lines(self, most: int | None = None) -> Iterator[Line]:
        """Yields the prediction in words, the surest first, and `most` lines at most; None leaves the number open."""

    @abstractmethod
    def fields(self, most: int | None = None) -> dict[str, Any]:
        """Returns the prediction as plain values for JSON, with `most` entries at most."""

    def drawn(self) -> Image.Image:
        """Returns the picture, 720 px wide, with boxes or the mask over it and the words below."""
        return draw(self.picture, list(self.lines()), marks=self._marks(), mask=self._mask())

    def _repr_png_(self) -> bytes:
        return png_bytes(self.drawn())

    def __repr__(self) -> str:
        """Returns the surest classes in one line."""
        scores = list(self._scores())
        listed = [f"{each.label[:_LONGEST_LABEL]!r} {100 * each.score:.1f} %" for each in scores[:_MOST_LISTED]]
        more = ["…"] if len(scores) > _MOST_LISTED else []
        return f"{type(self).__name__}({', '.join(listed + more) or 'nothing found'})"

    def _scores(self) -> tuple[ClassScore, ...]:
        return ()

    def _marks(self) -> tuple[Mark, ...]:
        return ()

    def _mask(self) -> Masks | None:
        return None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ClassPrediction(Prediction):
    """Holds a classifier's classes, all of them, the most probable first."""

    classes: tuple[ClassScore, ...]

    @property
    def label(self) -> str:
        """Returns the most probable class."""
        return self.classes[0].label

    @property
    def score(self) -> float:
        """Returns its probability, 0..1."""
        return self.classes[0].score

    def lines(self, most: int | None = None) -> Iterator[Line]:
        """Yields a line a class, five without `most`."""
        yield from ((str(each), None) for each in self.classes[: most or _MOST_CLASSES])

    def fields(self, most: int | None = None) -> dict[str, Any]:
        """Returns the classes with their probabilities, five without `most`."""
        return {"classes": [_named(each) for each in self.classes[: most or _MOST_CLASSES]]}

    def _scores(self) -> tuple[ClassScore, ...]:
        return self.classes


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class BoxPrediction(Prediction):
    """Holds a detector's objects, the surest first; there may be none."""

    objects: tuple[FoundObject, ...]

    def lines(self, most: int | None = None) -> Iterator[Line]:
        """Yields a line an object."""
        yield from ((str(each), each.index) for each in self.objects[:most])
        if not self.objects:
            yield "Nothing found", None

    def fields(self, most: int | None = None) -> dict[str, Any]:
        """Returns the objects with their boxes in pixels of the upright picture."""
        return {"objects": [{**_named(each), "box_px": list(each.box_px)} for each in self.objects[:most]]}

    def _scores(self) -> tuple[ClassScore, ...]:
        return self.objects

    def _marks(self) -> tuple[Mark, ...]:
        return tuple(Mark(each.area, f"{each.label} {100 * each.score:.0f} %", each.index) for each in self.objects)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MaskPrediction(Prediction):
    """Holds a segmenter's mask, uint8 (height, width) class indices of what the net reads, at the net's size.

    `classes` are those in the mask, with their shares of its pixels, the largest first.
    """

    mask: Masks
    classes: tuple[ClassScore, ...]

    def lines(self, most: int | None = None) -> Iterator[Line]:
        """Yields a line a class of the mask."""
        yield from ((str(each), each.index) for each in self.classes[:most])

    def fields(self, most: int | None = None) -> dict[str, Any]:
        """Returns the classes with their shares of the pixels."""
        return {"classes": [_named(each) for each in self.classes[:most]]}

    def _scores(self) -> tuple[ClassScore, ...]:
        return self.classes

    def _mask(self) -> Masks:
        return self.mask


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class OutputPrediction(Prediction):
    """Holds the outputs of a net without classes (the task `features`), by name, in real values, channels last."""

    outputs: Mapping[str, NDArray[np.float64]]

    def lines(self, most: int | None = None) -> Iterator[Line]:
        """Yields two lines an output: its shape and range, and its first values."""
        yield from islice(self._all_lines(), None if most is None else 2 * most)

    def fields(self, most: int | None = None) -> dict[str, Any]:
        """Returns the outputs, flat."""
        outputs = list(self.outputs.items())[:most]
        return {
            "outputs": [
                {"name": name, "shape": list(values.shape), "values": values.ravel().tolist()}
                for name, values in outputs
            ]
        }

    def __repr__(self) -> str:
        """Returns names and shapes in one line."""
        listed = [f"{name}: {_shape(values)}" for name, values in islice(self.outputs.items(), _MOST_LISTED)]
        more = ["…"] if len(self.outputs) > _MOST_LISTED else []
        return f"{type(self).__name__}({', '.join(listed + more)})"

    def _all_lines(self) -> Iterator[Line]:
        for name, values in self.outputs.items():
            figures = f"{values.min():.4g} to {values.max():.4g}, mean {values.mean():.4g}"
            yield f"{name}  {_shape(values)}: {figures}", None
            more = "  …" if values.size > _MOST_VALUES else ""
            yield "  ".join(f"{value:.4g}" for value in values.ravel()[:_MOST_VALUES]) + more, None


def _named(each: ClassScore) -> dict[str, Any]:
    return {"label": each.label, "score": each.score}


def _shape(values: NDArray[np.float64]) -> str:
    return " × ".join(map(str, values.shape))
