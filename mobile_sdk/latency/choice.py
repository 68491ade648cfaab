"""Chooses the latency models for a device that a user names."""

from difflib import get_close_matches
from pathlib import Path

from mobile_sdk.errors import SettingError
from mobile_sdk.latency.cross_validation import mean_error_share, spread_share
from mobile_sdk.latency.extrapolation import base_of, extrapolate, scaled_errors
from mobile_sdk.latency.model import UNKNOWN_SPREAD, LatencyModel, LatencyModels, Precision
from mobile_sdk.latency.processors import processors
from mobile_sdk.latency.published import published_models, published_samples


def choose_models(
    device: str | None, precision: Precision, *, runtime: str | None = None, may_extrapolate: bool = False
) -> list[LatencyModel]:
    """Returns the models of `device`, or of all devices with published latencies; `device` may be a calibration's file.

    Raises SettingError if there is none, and for a device without latencies unless `may_extrapolate`.
    """
    is_file = device is not None and Path(device).is_file()
    known = LatencyModels.load(Path(device)).models if device and is_file else published_models()
    of_device = [model for model in known if device is None or is_file or model.setup.device == device]
    found = [model for model in of_device if model.setup.precision == precision]
    if not found and is_file:
        raise SettingError(
            f"expected {precision} latencies in {device}, found {of_device[0].setup.precision} ones alone",
            hint=f"predict in {of_device[0].setup.precision}",
        )
    if not found and device is not None:
        found = [_extrapolated(device, precision, may_extrapolate)]
    return of_runtime(found, runtime)


def scaling_error_share(precision: Precision) -> float | None:
    """Returns the mean error of scaled models on the devices that have latencies; None if there are none."""
    return mean_error_share(scaled_errors(published_samples()), lambda setup: setup.precision == precision)


def _extrapolated(device: str, precision: Precision, may_extrapolate: bool) -> LatencyModel:
    if device not in processors():
        near = get_close_matches(device, processors(), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "calibrate it: mobile-sdk calibrate --help"
        raise SettingError(f"expected a device ({', '.join(processors())}) or a file, found {device!r}", hint=hint)
    if not may_extrapolate:
        known = {each.setup.device for each in published_models() if each.setup.precision == precision}
        with_rows = [each for each in processors() if each in known]
        raise SettingError(
            f"expected a device with published {precision} latencies ({', '.join(with_rows)}), found {device}",
            hint="calibrate the device itself; predict alone takes --extrapolate, for an unverified estimate",
        )
    scaled = base_of(processors()[device], precision)
    (base,) = (model for model in published_models() if model.setup == scaled)
    spread = spread_share(scaled_errors(published_samples()), lambda setup: setup.precision == precision)
    return extrapolate(base, processors()[device]).model_copy(update={"spread_share": spread or UNKNOWN_SPREAD})


def of_runtime(models: list[LatencyModel], runtime: str | None) -> list[LatencyModel]:
    """Returns the models of that runtime, or all if it is None; raises SettingError if there is none."""
    found = [model for model in models if runtime is None or model.setup.runtime == runtime]
    if not found:
        runtimes = dict.fromkeys(model.setup.runtime for model in models)
        raise SettingError(
            f"expected one of the runtimes {', '.join(runtimes)}, found {runtime}",
            hint="leave the runtime out for all of them",
        )
    return found
