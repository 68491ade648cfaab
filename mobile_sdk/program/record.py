"""Records how a program was made, and how well it does its task."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mobile_sdk.contract import Part
from mobile_sdk.document import FiniteJson
from mobile_sdk.program.agreement import Agreement, OutputNoise
from mobile_sdk.tasks.quality import Quality


class FrontierPoint(Part):
    """Holds one choice of bits: `layer`, and those of the points before it, have 4 bits, all others 8.

    `weight_bytes` are those of all weights in a model file, `noise_share` is what the layer adds at 4 bits, alone.
    `predicted_db` is the SQNR of the scores if noises add up; `measured_db` is that of the calibrated net.
    """

    layer: Annotated[str | None, Field(exclude_if=lambda layer: layer is None)] = None  # all have 8
    weight_bytes: Annotated[int, Field(ge=0)]
    noise_share: Annotated[float, Field(ge=0)] = 0.0
    predicted_db: float
    measured_db: Annotated[float | None, Field(exclude_if=lambda decibels: decibels is None)] = None


class BitAllocation(Part):
    """Records how 4 or 8 bits were chosen for every layer: for weights of `max_mib`, or scores of `min_db`.

    The scores are those on `images` that calibration did not see. `chosen` is an index of `frontier`, which goes from
    8 bits everywhere to 4 wherever they can be.
    """

    max_mib: Annotated[float | None, Field(gt=0)] = None
    min_db: float | None = None
    images: Annotated[int, Field(ge=1)]
    frontier: Annotated[tuple[FrontierPoint, ...], Field(min_length=1)]
    chosen: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _is_on_the_frontier(self) -> "BitAllocation":
        if self.chosen >= len(self.frontier):
            raise ValueError(f"expected one of {len(self.frontier)} points of the frontier, found {self.chosen}")
        return self

    @property
    def point(self) -> FrontierPoint:
        """Returns the chosen point."""
        return self.frontier[self.chosen]

    @property
    def bits(self) -> dict[str, int]:
        """Returns the bits of every layer that can have four, by name, the one that costs least first."""
        return {
            point.layer: 4 if index <= self.chosen else 8 for index, point in enumerate(self.frontier) if point.layer
        }


class Record(Part):
    """Records how a program was made; it is for people, and nothing computes with it.

    `outputs` has an entry for each output of a task that nothing else measures. `history` has one entry per epoch,
    `settings` the settings of the net and the training, `versions` the packages. `bit_allocation` says how the bits of
    layers were chosen, where they were.
    """

    net: str
    quantized: Literal["float32", "calibrated", "qat"]
    float_quality: Quality | None = None
    reference_quality: Quality | None = None
    agreement: Agreement | None = None
    outputs: Annotated[tuple[OutputNoise, ...], Field(exclude_if=lambda outputs: not outputs)] = ()
    history: tuple[dict[str, FiniteJson], ...] = ()
    settings: dict[str, FiniteJson] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    bit_allocation: Annotated[BitAllocation | None, Field(exclude_if=lambda choice: choice is None)] = None
