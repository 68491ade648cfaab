"""Names, reads and checks the golden pictures' files in a bundle."""

from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.bundle.golden import samples as golden
from mobile_sdk.bundle.golden.tolerance import tolerance_misfit
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
_PNG, _PNG_HEADER_BYTES = b"\x89PNG\r\n\x1a\n", 33


def golden_paths(manifest: Manifest) -> tuple[str, ...]:
    """Returns the files of the golden pictures, relative to the bundle."""
    count = len(manifest.golden.pictures)
    return tuple(f"golden/{index}.{kind}" for index in range(count) for kind in _kinds(manifest, index))


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
        data = file.read_bytes()
        _check_png(data)
        with Image.open(BytesIO(data), formats=["PNG"]) as picture:
            return to_bytes(picture, spec)
    except Exception as error:  # decoders of damaged files raise anything from SyntaxError to struct.error
        reason = f"expected a golden PNG of at most {_MAX_PICTURE_PX:,} px that decodes, found {str(error)[:80]!r}"
        raise BundleRefusalError("golden", reason) from error


def expected_output(folder: Path, interface: Interface, index: int) -> NDArray[np.generic]:
    """Returns the output, flat, expected of `golden/<index>.png`, in its own dtype; a record (1,) of several."""
    return golden.output_array(output_bytes(folder, index), interface)


def output_bytes(folder: Path, index: int) -> bytes:
    """Returns the content of `golden/<index>.output.bin`: the outputs, one after another."""
    return _file(folder, index, "output.bin").read_bytes()


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
    _check_input(folder, manifest, index)
    task = task_of(manifest)
    output = task.as_one(expected_output(folder, spec, index), manifest)
    rows = np.concatenate([part.reshape(1, -1) for part in separated(output[np.newaxis])], axis=1)
    found = int(task.top_classes(rows, manifest)[0])
    if found != expected.top1_index:
        reason = f"expected label {expected.top1_index} to win in golden/{index}.output.bin, found {found}"
        raise BundleRefusalError("golden", reason)
    if task.golden_file is not None:
        _check_meaning(folder, manifest, index, task.golden_file, output)


def _check_input(folder: Path, manifest: Manifest, index: int) -> None:
    stored, spec = sample_bytes(folder, manifest.input, index), manifest.interface
    digest = manifest.golden.pictures[index].input_sha256
    if digest is None:
        if input_array(stored, spec.input).tobytes() != _file(folder, index, golden.INPUT).read_bytes():
            raise _other(index, golden.INPUT, sample_file(manifest.input))
    elif digest != golden.input_digest(stored, spec):
        found = f"golden/{index}.{sample_file(manifest.input)}"
        raise BundleRefusalError(
            "golden", f"expected {found} to give the input of input_sha256, found that it does not"
        )


def _check_sizes(folder: Path, manifest: Manifest, index: int) -> None:
    spec, meaning = manifest.interface, task_of(manifest).golden_file
    source = manifest.input
    taken = {
        sample_file(source): (0, MAX_PICTURE_BYTES) if isinstance(source, ImageSpec) else (4 * prod(source.shape),) * 2,
        golden.INPUT: (input_bytes_count(spec.input),) * 2,
        "output.bin": (golden.output_bytes_count(spec),) * 2,
    } | ({meaning.kind: meaning.sizes(manifest)} if meaning else {})
    for kind in _kinds(manifest, index):
        least, most = taken[kind]
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


def _check_png(data: bytes) -> None:
    """Raises ValueError unless the header, before anything is decoded, says a size that is read."""
    width, height = (int.from_bytes(data[start : start + 4]) for start in (16, 20))
    if not data.startswith(_PNG) or data[12:16] != b"IHDR" or len(data) < _PNG_HEADER_BYTES:
        raise ValueError("no PNG")
    if not 0 < width * height <= _MAX_PICTURE_PX:
        raise ValueError(f"{width} × {height} px")


def _kinds(manifest: Manifest, index: int) -> tuple[str, ...]:
    meaning, of_input = task_of(manifest).golden_file, manifest.golden.pictures[index].input_sha256
    inputs = [golden.INPUT] if of_input is None else []
    return (sample_file(manifest.input), *inputs, "output.bin", *([meaning.kind] if meaning else []))


def _other(index: int, kind: str, source: str) -> BundleRefusalError:
    reason = f"expected golden/{index}.{kind} to be what golden/{index}.{source} gives, found other"
    return BundleRefusalError("golden", reason)


def _file(folder: Path, index: int, kind: str) -> Path:
    return folder / "golden" / f"{index}.{kind}"
