"""Pictures with boxes."""

from dataclasses import dataclass, fields
from typing import Any

from numpy.typing import NDArray

from mobile_sdk.contract import ImageSpec
from mobile_sdk.detections import Truth
from qat.annotated_set import AnnotatedSet, Sides
from qat.picture_set import in_parts


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DetectionSet(AnnotatedSet[Truth]):
    """Pictures (height, width, 3) and what is in each, in its own pixels."""

    def truths_in(self, spec: ImageSpec) -> tuple[Truth, ...]:
        """What is in the pictures, in pixels of the net's."""
        return tuple(self.known_in(spec))

    def stretched(self, truth: Truth, sides: Sides, onto: Sides) -> Truth:
        """The boxes in a stretched picture."""
        return truth.scaled(onto[0] / sides[0], onto[1] / sides[1])

    def arrays(self, truth: Truth) -> tuple[NDArray[Any], ...]:
        """The boxes, the labels, and whatever else a truth says."""
        return tuple(getattr(truth, each.name) for each in fields(truth))


@dataclass(frozen=True, kw_only=True)
class DetectionPictures:
    """Pictures with boxes, parted for training and validation."""

    train: DetectionSet
    validation: DetectionSet
    labels: tuple[str, ...]

    def __repr__(self) -> str:
        """How many there are of each, in one line."""
        return in_parts(self)
