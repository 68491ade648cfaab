"""Opens a bundle, the folder that an app embeds, only if everything in it is what its manifest says.

The format, with every refusal, is docs/reference/bundle-format.md.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mobile_sdk import runtimes
from mobile_sdk.arguments import NOTHING, expect, expect_path
from mobile_sdk.bundle.golden.files import check_golden, expected_output, golden_paths, output_bytes, sample_bytes
from mobile_sdk.bundle.interface_check import interface_misfit
from mobile_sdk.bundle.manifest import FileEntry, Manifest
from mobile_sdk.bundle.manifest_file import (
    MANIFEST_FILE,
    MAX_MANIFEST_BYTES,
    BundleRefusalError,
    is_safe_path,
    plain_bytes,
    read_manifest,
)
from mobile_sdk.bundle.signature_file import SIGNATURE_FILE, check_signature, read_signature
from mobile_sdk.contract import Contract
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.graph.outputs import separated
from mobile_sdk.prediction.predicting import Given, predict, prediction_of
from mobile_sdk.prediction.predictions import Prediction
from mobile_sdk.program.wrong_path import bundle_hint
from mobile_sdk.runtimes.base import Interface, Runtime
from mobile_sdk.runtimes.input_array import input_array
from mobile_sdk.signing.keys import read_public_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

OPEN_IT = "open it: open_bundle(path)"
LABELS_FILE = "labels.txt"
_MAX_DEPTH = 8  # nested folders; a .mlpackage has four


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Holds an opened bundle: at the time of opening, every byte of it was what its manifest says."""

    path: Path
    manifest: Manifest

    def __repr__(self) -> str:
        """Returns a description in one line."""
        of, size = self.manifest, f"{self.model_bytes / 2**20:.2f} MiB"
        return f"Bundle({str(self.path)!r}, {of.runtime}, {of.precision_in_words}, {len(of.labels)} labels, {size})"

    @property
    def model_path(self) -> Path:
        """Returns the path of the model file; of a folder for Core ML."""
        return self.path / self.manifest.model

    @property
    def runtime(self) -> Runtime:
        """Returns the runtime that the model file is for, in the form of the file."""
        return self.read_by(self.manifest.runtime)

    def read_by(self, name: str) -> Runtime:
        """Returns a runtime that may read the model file, in its form; raises SettingError if there is none."""
        return runtimes.get(name, self.manifest.form)

    @property
    def contract(self) -> Contract:
        """Returns what the bundle promises to an app."""
        return self.manifest.contract

    @property
    def interface(self) -> Interface:
        """Returns the model's input and output tensors."""
        return self.manifest.interface

    @property
    def is_signed(self) -> bool:
        """Tells whether the bundle carries a signature, whosever it is."""
        return (self.path / SIGNATURE_FILE).exists()

    @property
    def model_bytes(self) -> int:
        """Returns the model's size in an app, without labels and golden pictures."""
        fixed = {LABELS_FILE, *golden_paths(self.manifest)}
        return sum(entry.bytes for entry in self.manifest.files if entry.path not in fixed)

    def golden_picture(self, index: int) -> NDArray[np.uint8]:
        """Returns the bytes (height, width, channels) of `golden/<index>.png` by the recipe, or an array's."""
        return sample_bytes(self.path, self.manifest.input, index)

    def golden_output(self, index: int) -> NDArray[np.generic]:
        """Returns the output, flat, expected of `golden/<index>.png`, in its own dtype; a record (1,) of several."""
        return expected_output(self.path, self.interface, index)

    def golden_pictures(self) -> NDArray[np.uint8]:
        """Returns the bytes (pictures, height, width, channels) of all golden pictures, or of all golden arrays."""
        return np.stack([self.golden_picture(index) for index in range(len(self.manifest.golden.pictures))])

    def golden_outputs(self) -> NDArray[np.generic]:
        """Returns the outputs (pictures, numbers) expected of all golden pictures, or records (pictures, 1)."""
        return np.stack([self.golden_output(index) for index in range(len(self.manifest.golden.pictures))])

    def golden_tensors(self) -> list[tuple[bytes, bytes]]:
        """Returns what each golden picture gives to the model and expects of it, as the bytes of its tensors."""
        given = [input_array(picture, self.interface.input).tobytes() for picture in self.golden_pictures()]
        return [(each, output_bytes(self.path, index)) for index, each in enumerate(given)]

    def golden_prediction(self, index: int) -> Prediction:
        """Returns the prediction in the output expected of `golden/<index>.png`, without its picture."""
        return prediction_of(self._reals(self.golden_output(index)[np.newaxis]), self.contract)

    def predict(self, picture: Given) -> Prediction:
        """Returns what an app that holds the bundle says of one picture, or array, computed by the bundle's runtime.

        `picture` is a path, a picture of Pillow, or its pixels, uint8 (height, width, 3); of a net that reads arrays
        the path of a `.npy` file or the array. The result is a ClassPrediction, BoxPrediction, MaskPrediction or
        OutputPrediction. Raises MachineError if the runtime does not run here, as nothing stands in for it, DataError
        for a file that cannot be read, SettingError for a sample that the net does not read, and BundleError for an
        output that is not finite.

        Example: `mobile_sdk.open_bundle("fruit.tflite").predict("photo.jpg").label`
        """
        (found,) = self.predict_each([picture])
        return found

    def predict_each(self, pictures: Iterable[Given]) -> Iterator[Prediction]:
        """Yields the prediction of each picture, as `predict` does; the model is loaded once."""
        runtime, contract = self.runtime, self.contract
        native = runtime.native_check()
        if reason := runtime.unavailable() or (native and native.not_run):
            hint = "program.pt2 says here what an exact bundle says; see `mobile-sdk doctor`"
            raise MachineError(f"expected to run {runtime.name}, found that {reason}", hint=hint)
        with MODELS.loaded(runtime, self.model_path, self.interface, threads=1) as session:
            for picture in pictures:
                yield predict(picture, contract, lambda pixels: self._reals(session.run_each(pixels)))

    def _reals(self, output: NDArray[np.generic]) -> dict[str, NDArray[np.float64]]:
        """Returns the real values of one sample's outputs (1, …), flat or not, by their names."""
        parts = zip(self.manifest.outputs, separated(output), strict=True)
        return {spec.name: spec.reals(part.reshape(spec.shape[1:])) for spec, part in parts}


