"""Scales a model of one device to a device without published latencies, by what their processors can do.

The result is unverified, and marked so: processors differ in more than the table of them says.
"""

from collections.abc import Mapping, Sequence

from mobile_sdk.latency.cross_validation import Errors
from mobile_sdk.latency.fit import Sample, fit_models
from mobile_sdk.latency.model import LatencyModel, Precision, Setup
from mobile_sdk.latency.processors import Processor, processors

BASES: Mapping[str, str] = {"tflite-2019": "pixel-3", "xnnpack-2020": "pixel-4", "xnnpack-2024": "pixel-6"}
"""This is the phone of each generation of kernels that others are scaled from."""


def base_of(to: Processor, precision: Precision) -> Setup:
    """Returns the setup that is scaled to a processor: the latest kernels that were measured on a core of its kind."""
    runtime = "tflite-2019"
    if to.has_dot_product:
        runtime = "xnnpack-2024" if precision == "int8" else "xnnpack-2020"
    return Setup(device=BASES[runtime], runtime=runtime, precision=precision)


def extrapolate(model: LatencyModel, to: Processor) -> LatencyModel:
    """Returns `model` for another device; each cost is scaled by the resource that limits it."""
    factors = to.costs_beside(processors()[model.setup.device], model.setup.precision)
    return model.model_copy(
        update={
            "setup": model.setup.model_copy(update={"device": to.device}),
            "costs_ns": {name: cost * factors[name] for name, cost in model.costs_ns.items()},
            "rows": 0,
            "unseen_net_share": None,
            "unseen_family_share": None,
            "scaled_from": model.setup.device,
        }
    )


def scaled_errors(samples: Sequence[Sample]) -> Errors:
    """Returns the errors of the bases' own models, scaled, on other devices' samples: an extrapolation's accuracy."""
    bases = [sample for sample in samples if sample.setup.device == BASES.get(sample.setup.runtime)]
    models = {setup: fit_models([each for each in bases if each.setup == setup])[setup] for setup in _setups(bases)}
    errors = {}
    for sample in samples:
        device = BASES.get(sample.setup.runtime, sample.setup.device)
        base = models.get(sample.setup.model_copy(update={"device": device}))
        if base is not None and sample.setup.device != device:
            scaled = extrapolate(base, processors()[sample.setup.device])
            errors[sample] = scaled.predict_ms(sample.work) / sample.latency_ms - 1
    return errors


def _setups(samples: Sequence[Sample]) -> list[Setup]:
    return list(dict.fromkeys(sample.setup for sample in samples))
