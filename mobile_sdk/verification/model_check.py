"""Checks the model file against the program, part by part, whoever wrote it and whatever the manifest says."""

from pathlib import Path

from mobile_sdk.bundle.bundle import Bundle, files_below
from mobile_sdk.bundle.writer import file_entry
from mobile_sdk.errors import BundleError, CompileError, MachineError, SettingError
from mobile_sdk.memory.limit import executed
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.base import Runtime
from mobile_sdk.system.temporary_folder import scratch_folder
from mobile_sdk.verification.verdict import MODEL_CHECK, Check


def model_check(bundle: Bundle, program: Program, runtime: Runtime) -> Check:
    """Returns the check that the model file is what exporting the program writes.

    Exporting is deterministic, so equal packages write equal bytes. Where the bytes are others, the file is read back
    and compared with the fresh one: another version of a package may lay parts out in another way, but changes none.
    """
    required = "every part of what exporting the program gives"
    try:
        graph = executed(program.graph, bundle.manifest.activation_limit_kib)
    except SettingError as error:
        return _judged(False, required, measured="none", reason=f"the manifest's limit cannot be kept: {error.message}")
    with scratch_folder() as folder:
        fresh = folder / runtime.model_file
        try:
            runtime.export(graph, program.contract, fresh)
        except (CompileError, MachineError, ImportError) as error:
            return Check.skipped(MODEL_CHECK, required=required, reason=f"it cannot be exported here: {error}")
        if _has_equal_bytes(bundle, folder):
            return _judged(True, required, measured="equal")
        try:
            differences = runtime.differences(bundle.model_path, fresh, graph)
        except BundleError as error:
            differences = [error.message]
    if not differences:
        return _judged(True, required, measured="equal parts", reason="the bytes differ, but every part is equal")
    more = f"; {len(differences) - 1} more differences" if len(differences) > 1 else ""
    return _judged(False, required, measured="another model", reason=f"{differences[0]}{more}")


def _has_equal_bytes(bundle: Bundle, folder: Path) -> bool:
    """Tells whether the bundle's model has the same files as `folder`: opening the bundle has checked their hashes."""
    listed = {entry.path: entry for entry in bundle.manifest.files}
    written = [file_entry(folder, path) for path in files_below(folder)]
    here = [path for path in listed if Path(path).parts[0] == bundle.manifest.model]
    return len(here) == len(written) and all(listed.get(entry.path) == entry for entry in written)


def _judged(passed: bool, required: str, *, measured: str, reason: str = "") -> Check:
    return Check.judged(MODEL_CHECK, passed, measured=measured, required=required, reason=reason)
