"""Records how a program was made, and how well it does its task."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mobile_sdk.contract import Part
from mobile_sdk.document import FiniteJson
from mobile_sdk.program.agreement import Agreement, Decisions, OutputNoise
from mobile_sdk.tasks.quality import Quality


class FrontierPoint(Part):
    """Holds one choice of bits: `layer` is the one by which it differs from the next point towards 8 bits everywhere.

    `weight_bytes` are those of all weights in a model file, `noise_share` is what the layer's weights add, alone: at 4
    bits, or at 8 if the point keeps the layer in float32. `predicted_db` is the SQNR of the scores if noises add up;
    `measured_db` is that of the calibrated net, and `measured_accuracy` its accuracy, 0 to 1.
    """

    layer: Annotated[str | None, Field(exclude_if=lambda layer: layer is None)] = None  # all have 8
    weight_bytes: Annotated[int, Field(ge=0)]
    noise_share: Annotated[float, Field(ge=0)] = 0.0
    predicted_db: float
    measured_db: Annotated[float | None, Field(exclude_if=lambda decibels: decibels is None)] = None
    measured_accuracy: Annotated[float | None, Field(ge=0, le=1, exclude_if=lambda share: share is None)] = None


def int8_index(frontier: Sequence[FrontierPoint]) -> int:
    """Returns the index of the point with 8 bits everywhere, the only one without a layer; ValueError without one."""
    return [point.layer for point in frontier].index(None)


class BitAllocation(Part):
    """Records how the bits of every layer were chosen: for weights of `max_mib`, or scores of `min_db` or an accuracy.

    The SQNR is that on `images` that calibration did not see, the accuracy that on `accuracy_images` with classes.
    `chosen` is an index of `frontier`, which goes from the largest weights to the smallest: the points before that of
    8 bits everywhere keep their layer, and those of the points between, in float32; the points after it give them 4
    bits.
    """

    max_mib: Annotated[float | None, Field(gt=0)] = None
    min_db: float | None = None
    min_accuracy: Annotated[float | None, Field(ge=0, le=1, exclude_if=lambda share: share is None)] = None
    images: Annotated[int, Field(ge=1)]
    accuracy_images: Annotated[int | None, Field(ge=1, exclude_if=lambda count: count is None)] = None
    frontier: Annotated[tuple[FrontierPoint, ...], Field(min_length=1)]
    chosen: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _is_on_the_frontier(self) -> "BitAllocation":
        if self.chosen >= len(self.frontier):
            raise ValueError(f"expected one of {len(self.frontier)} points of the frontier, found {self.chosen}")
        if sum(point.layer is None for point in self.frontier) != 1:
            raise ValueError("expected one point of the frontier without a layer, found none or several")
        return self

    @property
    def point(self) -> FrontierPoint:
        """Returns the chosen point."""
        return self.frontier[self.chosen]

    @property
    def int8_point(self) -> FrontierPoint:
        """Returns the point with 8 bits everywhere."""
        return self.frontier[int8_index(self.frontier)]

    @property
    def in_float(self) -> tuple[str, ...]:
        """Returns the layers that are kept in float32, the noisiest for a byte first."""
        kept = self.frontier[self.chosen : int8_index(self.frontier)]
        return tuple(point.layer for point in reversed(kept) if point.layer)

    @property
    def bits(self) -> dict[str, int]:
        """Returns the bits of every layer that can have four and is not in float32, the one that costs least first."""
        start, kept = int8_index(self.frontier), self.in_float
        return {
            point.layer: 4 if index <= self.chosen else 8
            for index, point in enumerate(self.frontier)
            if index > start and point.layer and point.layer not in kept
        }


class Record(Part):
    """Records how a program was made; it is for people, and nothing computes with it.

    `decisions` tell which images a classifier gets wrong. `outputs` has an entry for each output of a task that nothing
    else measures. `history` has one entry per epoch, `settings` those of the net and the training, `versions` the
    packages. `bit_allocation` says how the bits of layers were chosen, where they were.
    """

    net: str
    quantized: Literal["float32", "calibrated", "qat"]
    float_quality: Quality | None = None
    reference_quality: Quality | None = None
    agreement: Agreement | None = None
    decisions: Annotated[Decisions | None, Field(exclude_if=lambda decisions: decisions is None)] = None
    outputs: Annotated[tuple[OutputNoise, ...], Field(exclude_if=lambda outputs: not outputs)] = ()
    history: tuple[dict[str, FiniteJson], ...] = ()
    settings: dict[str, FiniteJson] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    bit_allocation: Annotated[BitAllocation | None, Field(exclude_if=lambda choice: choice is None)] = None
