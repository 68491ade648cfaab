"""Tells with numbers whether a bundle computes what was evaluated. A failed check is a result, not an exception."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from mobile_sdk.arguments import NOTHING, Parted, expect, held_out
from mobile_sdk.bundle.bundle import OPEN_IT, Bundle, open_bundle
from mobile_sdk.devices import open_device
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.errors import BundleError, DataError, MachineError, SettingError
from mobile_sdk.preprocess import LabelledPictures
from mobile_sdk.program.program import LOAD_IT, Program
from mobile_sdk.runtimes.base import Runtime
from mobile_sdk.signing.keys import read_public_key
from mobile_sdk.system.progress import Progress, Report, reported
from mobile_sdk.verification import file_checks, signature_checks
from mobile_sdk.verification.scores.computed import Computed, compute
from mobile_sdk.verification.scores.float_distance import check_twin
from mobile_sdk.verification.scores.score_checks import Measured, measure
from mobile_sdk.verification.verdict import Check, Verdict, scores_compared, status_of


def verify(
    bundle: Bundle,
    program: Program,
    pictures: LabelledPictures | Parted | None = None,
    *,
    min_accuracy: float | None = None,
    threads: int = 1,
    device: str = "host",
    runtime: str | None = None,
    key: str | os.PathLike[str] | None = None,
    twin: Program | None = None,
    progress: Progress = True,
) -> Verdict:
    """Checks a bundle against its program: files, structure, numbers on all `pictures`, golden pictures, accuracy.

    It takes the validation part of pictures in two parts. Without pictures only files are checked, the model file among
    them, and no score: such a verdict fails or is `not_run`. `min_accuracy` is a share, 0..1. `runtime` names another
    runtime that reads the bundle's model ("tflite-runtime"). With `key`, a public key's PEM file, a bundle fails that
    the private key has not signed. `twin` is the program's float32 twin, by whose scores a bundle is judged that an
    accelerator computes in arithmetic of its own (`near_float`); for others it is not read. A check that cannot run
    here is `not_run` with its reason.
    Raises BundleError if the bundle cannot be opened any more, DataError if there are no pictures, SettingError for an
    unknown device or runtime, a file that holds no such key, or a `twin` of another program.

    Example: `assert sdk.verify(bundle, program, pictures, min_accuracy=0.9)`
    """
    expect("bundle", bundle, Bundle, hint=OPEN_IT)
    expect("program", program, Program, hint=LOAD_IT)
    expect("threads", threads, int)
    expect("device", device, str)
    expect("runtime", runtime, str, NOTHING)
    expect("min_accuracy", min_accuracy, float, int, NOTHING)
    expect("key", key, str, os.PathLike, NOTHING)
    expect("twin", twin, Program, NOTHING)
    signer = None if key is None else read_public_key(key)
    pictures = None if pictures is None else held_out(pictures)
    _check_settings(pictures, min_accuracy, threads)
    bundle = open_bundle(bundle.path)
    chosen = _runtime(bundle, runtime)
    MODELS.prepare(*[chosen] * (device == "host"))
    structure, checks = file_checks.run(bundle, program, chosen)
    requirement = chosen.requirement(program.graph)
    if not requirement.is_by_float:
        twin = None
    elif twin is not None:
        check_twin(program, twin)
    with reported(progress, "verify") as report:
        computed = _compute(bundle, program, pictures, chosen, checks, device, threads, report, twin)
    if isinstance(computed, Check):
        measured, versions = Measured(checks=(computed,)), chosen.versions()
    else:
        measured = measure(bundle, program, computed, requirement, min_accuracy)
        versions = computed.versions
    signature = signature_checks.run(bundle, signer)
    checks = [*signature, *checks, *measured.checks, *_native_check(chosen, device, measured.checks)]
    return Verdict(
        bundle=bundle.path.name,
        name=bundle.manifest.name,
        runtime=chosen.name,
        device=device,
        precision=bundle.manifest.precision,
        manifest_sha256=bundle.manifest.manifest_sha256,
        program_sha256=program.digest(),
        model_bytes=bundle.model_bytes,
        pictures=len(pictures or ()),
        status=status_of(checks),
        checks=tuple(checks),
        comparison=measured.comparison,
        quality=measured.quality,
        reference_quality=measured.reference_quality,
        structure=structure,
        golden=measured.golden,
        versions=dict(versions),
    )


def _check_settings(pictures: LabelledPictures | None, min_accuracy: float | None, threads: int) -> None:
    if pictures is not None and not len(pictures):
        raise DataError("expected pictures to verify with, found none", hint="name a folder that holds some")
    if min_accuracy is not None and not 0 <= min_accuracy <= 1:
        raise SettingError(f"expected min_accuracy as a share, 0..1, found {min_accuracy}", hint="write 0.9 for 90 %")
    if pictures is None and min_accuracy is not None:
        raise SettingError("expected pictures to measure accuracy on, found none", hint="leave min_accuracy out")
    if threads < 1:
        raise SettingError(f"expected 1 thread or more, found {threads}", hint="leave threads out")


def _runtime(bundle: Bundle, name: str | None) -> Runtime:
    chosen = bundle.read_by(name or bundle.manifest.runtime)
    if chosen.model_file != bundle.manifest.model:
        raise SettingError(
            f"expected a runtime that reads {bundle.manifest.model}, found {chosen.name} ({chosen.model_file})",
            hint="leave the runtime out: the bundle knows its own",
        )
    return chosen


def _compute(
    bundle: Bundle,
    program: Program,
    pictures: LabelledPictures | None,
    runtime: Runtime,
    checks: Sequence[Check],
    device: str,
    threads: int,
    report: Report,
    twin: Program | None,
) -> Computed | Check:
    """Returns the scores, or the one check with the reason why there are none."""
    name, required = "steps apart", "scores to compare"
    if pictures is None:
        return Check.skipped(name, required=required, reason="no pictures were given")
    reason = runtime.unavailable() if device == "host" else None
    if reason is None and not _comparable(bundle, program, runtime):
        reason = "the bundle takes other pictures or gives other scores than the program"
    if reason is None and any(check.name == "structure" and check.outcome == "fail" for check in checks):
        reason = "the model file is damaged"
    if reason is not None:
        return Check.skipped(name, required=required, reason=reason)
    try:
        place = open_device(device)
        with ExitStack() as stack:
            ways = runtime.arithmetics(program.graph) if device == "host" else (runtime,)
            runs = [
                stack.enter_context(place.loaded(way, bundle.model_path, bundle.interface, threads=threads))
                for way in ways
            ]
            return replace(compute(bundle, program, pictures, runs, report, twin), versions=place.versions(runtime))
    except BundleError as error:
        return Check.judged(name, False, measured="none", required=required, reason=error.message)
    except MachineError as error:
        return Check.skipped(name, required=required, reason=error.message)


def _comparable(bundle: Bundle, program: Program, runtime: Runtime) -> bool:
    same_pictures = bundle.manifest.input == program.contract.input
    promised = (runtime.interface(program.graph), bundle.interface)
    shapes = [[output.shape for output in interface.outputs] for interface in promised]
    return same_pictures and shapes[0] == shapes[1]


def _native_check(runtime: Runtime, device: str, numbers: Sequence[Check]) -> list[Check]:
    native = runtime.native_check()
    if native is None:
        return []
    if native.not_run:
        return [Check.skipped(native.name, required=native.required, reason=native.not_run)]
    is_met = scores_compared(numbers) and not any(check.outcome == "fail" for check in numbers)
    return [Check.judged(native.name, is_met, measured=f"computed on {device}", required=native.required)]
