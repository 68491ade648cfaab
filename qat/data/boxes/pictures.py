"""Holds pictures with boxes."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import SettingError
from mobile_sdk.tasks.boxes import Truth
from qat.data.annotated_set import AnnotatedSet, Sides
from qat.data.picture_set import InTwoParts


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DetectionSet(AnnotatedSet[Truth]):
    """Holds pictures (height, width, 3) and their boxes, in the picture's own pixels."""

    def truths_in(self, spec: ImageSpec) -> tuple[Truth, ...]:
        """Returns the pictures' truths, in pixels of the net's input."""
        return tuple(self.known_in(spec))

    def stretched(self, truth: Truth, sides: Sides, onto: Sides) -> Truth:
        """Returns the boxes in a stretched picture."""
        return truth.scaled(onto[0] / sides[0], onto[1] / sides[1])

    def arrays(self, truth: Truth) -> tuple[NDArray[Any], ...]:
        """Returns the boxes, the labels, and whatever else a truth holds."""
        return tuple(getattr(truth, each.name) for each in fields(truth))


def check_truths(pictures: DetectionSet, labels: int) -> None:
    """Raises SettingError, which names the picture, for boxes that are none, and for labels out of range.

    Loaders return none of them; a set that is made by hand may have some.
    """
    for position, (source, truth) in enumerate(zip(pictures.sources, pictures.truths, strict=True)):
        if fault := _fault(truth, source.shape[:2], labels):
            raise SettingError(
                f"expected boxes with an area in their picture, each with a label of 0 to {labels - 1}, found "
                f"{fault} in picture {position}",
                hint="correct the truth, or leave the box out",
            )


def _fault(truth: Truth, sides: tuple[int, ...], labels: int) -> str | None:
    boxes, count = truth.boxes, len(truth.labels)
    if boxes.shape != (count, 4) or truth.labels.shape != truth.is_ignored.shape or truth.labels.ndim != 1:
        return f"boxes {boxes.shape}, labels {truth.labels.shape} and is_ignored {truth.is_ignored.shape}"
    inside = np.clip(boxes, 0, [sides[1], sides[0]] * 2)
    has_area = (inside[:, 2:] > inside[:, :2]).all(axis=1) & np.isfinite(boxes).all(axis=1)
    if not has_area.all():
        return f"left, top, right, bottom of {boxes[~has_area][0].tolist()}"
    has_label = (truth.labels >= 0) & (truth.labels < labels)
    return None if has_label.all() else f"the label {truth.labels[~has_label][0]}"


@dataclass(frozen=True, kw_only=True, repr=False)
class DetectionPictures(InTwoParts[DetectionSet]):
    """Holds pictures with boxes, divided for training and validation."""

    def with_labels(self, labels: Sequence[str]) -> "DetectionPictures":
        """Returns the pictures with their boxes' labels numbered as in `labels`, which has all of their own."""
        index = np.array([labels.index(label) for label in self.labels], np.int64)

        def part(pictures: DetectionSet) -> DetectionSet:
            truths = tuple(replace(truth, labels=index[truth.labels]) for truth in pictures.truths)
            return replace(pictures, truths=truths)

        return DetectionPictures(train=part(self.train), validation=part(self.validation), labels=tuple(labels))
