"""Makes golden pictures and arrays, with which every language and device proves that it computes alike."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.contract import ImageSpec, NetInput, TensorSpec
from mobile_sdk.graph.outputs import joined, separated
from mobile_sdk.preprocess import LabelledPictures, Sample, array_bytes, array_values, png_bytes, upright, upright_rgb
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.input_array import input_array

COUNT = 3
_PROBES = 64  # pictures opened, at most, in the search for different labels
INPUT = "input.bin"  # of bundles that hold the input tensor of a golden picture, not its hash
_LONGER_SIDE_PX = 512  # larger than most nets' input, so that they test the resize
_MOST_PNG_BYTES = 90_000  # every app carries three of them
_SMALLER = 0.8  # the next side to try
_SEED = 20260524


def choose_goldens(pictures: LabelledPictures) -> tuple[Sample, ...]:
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


def generated_goldens(spec: NetInput) -> Iterator[Sample]:
    """Yields three made-up pictures without labels (landscape, portrait, odd size), or three arrays.

    They serve programs whose data are elsewhere. Pictures have noise whose power falls with frequency as in
    photographs, related colours, and light and dark ends: every byte occurs and most of a net's codes are used. Arrays
    are smooth along their sides, use most codes, and reach beyond them. One seed gives one sample.
    """
    seeds = range(_SEED, _SEED + COUNT)
    if isinstance(spec, TensorSpec):
        yield from (_made_up_array(spec, seed=seed) for seed in seeds)
        return
    side = max(96, min(_LONGER_SIDE_PX, 2 * max(spec.height_px, spec.width_px)))
    sizes = ((side * 3 // 4, side), (side, side * 2 // 3), (side - 1, side - 7))
    yield from (_made_up_picture(spec, *size, seed=seed) for size, seed in zip(sizes, seeds, strict=True))


def output_array(data: bytes, interface: Interface) -> NDArray[np.generic]:
    """Returns the output in a `golden/N.output.bin`, flat, or the record (1,) of several."""
    outputs = interface.read_outputs(data)
    return outputs if outputs.dtype.names else outputs.reshape(-1)


def output_bytes_count(interface: Interface) -> int:
    """Returns the length of a `golden/N.output.bin`."""
    return interface.output_type().itemsize


def encode_outputs(scores: NDArray[np.generic], interface: Interface) -> Iterator[bytes]:
    """Yields every picture's `golden/N.output.bin`: its outputs one after another, little-endian."""
    parts = zip(separated(scores), interface.outputs, strict=True)
    in_order = {spec.name: part.astype(np.dtype(spec.dtype).newbyteorder("<")) for part, spec in parts}
    yield from (np.ascontiguousarray(each).tobytes() for each in joined(in_order))


def as_saved(sample: Sample, spec: NetInput) -> Image.Image | NDArray[np.float32]:
    """Returns a golden picture or array as the bundle holds it.

    A picture is upright RGB, with opacity if the net reads that. Its longer side is 512 px at most, and less until its
    PNG has 90,000 bytes at most. An array is its numbers; codes are those that they stand for.
    """
    if isinstance(spec, TensorSpec):
        assert isinstance(sample, np.ndarray)
        return _values_of(sample, spec)
    assert isinstance(sample, Image.Image)
    whole = upright(sample, spec) if spec.channels == 4 else upright_rgb(sample)
    side = _LONGER_SIDE_PX
    while True:
        saved = whole.copy()
        saved.thumbnail((side, side), Image.Resampling.BOX)
        if len(png_bytes(saved)) <= _MOST_PNG_BYTES:
            return saved
        side = int(max(saved.size) * _SMALLER)


def input_digest(stored: NDArray[np.uint8], interface: Interface) -> str:
    """Returns the SHA-256 of the model's input tensor for the bytes of a picture or an array, as an app writes it."""
    return hashlib.sha256(input_array(stored, interface.input).tobytes()).hexdigest()


def _values_of(array: NDArray[Any], spec: TensorSpec) -> NDArray[np.float32]:
    if array.dtype == np.int8:
        return array_values(array_bytes(array, spec), spec)
    values: NDArray[np.float32] = array.astype(np.float32)
    return values


def _made_up_picture(spec: ImageSpec, height_px: int, width_px: int, *, seed: int) -> Image.Image:
    picture = Image.fromarray(_photograph_like(height_px, width_px, seed=seed))
    if spec.channels == 4:
        picture.putalpha(Image.fromarray(_photograph_like(height_px, width_px, seed=seed + COUNT)).convert("L"))
    return picture


def _made_up_array(spec: TensorSpec, *, seed: int) -> NDArray[np.float32]:
    values = np.random.default_rng(seed).standard_normal(spec.shape)
    for axis, size in enumerate(spec.shape):
        if size > 2:
            values = values + np.roll(values, 1, axis)
    values *= 60 * np.float64(spec.scale) / (values.std() or 1.0)
    made_up: NDArray[np.float32] = values.astype(np.float32)
    return made_up


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
