"""The record: how a program came about, and how well it does its task."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from mobile_sdk.contract import Part
from mobile_sdk.tasks.quality import Quality


class Agreement(Part):
    """How near the int8 reference comes to the float net, on held-out images."""

    top1_agreement: Annotated[float, Field(ge=0, le=1)]  # of images, the share with the same winner
    sqnr_db: float | None  # of the scores; None without any noise
    images: Annotated[int, Field(ge=1)]


class Record(Part):
    """How a program came about: told to people, never computed with.

    `history` has one entry per epoch, `settings` what the net and the training were asked for, `versions` the packages.
    """

    net: str
    quantized: Literal["float32", "calibrated", "qat"]
    float_quality: Quality | None = None
    reference_quality: Quality | None = None
    agreement: Agreement | None = None
    history: tuple[dict[str, JsonValue], ...] = ()
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
