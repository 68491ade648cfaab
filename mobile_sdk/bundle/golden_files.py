"""The golden pictures' files in a bundle: what they are called, how they are read, and what is refused of them."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from mobile_sdk.bundle import golden
from mobile_sdk.bundle.manifest import BundleRefusalError, Manifest
from mobile_sdk.contract import ImageSpec, Task
from mobile_sdk.preprocess import to_bytes
from mobile_sdk.runtimes.base import OutputSpec
from mobile_sdk.tasks.golden_detections import GoldenDetections, golden_detections
from mobile_sdk.tasks.top_classes import winners

MAX_PICTURE_BYTES = 4 * 2**20
_MAX_PICTURE_PX = 2**22
_MAX_DETECTIONS_BYTES = 2**20  # a thousand detections take a fifth of it
_MEANING: dict[Task, tuple[str, ...]] = {  # what an output means, written beside it
    "classification": (),
    "detection": ("detections.json",),
    "segmentation": ("mask.bin",),
}


def golden_paths(manifest: Manifest) -> tuple[str, ...]:
    """The files of the golden pictures, relative to the bundle."""
    kinds = ("png", "input.bin", "output.bin", *_MEANING[manifest.task])
    return tuple(f"golden/{index}.{kind}" for index in range(len(manifest.golden.pictures)) for kind in kinds)


def picture_bytes(folder: Path, image: ImageSpec, index: int) -> NDArray[np.uint8]:
    """RGB bytes (size_px, size_px, 3) of `golden/<index>.png` by the recipe."""
    try:
        with Image.open(BytesIO(_file(folder, index, "png").read_bytes()), formats=["PNG"]) as picture:
            if picture.width * picture.height > _MAX_PICTURE_PX:
                raise ValueError(f"{picture.width} × {picture.height} px")
            return to_bytes(picture, image)
    except Exception as error:  # decoders of damaged files raise anything from SyntaxError to struct.error
        reason = f"expected a golden PNG of at most {_MAX_PICTURE_PX:,} px that decodes, found {str(error)[:80]!r}"
        raise BundleRefusalError("golden", reason) from error


def expected_output(folder: Path, spec: OutputSpec, index: int) -> NDArray[np.generic]:
    """The output, flat, expected of `golden/<index>.png`, in its own dtype."""
    return golden.output_array(_file(folder, index, "output.bin").read_bytes(), spec)


def check_golden(folder: Path, manifest: Manifest, index: int) -> None:
    """Raises BundleRefusalError unless the picture gives the input, and the expected output what is said of it."""
    _check_sizes(folder, manifest, index)
    spec, expected = manifest.interface, manifest.golden.pictures[index]
    given = golden.input_array(picture_bytes(folder, manifest.image, index), spec.input).tobytes()
    if given != _file(folder, index, "input.bin").read_bytes():
        raise _other(index, "input.bin", "png")
    output = expected_output(folder, spec.output, index)
    found = int(winners(output[np.newaxis], manifest)[0])
    if found != expected.top1_index:
        reason = f"expected label {expected.top1_index} to win in golden/{index}.output.bin, found {found}"
        raise BundleRefusalError("golden", reason)
    if expected.label_index is not None and expected.label_index >= len(manifest.labels):
        found = expected.label_index
        raise BundleRefusalError("golden", f"expected golden {index} to have one of the labels, found index {found}")
    if manifest.task == "detection":
        _check_detections(folder, index, golden_detections(output, manifest))
    if manifest.task == "segmentation":
        _check_mask(folder, index, golden.golden_mask(output, manifest))


def _check_sizes(folder: Path, manifest: Manifest, index: int) -> None:
    side, spec = manifest.image.size_px, manifest.interface
    exact = {
        "input.bin": golden.input_bytes_count(side, spec.input),
        "output.bin": golden.output_bytes_count(spec.output),
        "mask.bin": side * side,
    }
    most = {"png": MAX_PICTURE_BYTES, "detections.json": _MAX_DETECTIONS_BYTES}
    for kind in ("png", "input.bin", "output.bin", *_MEANING[manifest.task]):
        found = _file(folder, index, kind).stat().st_size
        if found != exact.get(kind, found) or found > most.get(kind, found):
            expected = f"{exact[kind]:,}" if kind in exact else f"at most {most[kind]:,}"
            raise BundleRefusalError("golden", f"expected {expected} bytes of golden/{index}.{kind}, found {found:,}")


def _check_detections(folder: Path, index: int, expected: GoldenDetections) -> None:
    try:
        written = _file(folder, index, "detections.json").read_bytes()
        found = GoldenDetections.model_validate_json(written, strict=True)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise BundleRefusalError("golden", f"golden/{index}.detections.json: {reason}") from error
    if not found.is_near(expected):
        raise _other(index, "detections.json", "output.bin")


def _check_mask(folder: Path, index: int, expected: bytes) -> None:
    if _file(folder, index, "mask.bin").read_bytes() != expected:
        raise _other(index, "mask.bin", "output.bin")


def _other(index: int, kind: str, source: str) -> BundleRefusalError:
    reason = f"expected golden/{index}.{kind} to be what golden/{index}.{source} gives, found other"
    return BundleRefusalError("golden", reason)


def _file(folder: Path, index: int, kind: str) -> Path:
    return folder / "golden" / f"{index}.{kind}"
