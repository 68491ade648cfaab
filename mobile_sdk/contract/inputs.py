"""Describes a net's input: a picture and what an app makes of it, or an array of numbers."""

import struct
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from mobile_sdk.contract.part import SIDE, SIDES, Part

LARGEST_FLOAT32 = 3.4028234663852886e38
LEAST_SIDE_PX, MOST_SIDE_PX = 8, 4096
Side = Annotated[int, Field(ge=LEAST_SIDE_PX, le=MOST_SIDE_PX)]
SizePx = int | tuple[int, int]
"""This is the side of a square, or height and width."""


def _one_or_two(value: Any) -> str:
    return SIDES if isinstance(value, list | tuple) else SIDE


def _square_as_one(size: SizePx) -> SizePx:
    return size[0] if isinstance(size, tuple) and size[0] == size[1] else size


def _as_float32(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0]) if value <= LARGEST_FLOAT32 else value


class ImageSpec(Part):
    """Describes how a picture becomes bytes, and what the bytes mean to the net.

    `size_px` is the side of a square, or (height, width). `channels` is 3 for RGB, 1 for grey, 4 for RGB and opacity;
    `mean_byte` and `std_byte` have a number for each.

    The resize recipe is: cut the largest central part of the size's proportions, whose sides are then `crop_share` of
    it (`fit="crop"`), or take the whole picture (`fit="stretch"`); then Pillow's `resize(BILINEAR)`, rows first. The
    net's float input is `(byte - mean_byte) / std_byte`, per channel.

    The defaults make the input exact in int8: scale 1/128, zero point 0, one pad colour for all channels.
    """

    kind: Literal["image"] = "image"
    size_px: Annotated[
        Annotated[Side, Tag(SIDE)] | Annotated[tuple[Side, Side], Tag(SIDES)],
        Discriminator(_one_or_two),
        AfterValidator(_square_as_one),
    ] = 224
    channels: Annotated[Literal[1, 3, 4], Field(exclude_if=lambda channels: channels == 3)] = 3
    fit: Literal["crop", "stretch"] = "crop"
    crop_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    mean_byte: tuple[float, ...] = Field(default_factory=lambda given: (128.0,) * given.get("channels", 3))
    std_byte: tuple[float, ...] = Field(default_factory=lambda given: (128.0,) * given.get("channels", 3))

    @model_validator(mode="after")
    def _check(self) -> "ImageSpec":
        for name, values in (("mean_byte", self.mean_byte), ("std_byte", self.std_byte)):
            if len(values) != self.channels:
                raise ValueError(f"{name} must have a number for each of {self.channels} channels, not {values}")
        if not all(0 <= mean <= 255 for mean in self.mean_byte):
            raise ValueError(f"mean_byte must lie in 0..255 (byte units), not {self.mean_byte}")
        if not all(1 <= std <= 1024 for std in self.std_byte):
            raise ValueError(f"std_byte must lie in 1..1024 (byte units, not 0..1), not {self.std_byte}")
        return self

    @classmethod
    def torchvision(cls, size_px: SizePx = 224) -> "ImageSpec":
        """Returns the preprocessing of PyTorch's ImageNet checkpoints: the central 7/8, ImageNet's mean and std.

        Source: torchvision `transforms/_presets.py`, ImageClassification: mean 0.485 0.456 0.406, std 0.229 0.224 0.225
        of 255.
        """
        return cls(
            size_px=size_px, crop_share=0.875, mean_byte=(123.675, 116.28, 103.53), std_byte=(58.395, 57.12, 57.375)
        )

    @property
    def height_px(self) -> int:
        """Returns the picture's rows."""
        return self.size_px if isinstance(self.size_px, int) else self.size_px[0]

    @property
    def width_px(self) -> int:
        """Returns the picture's columns."""
        return self.size_px if isinstance(self.size_px, int) else self.size_px[1]

    @property
    def shape(self) -> tuple[int, ...]:
        """Returns (channels, height, width), as nets read it."""
        return self.channels, self.height_px, self.width_px

    @property
    def pad_byte(self) -> int:
        """Returns the byte that the integer net pads with: the mean colour, rounded, averaged over the channels."""
        return round(sum(self.mean_byte) / self.channels)

    @property
    def step_byte(self) -> float:
        """Returns bytes per unit of the integer net's input: `real = (byte - pad_byte) / step_byte` in each channel."""
        return sum(self.std_byte) / self.channels

    @property
    def scale(self) -> float:
        """Returns the step of the integer net's codes."""
        return 1 / self.step_byte

    @property
    def zero_point(self) -> int:
        """Returns the code of zero."""
        return self.pad_byte - 128

    @property
    def is_uniform(self) -> bool:
        """Tells whether one scale and zero point express `mean_byte` and `std_byte` exactly."""
        means, stds = (float(self.pad_byte),) * self.channels, (self.step_byte,) * self.channels
        return self.mean_byte == means and self.std_byte == stds

    @property
    def noun(self) -> str:
        """Returns what one of its samples is called."""
        return "picture"

    @property
    def is_square_rgb(self) -> bool:
        """Tells whether it has one side and three channels, as all images had in earlier schemas."""
        return isinstance(self.size_px, int) and self.channels == 3

    @property
    def colours(self) -> str:
        """Returns what its channels are, in words."""
        return {1: "grey", 3: "RGB", 4: "RGB and opacity"}[self.channels]

    def __str__(self) -> str:
        """Returns size and channels, in words."""
        return f"{self.height_px} × {self.width_px} px, {self.colours} bytes"


class TensorSpec(Part):
    """Describes an array of numbers that a net reads: a spectrogram, a window of a sensor's values.

    `shape` is PyTorch's without the batch: (channels, height, width), (tokens, columns) or (numbers,). A number's code
    is `round(number / scale) + zero_point`, computed in double precision, ties to even, and no less than -128 and no
    more than 127.
    """

    kind: Literal["tensor"] = "tensor"
    shape: Annotated[tuple[Annotated[int, Field(ge=1, le=2**16)], ...], Field(min_length=1, max_length=3)]
    scale: Annotated[float, AfterValidator(_as_float32), Field(ge=2.0**-100, le=2.0**100)]
    zero_point: Annotated[int, Field(ge=-128, le=127)]

    @classmethod
    def of_range(cls, shape: Sequence[int], low: float, high: float) -> Self:
        """Returns the input whose 256 codes span `low` to `high`, and zero, which is a code itself."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = _as_float32((high - low) / 255) or 1.0
        return cls(shape=tuple(shape), scale=scale, zero_point=max(-128, min(127, round(-128 - low / scale))))

    @property
    def noun(self) -> str:
        """Returns what one of its samples is called."""
        return "array"

    @property
    def pad_byte(self) -> int:
        """Returns the byte of zero; an array's bytes are its codes plus 128."""
        return self.zero_point + 128

    @property
    def is_uniform(self) -> bool:
        """Tells that one scale and zero point express all numbers."""
        return True

    def __str__(self) -> str:
        """Returns the shape, in words."""
        return f"array of {' × '.join(map(str, self.shape))} int8 codes"


NetInput = ImageSpec | TensorSpec
"""This is what a net reads."""


def stored_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Returns the shape in which a phone stores an input of a net's `shape`: maps (C, H, W) as (H, W, C)."""
    return (*shape[1:], shape[0]) if len(shape) == 3 else tuple(shape)