def open_bundle(path: str | os.PathLike[str], *, key: str | os.PathLike[str] | None = None) -> Bundle:
    """Opens the folder `path` and checks everything in it but the model's arithmetic, which is `verify`'s.

    With `key`, a public key's PEM file, it opens what the holder of the private key has signed, and nothing else.
    Raises SettingError if that file holds no such key, and BundleRefusalError, a BundleError whose `check` names what
    failed: "folder", "manifest", "signature", "schema", "seal", "fields", "runtime", "paths", "files", "size", "hash",
    "labels", "interface" or "golden".
    """
    expect_path("path", path)
    expect("key", key, str, os.PathLike, NOTHING)
    folder, signer = Path(path), None if key is None else read_public_key(key)
    try:
        return _open(folder, signer)
    except OSError as error:
        raise BundleRefusalError(
            "folder", f"expected a readable bundle in {str(folder)!r}, found {error.strerror}"
        ) from error


def labels_bytes(labels: tuple[str, ...]) -> bytes:
    """Returns the content of `labels.txt`: a label a line, in the order of the scores."""
    return "".join(f"{label}\n" for label in labels).encode()


def files_below(folder: Path, prefix: str = "") -> Iterator[str]:
    """Yields the files of a bundle, relative to it.

    Raises BundleRefusalError if one is a link or a special file, or has a name that no manifest lists.
    """
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = prefix + entry.name
            if not is_safe_path(entry.name):
                raise BundleRefusalError("paths", f"expected names of plain letters, found {ascii(path)[:80]}")
            if entry.is_symlink():
                raise BundleRefusalError("paths", f"expected plain files, found the link {path!r}")
            if entry.is_dir():
                if prefix.count("/") >= _MAX_DEPTH:
                    raise BundleRefusalError(
                        "paths", f"expected at most {_MAX_DEPTH} folders in each other, found more"
                    )
                yield from files_below(Path(entry.path), path + "/")
            elif stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
                yield path
            else:
                raise BundleRefusalError("paths", f"expected plain files, found {path!r}, which is none")


