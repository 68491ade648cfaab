"""Adds the energy of an inference to the numbers of a benchmark, bundle by bundle."""

from collections.abc import Sequence
from contextlib import ExitStack

from mobile_sdk.benchmarking.energy.meters import Meter, find_meter
from mobile_sdk.benchmarking.energy.windows import Energy, measure_energy
from mobile_sdk.benchmarking.measurements import Measurement, Numbers
from mobile_sdk.benchmarking.place import Place, open_place
from mobile_sdk.benchmarking.series import start_series
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.devices.ios.requests import is_iphone
from mobile_sdk.errors import MachineError
from mobile_sdk.system.progress import Report

_TURN_TIMEOUT_S = 120.0


def with_energy(bundles: Sequence[Bundle], numbers: Numbers, report: Report) -> Numbers:
    """Returns `numbers` with the energy of each of its `bundles`, measured on their device, or why there is none."""
    place, meter = _metered(numbers.device)
    measured: list[Measurement] = []
    for each, bundle in zip(numbers.measurements, bundles, strict=True):
        report(len(measured) / len(bundles), f"energy of {each.bundle}")
        energy = _energy(each, bundle, place, meter, numbers)
        measured.append(each.model_copy(update={"energy": energy}))
    return numbers.model_copy(update={"measurements": tuple(measured)})


def _metered(device: str) -> tuple[Place | None, Meter | str]:
    if is_iphone(device):
        return None, "an iPhone tells no other machine what it draws"
    try:
        place = open_place(device)
        return place, find_meter(place.shell)
    except MachineError as error:
        return None, error.message


def _energy(
    measurement: Measurement, bundle: Bundle, place: Place | None, meter: Meter | str, numbers: Numbers
) -> Energy:
    if measurement.summary is None:
        return Energy(not_run=measurement.not_run or "it was not timed")
    if isinstance(meter, str) or place is None:
        return Energy(not_run=str(meter))
    try:
        with ExitStack() as workers:
            series = start_series(bundle, place, numbers.plan, workers)
            return measure_energy(
                meter,
                lambda runs: series.worker.ask({"runs": runs}, timeout_s=_TURN_TIMEOUT_S),
                measurement.summary.median_ms,
            )
    except MachineError as error:
        return Energy(not_run=error.message)
