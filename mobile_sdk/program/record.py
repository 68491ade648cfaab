"""Records how a program was made, and how well it does its task."""

from typing import Annotated, Literal

from pydantic import Field

from mobile_sdk.contract import Part
from mobile_sdk.document import FiniteJson
from mobile_sdk.tasks.quality import Quality


class Agreement(Part):
    """Holds how near the int8 reference comes to the float net, on held-out images."""

    top1_agreement: Annotated[float, Field(ge=0, le=1)]  # the share of images with equal winners
    sqnr_db: float | None  # of the scores; None without any noise
    images: Annotated[int, Field(ge=1)]


class OutputNoise(Part):
    """Holds how near one output of the int8 reference comes to the float net's, on held-out images."""

    name: str
    sqnr_db: float | None  # None without any noise
    largest_difference: Annotated[float, Field(ge=0)]  # of two values, in the output's own unit
    images: Annotated[int, Field(ge=1)]


class Record(Part):
    """Records how a program was made; it is for people, and nothing computes with it.

    `outputs` has an entry for each output of a task that nothing else measures. `history` has one entry per epoch,
    `settings` the settings of the net and the training, `versions` the packages.
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
