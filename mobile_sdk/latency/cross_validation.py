"""What a latency model is worth: its error on latencies that it was not fitted to."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import eq

import numpy as np

from mobile_sdk.latency.fit import Sample, fit_models
from mobile_sdk.latency.model import LatencyModel, Setup

Errors = Mapping[Sample, float]
"""(predicted - measured) / measured of every sample that could be predicted."""


def unseen_net_errors(samples: Sequence[Sample]) -> Errors:
    """Leaves one net out after the other: its rows on all devices, in both precisions."""
    return _left_out_errors(samples, lambda sample: sample.net)


def unseen_family_errors(samples: Sequence[Sample]) -> Errors:
    """Leaves one family of nets out after the other, all its nets on all devices."""
    return _left_out_errors(samples, lambda sample: sample.family)


def mean_error_share(errors: Errors, chosen: Callable[[Setup], bool]) -> float | None:
    """The mean absolute error over the samples of the chosen setups; None where none was predicted."""
    found = [abs(error) for sample, error in errors.items() if chosen(sample.setup)]
    return float(np.mean(found)) if found else None


def validated_models(samples: Sequence[Sample]) -> dict[Setup, LatencyModel]:
    """A model for every setup, fitted to all samples, with its cross-validated errors."""
    nets, families = unseen_net_errors(samples), unseen_family_errors(samples)
    models = {}
    for setup, model in fit_models(samples).items():
        is_own = partial(eq, setup)
        shares = {
            "unseen_net_share": mean_error_share(nets, is_own),
            "unseen_family_share": mean_error_share(families, is_own),
        }
        models[setup] = model.model_copy(update=shares)
    return models


def _left_out_errors(samples: Sequence[Sample], group: Callable[[Sample], str]) -> Errors:
    errors = {}
    for left_out in dict.fromkeys(map(group, samples)):
        models = fit_models([sample for sample in samples if group(sample) != left_out])
        for sample in samples:
            if group(sample) == left_out and sample.setup in models:
                errors[sample] = models[sample.setup].predict_ms(sample.work) / sample.latency_ms - 1
    return errors
