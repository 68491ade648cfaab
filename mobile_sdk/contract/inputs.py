"""Describes a net's input: what an app makes of a picture before the net reads it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mobile_sdk.contract.part import Part

Channels = tuple[float, float, float]


class ImageSpec(Part):
    """Describes how a picture becomes `size_px` × `size_px` RGB bytes, and what the bytes mean to the net.

    The resize recipe is: cut the central square whose side is `crop_share` of the shorter side (`fit="crop"`), or take
    the whole picture (`fit="stretch"`); then Pillow's `resize(BILINEAR)`, rows first. The net's float input is
    `(byte - mean_byte) / std_byte`, per channel.

    The defaults make the input exact in int8: scale 1/128, zero point 0, one pad colour for all channels.
    """

    kind: Literal["image"] = "image"
    size_px: Annotated[int, Field(ge=8, le=4096)] = 224
    fit: Literal["crop", "stretch"] = "crop"
    crop_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    mean_byte: Channels = (128.0, 128.0, 128.0)
    std_byte: Channels = (128.0, 128.0, 128.0)

    @model_validator(mode="after")
    def _check(self) -> "ImageSpec":
        if not all(0 <= mean <= 255 for mean in self.mean_byte):
            raise ValueError(f"mean_byte must lie in 0..255 (byte units), not {self.mean_byte}")
        if not all(1 <= std <= 1024 for std in self.std_byte):
            raise ValueError(f"std_byte must lie in 1..1024 (byte units, not 0..1), not {self.std_byte}")
        return self

    @classmethod
    def torchvision(cls, size_px: int = 224) -> "ImageSpec":
        """Returns the preprocessing of PyTorch's ImageNet checkpoints: the central 7/8, ImageNet's mean and std.

        Source: torchvision `transforms/_presets.py`, ImageClassification: mean 0.485 0.456 0.406, std 0.229 0.224 0.225
        of 255.
        """
        return cls(
            size_px=size_px, crop_share=0.875, mean_byte=(123.675, 116.28, 103.53), std_byte=(58.395, 57.12, 57.375)
        )

    @property
    def pad_byte(self) -> int:
        """Returns the byte that the integer net pads with: the mean colour, rounded, averaged over the channels."""
        return round(sum(self.mean_byte) / 3)

    @property
    def step_byte(self) -> float:
        """Returns bytes per unit of the integer net's input: `real = (byte - pad_byte) / step_byte` in each channel."""
        return sum(self.std_byte) / 3

    @property
    def is_uniform(self) -> bool:
        """Tells whether one scale and zero point express `mean_byte` and `std_byte` exactly."""
        return self.mean_byte == (float(self.pad_byte),) * 3 and self.std_byte == (self.step_byte,) * 3
