"""Names, reads and checks the golden pictures' files in a bundle."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.bundle import golden
from mobile_sdk.bundle.golden_tolerance import tolerance_misfit
from mobile_sdk.bundle.manifest import Manifest
from mobile_sdk.bundle.manifest_file import BundleRefusalError
from mobile_sdk.contract import ImageSpec
from mobile_sdk.preprocess import to_bytes
from mobile_sdk.runtimes.base import OutputSpec
from mobile_sdk.tasks.registry import task_of
from mobile_sdk.tasks.task import GoldenFile

MAX_PICTURE_BYTES = 4 * 2**20
_MAX_PICTURE_PX = 2**22


def golden_paths(manifest: Manifest) -> tuple[str, ...]:
    """Returns the files of the golden pictures, relative to the bundle."""
    kinds = _kinds(manifest)
    return tuple(f"golden/{index}.{kind}" for index in range(len(manifest.golden.pictures)) for kind in kinds)


def picture_bytes(folder: Path, image: ImageSpec, index: int) -> NDArray[np.uint8]:
    """Returns RGB bytes (size_px, size_px, 3) of `golden/<index>.png` by the recipe."""
    try:
        with Image.open(BytesIO(_file(folder, index, "png").read_bytes()), formats=["PNG"]) as picture:
            if picture.width * picture.height > _MAX_PICTURE_PX:
                raise ValueError(f"{picture.width} × {picture.height} px")
            return to_bytes(picture, image)
    except Exception as error:  # decoders of damaged files raise anything from SyntaxError to struct.error
        reason = f"expected a golden PNG of at most {_MAX_PICTURE_PX:,} px that decodes, found {str(error)[:80]!r}"
        raise BundleRefusalError("golden", reason) from error


def expected_output(folder: Path, spec: OutputSpec, index: int) -> NDArray[np.generic]:
    """Returns the output, flat, expected of `golden/<index>.png`, in its own dtype."""
    return golden.output_array(_file(folder, index, "output.bin").read_bytes(), spec)


def check_golden(folder: Path, manifest: Manifest) -> None:
    """Raises BundleRefusalError unless every picture gives its input, and its expected output the file of its meaning.

    The outputs together justify the tolerance.
    """
    count = len(manifest.golden.pictures)
    for index in range(count):
        _check_picture(folder, manifest, index)
    outputs = np.stack([expected_output(folder, manifest.interface.output, index) for index in range(count)])
    if reason := tolerance_misfit(manifest, outputs):
        raise BundleRefusalError("golden", reason)


def _check_picture(folder: Path, manifest: Manifest, index: int) -> None:
    _check_sizes(folder, manifest, index)
    spec, expected = manifest.interface, manifest.golden.pictures[index]
    given = golden.input_array(picture_bytes(folder, manifest.image, index), spec.input).tobytes()
    if given != _file(folder, index, "input.bin").read_bytes():
        raise _other(index, "input.bin", "png")
    output, task = expected_output(folder, spec.output, index), task_of(manifest)
    found = int(task.top_classes(output[np.newaxis], manifest)[0])
    if found != expected.top1_index:
        reason = f"expected label {expected.top1_index} to win in golden/{index}.output.bin, found {found}"
        raise BundleRefusalError("golden", reason)
    if task.golden_file is not None:
        _check_meaning(folder, manifest, index, task.golden_file, output)


def _check_sizes(folder: Path, manifest: Manifest, index: int) -> None:
    spec, meaning = manifest.interface, task_of(manifest).golden_file
    taken = {
        "png": (0, MAX_PICTURE_BYTES),
        "input.bin": (golden.input_bytes_count(manifest.image.size_px, spec.input),) * 2,
        "output.bin": (golden.output_bytes_count(spec.output),) * 2,
    } | ({meaning.kind: meaning.sizes(manifest)} if meaning else {})
    for kind, (least, most) in taken.items():
        found = _file(folder, index, kind).stat().st_size
        if not least <= found <= most:
            expected = f"{most:,}" if least == most else f"at most {most:,}"
            raise BundleRefusalError("golden", f"expected {expected} bytes of golden/{index}.{kind}, found {found:,}")


def _check_meaning(
    folder: Path, manifest: Manifest, index: int, meaning: GoldenFile, output: NDArray[np.generic]
) -> None:
    reason = meaning.refusal(_file(folder, index, meaning.kind).read_bytes(), output, manifest)
    if reason:
        raise BundleRefusalError("golden", f"golden/{index}.{meaning.kind}: {reason}")
    if reason is not None:
        raise _other(index, meaning.kind, "output.bin")


def _kinds(manifest: Manifest) -> tuple[str, ...]:
    meaning = task_of(manifest).golden_file
    return ("png", "input.bin", "output.bin", *([meaning.kind] if meaning else []))


def _other(index: int, kind: str, source: str) -> BundleRefusalError:
    reason = f"expected golden/{index}.{kind} to be what golden/{index}.{source} gives, found other"
    return BundleRefusalError("golden", reason)


def _file(folder: Path, index: int, kind: str) -> Path:
    return folder / "golden" / f"{index}.{kind}"
