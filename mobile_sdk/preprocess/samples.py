"""Turns what a net reads, a picture or an array, into the bytes of its input."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.contract import ImageSpec, NetInput, TensorSpec
from mobile_sdk.errors import SettingError
from mobile_sdk.preprocess.arrays import array_bytes
from mobile_sdk.preprocess.pictures import picture_bytes

Sample = Image.Image | NDArray[Any]
"""This is a picture, or the array of a net that reads a `tensor`."""
LabelledPictures = Sequence[tuple[Sample, int]]
"""These are pictures, or arrays, with the index of each one's label, for verification."""


def to_bytes(sample: Sample, spec: NetInput) -> NDArray[np.uint8]:
    """Returns the bytes of a picture (height, width, channels), or of an array, as phones store them.

    `mobile_sdk.preprocess.pictures` and `.arrays` say how. Raises SettingError for a picture in place of an array, and
    the other way round.
    """
    if isinstance(spec, ImageSpec):
        return picture_bytes(_expected(sample, Image.Image, "a picture", "open it: PIL.Image.open(path)"), spec)
    if not isinstance(spec, TensorSpec):
        found = type(spec).__name__
        raise SettingError(f"expected an ImageSpec or a TensorSpec, found {found}", hint="give contract.input")
    return array_bytes(_expected(sample, np.ndarray, f"an array {spec.shape}", "load it: numpy.load(path)"), spec)


def _expected(sample: Any, kind: type, words: str, hint: str) -> Any:
    if not isinstance(sample, kind):
        raise SettingError(f"expected {words}, found {type(sample).__name__}", hint=hint)
    return sample
