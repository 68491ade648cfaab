"""Measures how well a net does its task: one number with the name of its measure, on so many images."""

from typing import Annotated

from pydantic import Field

from mobile_sdk.contract import Part
from mobile_sdk.tasks.class_quality import ByClass

Share = Annotated[float, Field(ge=0, le=1)]


class Quality(Part):
    """Holds the `value`, 0..1, of a task's measure on so many images.

    `by_class` has this measure of each label, in the contract's order; it is None for a label that no image shows.
    `others` are further measures by their names.
    """

    measure: Annotated[str, Field(min_length=1, max_length=64)]
    value: Share
    images: Annotated[int, Field(ge=1, le=2**31 - 1)]
    by_class: Annotated[ByClass | None, Field(exclude_if=lambda values: values is None)] = None
    others: dict[str, Share] = Field(default_factory=dict, exclude_if=lambda values: not values)

    def __str__(self) -> str:
        """Returns the measure, its value and the number of images, in one line."""
        return f"{self.measure} {self.value:.1%} of {self.images:,} images"

    @property
    def correct(self) -> int:
        """Returns the number of images that are right, if the value is their share."""
        return round(self.value * self.images)
