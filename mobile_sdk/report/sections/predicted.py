"""Compares measured latencies with those that a latency model predicts for the same graph."""

from collections.abc import Iterator

from mobile_sdk.benchmarking.measurements import Measurement, Numbers
from mobile_sdk.errors import SettingError
from mobile_sdk.latency.choice import choose_models
from mobile_sdk.latency.model import LatencyModel
from mobile_sdk.program.program import Program
from mobile_sdk.report.data import PredictedLatency


def predicted_latencies(program: Program, numbers: Numbers, device: str) -> tuple[PredictedLatency, ...]:
    """Returns every measured bundle of the program's precision, once for each model of `device` for its runtime.

    `device` is a name or a calibration's file, as `predict` takes it. Raises SettingError if no model fits.
    """
    precision = program.graph.precision
    if precision == "mixed":
        raise SettingError(
            "expected a program that is int8 or float32 throughout, found one with layers kept in float32",
            hint="leave the prediction out",
        )
    models = choose_models(device, precision)
    measured = [each for each in numbers.measurements if each.precision == precision]
    found = tuple(
        line for each in measured for model in models for line in _line(program, each, model, numbers.plan.threads)
    )
    if not found:
        expected = ", ".join(f"{model.setup.runtime} with {model.setup.threads} thread(s)" for model in models)
        raise SettingError(
            f"expected {precision} measurements in {expected}, which {device} has models of, found none of them",
            hint="measure such a bundle, or predict for another device",
        )
    return found


def _line(program: Program, measured: Measurement, model: LatencyModel, threads: int) -> Iterator[PredictedLatency]:
    speaks_of_it = model.setup.kernels[0] in (measured.runtime, "xnnpack") and model.setup.threads == threads
    if measured.summary and speaks_of_it:
        estimate = model.estimate(program.graph)
        yield PredictedLatency(
            bundle=measured.bundle,
            device=model.setup.device,
            runtime=model.setup.runtime,
            predicted_ms=estimate.latency_ms,
            low_ms=estimate.low_ms,
            high_ms=estimate.high_ms,
            measured_ms=measured.summary.median_ms,
            rests_on=model.rests_on + (f"; not measured: {estimate.not_measured}" if estimate.not_measured else ""),
        )