def _open(folder: Path, signer: "EllipticCurvePublicKey | None") -> Bundle:
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise BundleRefusalError(
            "folder", f"expected a bundle folder at {str(folder)!r}, found {found}", hint=bundle_hint(folder)
        )
    data, signature = _read_manifest_bytes(folder), read_signature(folder)
    if signer is not None:
        check_signature(data, signature, signer)
    manifest = read_manifest(data)
    _check_runtime(manifest)
    _check_paths(manifest)
    _check_files(folder, manifest)
    for entry in manifest.files:
        _check_size(folder, entry)
    for entry in manifest.files:
        _check_hash(folder, entry)
    _check_labels(folder, manifest)
    _check_interface(manifest)
    check_golden(folder, manifest)
    return Bundle(path=folder, manifest=manifest)


def _read_manifest_bytes(folder: Path) -> bytes:
    file = folder / MANIFEST_FILE
    if not os.path.lexists(file):
        raise BundleRefusalError(
            "manifest", f"expected {MANIFEST_FILE} in {str(folder)!r}, found none", hint=bundle_hint(folder)
        )
    return plain_bytes(file, at_most=MAX_MANIFEST_BYTES, check="manifest")


def _check_runtime(manifest: Manifest) -> None:
    try:
        runtime = runtimes.get(manifest.runtime, manifest.form)
    except SettingError as error:
        raise BundleRefusalError("runtime", error.message, hint="update this SDK") from error
    if manifest.model != runtime.model_file:
        raise BundleRefusalError("runtime", f"expected the model {runtime.model_file!r}, found {manifest.model!r}")
    if not set(manifest.processors) & set(runtime.processors):
        expected, found = " or ".join(runtime.processors), ", ".join(manifest.processors)
        raise BundleRefusalError("runtime", f"expected a model for {expected}, found {found}", hint="update this SDK")


def _check_paths(manifest: Manifest) -> None:
    paths = [entry.path for entry in manifest.files]
    unsafe = [path for path in paths if not is_safe_path(path)]
    if unsafe:
        raise BundleRefusalError("paths", f"expected paths inside the bundle, found {unsafe[0][:80]!r}")
    if len({path.casefold() for path in paths}) < len(paths):
        raise BundleRefusalError("paths", "expected every file once, found one twice")


def _check_files(folder: Path, manifest: Manifest) -> None:
    listed = {entry.path for entry in manifest.files}
    fixed = {LABELS_FILE, *golden_paths(manifest)}
    rest = listed - fixed
    if not fixed <= listed or not rest:
        missing = min(fixed - listed, default=manifest.model)
        raise BundleRefusalError("files", f"expected {missing!r} in the manifest's files, found none")
    stray = [path for path in rest if path != manifest.model and not path.startswith(manifest.model + "/")]
    if stray:
        raise BundleRefusalError("files", f"expected labels, golden pictures and a model, found {min(stray)!r} listed")
    present = set(files_below(folder))
    if extra := present - listed - {MANIFEST_FILE, SIGNATURE_FILE}:
        found = f"expected only what the manifest lists, found {min(extra)[:80]!r}"
        raise BundleRefusalError("files", found, hint="remove it")
    if listed - present:
        raise BundleRefusalError("files", f"expected the file {min(listed - present)!r}, found none")


def _check_size(folder: Path, entry: FileEntry) -> None:
    found = (folder / entry.path).stat().st_size
    if found != entry.bytes:
        raise BundleRefusalError("size", f"expected {entry.bytes:,} bytes of {entry.path!r}, found {found:,}")


def _check_hash(folder: Path, entry: FileEntry) -> None:
    with (folder / entry.path).open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != entry.sha256:
        raise BundleRefusalError(
            "hash", f"expected {entry.path!r} with sha256 {entry.sha256[:12]}…, found {found[:12]}…"
        )


def _check_labels(folder: Path, manifest: Manifest) -> None:
    expected = labels_bytes(manifest.labels)
    if (folder / LABELS_FILE).stat().st_size != len(expected) or (folder / LABELS_FILE).read_bytes() != expected:
        raise BundleRefusalError(
            "labels", f"expected {LABELS_FILE} to hold the manifest's labels in its order, found others"
        )


def _check_interface(manifest: Manifest) -> None:
    if reason := interface_misfit(manifest):
        raise BundleRefusalError("interface", reason)
