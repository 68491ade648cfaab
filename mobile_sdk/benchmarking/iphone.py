"""Benchmarks in the demo app on an iPhone: one request has all bundles, and the app takes the rounds over them.

The app measures by the same plan as the SDK's workers do, waits until the phone is cool, and sends its samples; they
are described and judged here.
"""

from collections.abc import Sequence

from pydantic import ValidationError

from mobile_sdk import runtimes
from mobile_sdk.benchmarking.measurements import Measurement, Numbers, judge
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.devices.ios.requests import Answer, app_id, ask, check_ready, choose_phone
from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.runtimes.compute_units import app_fields
from mobile_sdk.system.progress import Report

_COOL_S = 180.0  # the app waits for two minutes at most
_BUNDLE_S = 60.0  # loading, golden images and warm-up


def benchmark_on_iphone(
    bundles: Sequence[Bundle],
    device: str,
    *,
    threads: int,
    min_runs: int,
    enough_seconds: float,
    quick: bool,
    max_ms: float | None,
    progress: Report,
) -> Numbers:
    """Measures the bundles that iPhones have a runtime for; the others are in the result with the reason.

    Raises SettingError if there is none, or several phones and none is named, MachineError if phone or app is missing
    or does not answer, and the app's own errors.
    """
    known = runtimes.in_apps("ios")
    sent = [bundle for bundle in bundles if bundle.manifest.runtime in known]
    if not sent:
        found = ", ".join(sorted({bundle.manifest.runtime for bundle in bundles})) or "none"
        raise SettingError(
            f"expected bundles for {' or '.join(known)}, found {found}", hint=f"export --to {','.join(known)}"
        )
    phone, app = choose_phone(device), app_id()
    check_ready(phone, app)
    progress(0.0, f"measuring on {phone.product}")
    fields = {"threads": threads, "min_runs": min_runs, "enough_seconds": enough_seconds, "quick": int(quick)}
    timeout_s = _COOL_S + (_BUNDLE_S + 2 * enough_seconds) * len(sent)
    paths = [bundle.path for bundle in sent]
    answer = ask(phone, app, "benchmark", paths, fields={**fields, **app_fields()}, timeout_s=timeout_s)
    numbers = _read(answer, {bundle.path.name for bundle in sent})
    plan = numbers.plan.model_copy(update={"max_ms": max_ms})
    measured = {each.bundle: each for each in numbers.measurements}
    measurements = tuple(judge(measured.get(each.path.name) or _no_runtime(each), plan) for each in bundles)
    return numbers.model_copy(update={"plan": plan, "measurements": measurements})


def _no_runtime(bundle: Bundle) -> Measurement:
    return Measurement.of(bundle, not_run=f"iPhones have no runtime for {bundle.manifest.runtime}")


def _read(answer: Answer, names: set[str]) -> Numbers:
    try:
        numbers = Numbers.model_validate_json(answer.result, strict=True)
    except ValidationError as invalid:
        problem = invalid.errors(include_url=False)[0]
        raise MachineError(
            f"expected the app's numbers, found {problem['loc']}: {problem['msg']}",
            hint="build the app and the SDK from one checkout",
        ) from invalid
    if {each.bundle for each in numbers.measurements} != names:
        raise MachineError(f"expected numbers of {', '.join(sorted(names))}, found others", hint="measure again")
    return numbers
