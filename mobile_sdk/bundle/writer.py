"""Writes bundles: whole or not at all, and never over anything that is not a bundle."""

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.bundle.bundle import LABELS_FILE, Bundle, files_below, labels_bytes, open_bundle
from mobile_sdk.bundle.description import describe, describe_golden
from mobile_sdk.bundle.golden import samples as golden
from mobile_sdk.bundle.golden.display_p3 import display_p3
from mobile_sdk.bundle.golden.files import sample_file
from mobile_sdk.bundle.golden.tolerance import is_by_reference
from mobile_sdk.bundle.manifest import FileEntry, GoldenPicture, StructureEntry
from mobile_sdk.bundle.manifest_file import MANIFEST_FILE, BundleRefusalError, seal
from mobile_sdk.bundle.signature_file import write_signature
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.graph.outputs import separated
from mobile_sdk.memory.limit import executed
from mobile_sdk.preprocess import Sample, save_png, to_bytes
from mobile_sdk.program.expected_scores import expected_outputs
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.base import Interface, Runtime
from mobile_sdk.system.atomic_files import replacing_folder
from mobile_sdk.tasks.registry import TASKS, task_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_MEANINGS = [task.golden_file.kind for task in TASKS.values() if task.golden_file]
_GOLDEN = "|".join(map(re.escape, ("png", "values.bin", golden.INPUT, "output.bin", *_MEANINGS)))
_OURS = re.compile(rf"bundle\.(json|sig)|labels\.txt|golden/\d+\.({_GOLDEN})|model\.[a-z]+(/.*)?")


def write_bundle(
    folder: Path,
    program: Program,
    runtime: Runtime,
    goldens: Sequence[Sample],
    *,
    source: Literal["given", "generated"] = "given",
    activation_limit_kib: int | None = None,
    signer: "EllipticCurvePrivateKey | None" = None,
) -> Bundle:
    """Exports `program` with `runtime` and puts the bundle at `folder`, replacing a bundle that is there.

    With `activation_limit_kib` the model computes the same in strips, within that limit. With `signer` the bundle
    carries that key's signature. Raises CompileError if the
    runtime refuses the program, SettingError if `folder` holds anything but a bundle or the limit cannot be kept, and
    MachineError if a float32 output must be computed by running the model, and this machine cannot.
    """
    check_replaceable(folder)
    with replacing_folder(folder) as draft:
        (draft / "golden").mkdir(parents=True)
        _fill(draft, program, runtime, goldens, source, activation_limit_kib)
        if signer is not None:
            write_signature(draft, signer)
        open_bundle(draft)
    return open_bundle(folder)


def copy_bundle(bundle: Bundle, folder: Path) -> Bundle:
    """Puts an unchanged copy at `folder`, replacing a bundle that is there; the copy is opened before it is.

    Raises SettingError if `folder` holds anything but a bundle, BundleError if the original is damaged.
    """
    check_replaceable(folder)
    with replacing_folder(folder) as draft:
        for path in files_below(bundle.path):
            (draft / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle.path / path, draft / path)
        open_bundle(draft)
    return open_bundle(folder)


def check_replaceable(folder: Path) -> None:
    """Raises SettingError if `folder` exists and is neither empty nor a bundle, damaged or not."""
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise SettingError(f"expected a folder or nothing at {folder}, found a file", hint="choose another folder")
    try:
        present = list(files_below(folder))
    except BundleRefusalError as error:
        raise SettingError(f"{folder} is no bundle: {error.message}", hint="choose another folder") from error
    foreign = [path for path in present if not _OURS.fullmatch(path)]
    if present and (foreign or MANIFEST_FILE not in present):
        found = repr((foreign or present)[0])
        raise SettingError(
            f"expected a bundle or nothing at {folder}, found {found} there", hint="choose another folder"
        )


def file_entry(folder: Path, path: str) -> FileEntry:
    """Returns the size and hash of `folder/path`, without reading it whole into memory."""
    with (folder / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(path=path, bytes=(folder / path).stat().st_size, sha256=digest)


def _fill(
    draft: Path,
    program: Program,
    runtime: Runtime,
    goldens: Sequence[Sample],
    source: Literal["given", "generated"],
    limit_kib: int | None,
) -> None:
    interface = runtime.export(executed(program.graph, limit_kib), program.contract, draft / runtime.model_file)
    pixels = _write_samples(draft, program, goldens)
    expected = _expect(draft / runtime.model_file, program, runtime, interface, pixels)
    task = task_of(program.contract)
    read = task.as_one(expected, program.contract)
    for index, data in enumerate(golden.encode_outputs(expected, interface)):
        (draft / f"golden/{index}.output.bin").write_bytes(data)
        if meaning := task.golden_file:
            (draft / f"golden/{index}.{meaning.kind}").write_bytes(meaning.encode(read[index], program.contract))
    (draft / LABELS_FILE).write_bytes(labels_bytes(program.contract.labels))
    rows = np.concatenate([part.reshape(len(expected), -1) for part in separated(read)], axis=1)
    winners = task.top_classes(rows, program.contract).tolist()
    pictures = [
        GoldenPicture(top1_index=winner, input_sha256=golden.input_digest(stored, interface))
        for winner, stored in zip(winners, pixels, strict=True)
    ]
    manifest = describe(
        program,
        runtime,
        structure=StructureEntry.of(MODELS.structure(runtime, draft / runtime.model_file)),
        golden=describe_golden(program, runtime, source=source, scores=expected, pixels=pixels, pictures=pictures),
        files=tuple(file_entry(draft, path) for path in files_below(draft)),
        activation_limit_kib=limit_kib,
    )
    (draft / MANIFEST_FILE).write_bytes(seal(manifest.model_dump(mode="json")))


def _write_samples(draft: Path, program: Program, goldens: Sequence[Sample]) -> NDArray[np.uint8]:
    """Writes the goldens' pictures or arrays; returns their bytes (pictures, H, W, C).

    The last picture has the colour profile of phones' photographs, whose numbers no reader changes.
    """
    spec = program.contract.input
    saved = [golden.as_saved(each, spec) for each in goldens]
    for index, each in enumerate(saved):
        file = draft / f"golden/{index}.{sample_file(spec)}"
        if isinstance(each, Image.Image):
            save_png(np.asarray(each), file, profile=display_p3() if index == len(saved) - 1 else None)
        else:
            file.write_bytes(each.astype("<f4").tobytes())
    return np.stack([to_bytes(each, spec) for each in saved])


def _expect(
    model: Path, program: Program, runtime: Runtime, interface: Interface, pixels: NDArray[np.uint8]
) -> NDArray[np.generic]:
    """Returns the reference's integers, or float32 from the runtime itself, which computes in its own arithmetic."""
    if is_by_reference(program, runtime):
        return expected_outputs(runtime.computed(program.graph), pixels)
    if reason := runtime.unavailable():
        raise MachineError(
            f"expected to run {runtime.name} for its golden outputs, but {reason}", hint="see `mobile-sdk doctor`"
        )
    with MODELS.loaded(runtime, model, interface, threads=1) as session:
        return session.run_each(pixels)
