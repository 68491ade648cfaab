"""Turns pictures and arrays into the bytes that a net reads, as the apps do."""

from mobile_sdk.preprocess.arrays import array_bytes, array_values
from mobile_sdk.preprocess.pictures import (
    central_part,
    check_picture,
    decode_picture,
    open_header,
    open_picture,
    open_stored_picture,
    picture_bytes,
    png_bytes,
    save_png,
    stored_rgb,
    stretched,
    upright,
    upright_rgb,
)
from mobile_sdk.preprocess.samples import LabelledPictures, Sample, to_bytes

__all__ = [
    "LabelledPictures",
    "Sample",
    "array_bytes",
    "array_values",
    "central_part",
    "check_picture",
    "decode_picture",
    "open_header",
    "open_picture",
    "open_stored_picture",
    "picture_bytes",
    "png_bytes",
    "save_png",
    "stored_rgb",
    "stretched",
    "to_bytes",
    "upright",
    "upright_rgb",
]
