"""Names, reads and checks the golden pictures' files in a bundle."""

from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.bundle import golden
from mobile_sdk.bundle.golden_tolerance import tolerance_misfit
from mobile_sdk.bundle.manifest import Manifest
from mobile_sdk.bundle.manifest_file import BundleRefusalError
from mobile_sdk.contract import ImageSpec, NetInput, TensorSpec
from mobile_sdk.errors import DataError
from mobile_sdk.graph.outputs import separated
from mobile_sdk.preprocess import to_bytes
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.input_array import input_array, input_bytes_count
from mobile_sdk.tasks.registry import task_of
from mobile_sdk.tasks.task import GoldenFile

MAX_PICTURE_BYTES = 4 * 2**20
_MAX_PICTURE_PX = 2**22


def golden_paths(manifest: Manifest) -> tuple[str, ...]:
    """Returns the files of the golden pictures, relative to the bundle."""
    kinds = _kinds(manifest)
    return tuple(f"golden/{index}.{kind}" for index in range(len(manifest.golden.pictures)) for kind in kinds)


def sample_file(spec: NetInput) -> str:
    """Returns the end of the name of the file that holds what a net reads: a picture, or an array's float32 numbers."""
    return "png" if isinstance(spec, ImageSpec) else "values.bin"


def saved_sample(folder: Path, spec: NetInput, index: int) -> NDArray[Any]:
    """Returns the pixels of `golden/<index>.png` as they were saved, or the numbers of an array."""
    file = _file(folder, index, sample_file(spec))
    if isinstance(spec, TensorSpec):
        return np.frombuffer(file.read_bytes(), "<f4").reshape(spec.shape)
    with Image.open(file) as picture:
        return np.asarray(picture)


def sample_bytes(folder: Path, spec: NetInput, index: int) -> NDArray[np.uint8]:
    """Returns the bytes of `golden/<index>.png` by the recipe, or those of the array `golden/<index>.values.bin`."""
    file = _file(folder, index, sample_file(spec))
    if isinstance(spec, TensorSpec):
        try:
            return to_bytes(np.frombuffer(file.read_bytes(), "<f4").reshape(spec.shape), spec)
        except (ValueError, DataError) as error:
            reason = f"expected a golden array of {prod(spec.shape):,} finite numbers, found {str(error)[:80]!r}"
            raise BundleRefusalError("golden", reason) from error
    try:
        with Image.open(BytesIO(file.read_bytes()), formats=["PNG"]) as picture:
            if picture.width * picture.height > _MAX_PICTURE_PX:
                raise ValueError(f"{picture.width} × {picture.height} px")
            return to_bytes(picture, spec)
    except Exception as error:  # decoders of damaged files raise anything from SyntaxError to struct.error
        reason = f"expected a golden PNG of at most {_MAX_PICTURE_PX:,} px that decodes, found {str(error)[:80]!r}"
        raise BundleRefusalError("golden", reason) from error


def expected_output(folder: Path, interface: Interface, index: int) -> NDArray[np.generic]:
    """Returns the output, flat, expected of `golden/<index>.png`, in its own dtype; a record (1,) of several."""
    return golden.output_array(_file(folder, index, "output.bin").read_bytes(), interface)


def check_golden(folder: Path, manifest: Manifest) -> None:
    """Raises BundleRefusalError unless every picture gives its input, and its expected output the file of its meaning.

    The outputs together justify the tolerance.
    """
    count = len(manifest.golden.pictures)
    for index in range(count):
        _check_picture(folder, manifest, index)
    outputs = np.stack([expected_output(folder, manifest.interface, index) for index in range(count)])
    if reason := tolerance_misfit(manifest, outputs):
        raise BundleRefusalError("golden", reason)


def _check_picture(folder: Path, manifest: Manifest, index: int) -> None:
    _check_sizes(folder, manifest, index)
    spec, expected = manifest.interface, manifest.golden.pictures[index]
    given = input_array(sample_bytes(folder, manifest.input, index), spec.input).tobytes()
    if given != _file(folder, index, "input.bin").read_bytes():
        raise _other(index, "input.bin", sample_file(manifest.input))
    output, task = expected_output(folder, spec, index), task_of(manifest)
    rows = np.concatenate([part.reshape(1, -1) for part in separated(output[np.newaxis])], axis=1)
    found = int(task.top_classes(rows, manifest)[0])
    if found != expected.top1_index:
        reason = f"expected label {expected.top1_index} to win in golden/{index}.output.bin, found {found}"
        raise BundleRefusalError("golden", reason)
    if task.golden_file is not None:
        _check_meaning(folder, manifest, index, task.golden_file, output)


def _check_sizes(folder: Path, manifest: Manifest, index: int) -> None:
    spec, meaning = manifest.interface, task_of(manifest).golden_file
    source = manifest.input
    taken = {
        sample_file(source): (0, MAX_PICTURE_BYTES) if isinstance(source, ImageSpec) else (4 * prod(source.shape),) * 2,
        "input.bin": (input_bytes_count(spec.input),) * 2,
        "output.bin": (golden.output_bytes_count(spec),) * 2,
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
    return (sample_file(manifest.input), "input.bin", "output.bin", *([meaning.kind] if meaning else []))


def _other(index: int, kind: str, source: str) -> BundleRefusalError:
    reason = f"expected golden/{index}.{kind} to be what golden/{index}.{source} gives, found other"
    return BundleRefusalError("golden", reason)


def _file(folder: Path, index: int, kind: str) -> Path:
    return folder / "golden" / f"{index}.{kind}"
