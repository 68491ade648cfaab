"""Makes golden pictures, with which every language and device proves that it computes alike."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.contract import ImageSpec
from mobile_sdk.preprocess import LabelledPictures, upright_rgb
from mobile_sdk.runtimes.base import InputSpec, OutputSpec

COUNT = 3
_PROBES = 64  # pictures opened, at most, in the search for different labels
_LONGER_SIDE_PX = 512  # every app carries them; larger than most nets' input, so that they test the resize
_SEED = 20260524


def choose_goldens(pictures: LabelledPictures) -> tuple[Image.Image, ...]:
    """Returns three of `pictures`, always the same three.

    They have different labels if there are such among 64 of them.
    """
    positions = golden_positions(len(pictures), lambda position: int(pictures[position][1]))
    return tuple(pictures[position][0] for position in positions)


def golden_positions(count: int, label_at: Callable[[int], int]) -> tuple[int, ...]:
    """Returns the positions of the three that `choose_goldens` takes of `count` pictures with such labels."""
    probes = sorted({position * count // _PROBES for position in range(_PROBES)})
    chosen: dict[int, int] = {}
    others: list[int] = []
    for probe in probes if count else ():
        label = label_at(probe)
        if label not in chosen:
            chosen[label] = probe
        elif len(others) < COUNT:
            others.append(probe)
        if len(chosen) == COUNT:
            break
    return (*chosen.values(), *others)[:COUNT]


def generated_goldens(image: ImageSpec) -> tuple[Image.Image, ...]:
    """Returns three made-up pictures without labels: landscape, portrait, odd size.

    They serve programs whose data are elsewhere. They have noise whose power falls with frequency as in photographs,
    related colours, and light and dark ends: every byte occurs and most of a net's codes are used. One seed gives one
    picture.
    """
    side = max(96, min(_LONGER_SIDE_PX, 2 * image.size_px))
    sizes = ((side * 3 // 4, side), (side, side * 2 // 3), (side - 1, side - 7))
    return tuple(Image.fromarray(_photograph_like(*size, seed=_SEED + index)) for index, size in enumerate(sizes))


def input_array(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.generic]:
    """Returns the content of the model's input tensor for RGB bytes (H, W, 3).

    For dtype "image" those bytes themselves.
    """
    if spec.dtype == "image":
        return pixels
    values = pixels.astype(np.int16) + spec.byte_offset
    if spec.layout == "NCHW":
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values, dtype=np.dtype(spec.dtype).newbyteorder("<"))


def output_array(data: bytes, spec: OutputSpec) -> NDArray[np.generic]:
    """Returns the scores (classes,) in a `golden/N.output.bin`."""
    return np.frombuffer(data, dtype=np.dtype(spec.dtype).newbyteorder("<")).astype(spec.dtype)


def input_bytes_count(size_px: int, spec: InputSpec) -> int:
    """Returns the length of a `golden/N.input.bin`."""
    itemsize = 1 if spec.dtype == "image" else np.dtype(spec.dtype).itemsize
    return size_px * size_px * 3 * itemsize


def output_bytes_count(spec: OutputSpec) -> int:
    """Returns the length of a `golden/N.output.bin`."""
    return math.prod(spec.shape) * np.dtype(spec.dtype).itemsize


def encode_output(scores: NDArray[np.generic], spec: OutputSpec) -> bytes:
    """Returns the bytes of a `golden/N.output.bin`, little-endian."""
    return np.ascontiguousarray(scores, dtype=np.dtype(spec.dtype).newbyteorder("<")).tobytes()


def portable(picture: Image.Image) -> Image.Image:
    """Returns the picture as it is saved: upright RGB of at most 512 px."""
    rgb = upright_rgb(picture)
    rgb.thumbnail((_LONGER_SIDE_PX, _LONGER_SIDE_PX), Image.Resampling.BOX)
    return rgb


def _photograph_like(height_px: int, width_px: int, *, seed: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    vertical, horizontal = np.fft.fftfreq(height_px)[:, None], np.fft.rfftfreq(width_px)[None, :]
    frequency = np.maximum(np.hypot(vertical, horizontal), 1 / max(height_px, width_px))
    planes = []
    for _ in range(3):
        phases = np.exp(2j * np.pi * random.random(frequency.shape))
        plane = np.fft.irfft2(phases / frequency**1.3, s=(height_px, width_px))
        planes.append((plane - plane.mean()) / plane.std())
    light, warm, green = planes
    mixed = np.stack([light + 0.4 * warm, light + 0.3 * green, light - 0.4 * warm], axis=-1)
    pixels: NDArray[np.uint8] = np.clip(np.rint(128 + 70 * mixed), 0, 255).astype(np.uint8)
    return pixels
