"""Finds a latency model's error on latencies that it was not fitted to."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import eq

import numpy as np

from mobile_sdk.latency.fit import Sample, fit_models
from mobile_sdk.latency.model import UNKNOWN_SPREAD, LatencyModel, Precision, Setup
from mobile_sdk.latency.work import AMOUNTS

Errors = Mapping[Sample, float]
"""This is (predicted - measured) / measured of every sample that could be predicted."""

_COVERED_SHARE = 0.9
_MOST_SPREAD = 0.9  # beyond it the upper end of an interval would have no bound
_LEFT_OUT_SHARE = 0.1


Fit = Callable[[Sequence[Sample]], Mapping[Setup, LatencyModel]]
"""This makes a model for every setup that has samples, as `fit_models` does."""


def unseen_net_errors(samples: Sequence[Sample], fit: Fit = fit_models) -> Errors:
    """Leaves out one net after the other: its rows on all devices, in both precisions."""
    return _left_out_errors(samples, lambda sample: sample.net, fit)


def unseen_family_errors(samples: Sequence[Sample], fit: Fit = fit_models) -> Errors:
    """Leaves out one family of nets after the other, all its nets on all devices."""
    return _left_out_errors(samples, lambda sample: sample.family, fit)


def mean_error_share(errors: Errors, chosen: Callable[[Setup], bool]) -> float | None:
    """Returns the mean absolute error over the samples of the chosen setups; None if none was predicted."""
    found = [abs(error) for sample, error in errors.items() if chosen(sample.setup)]
    return float(np.mean(found)) if found else None


def share_within(errors: Errors, bound: float, chosen: Callable[[Setup], bool]) -> float | None:
    """Returns the share of the chosen setups' samples that are predicted within ± `bound` of themselves; None of none.

    Papers on predicted latencies report it for 0.05, 0.1 and 0.2.
    """
    found = [abs(error) <= bound for sample, error in errors.items() if chosen(sample.setup)]
    return float(np.mean(found)) if found else None


def spread_share(errors: Errors, chosen: Callable[[Setup], bool] = lambda setup: True) -> float | None:
    """Returns the share of a latency within which nine of ten predictions of the chosen setups are.

    None if there is none.
    """
    found = [abs(error) for sample, error in errors.items() if chosen(sample.setup)]
    return min(float(np.quantile(found, _COVERED_SHARE)), _MOST_SPREAD) if found else None


def unseen_kind_factors(samples: Sequence[Sample]) -> dict[str, float]:
    """Returns by what factor a kind's cost is off when it is left out of the fit, compared with the whole fit.

    Samples in which the kind makes up a tenth of the latency or more are left out; its cost is then the prior, scaled
    to the others. Kinds that most samples have are not left out.
    """
    (whole,) = fit_models(samples).values()
    factors = {}
    for index, name in enumerate(AMOUNTS):
        cost = whole.costs_ns[name]
        shares = [cost * sample.work.amounts()[index] / 1e6 / sample.latency_ms for sample in samples]
        rest = [sample for sample, share in zip(samples, shares, strict=True) if share < _LEFT_OUT_SHARE]
        if len(samples) / 2 < len(rest) < len(samples):
            (without,) = fit_models(rest).values()
            factors[name] = without.costs_ns[name] / cost
    return factors


def validated_models(samples: Sequence[Sample]) -> dict[Setup, LatencyModel]:
    """Returns a model for every setup, fitted to all samples, with its cross-validated errors.

    Its spread is that of all setups of its precision with families left out: few setups have enough latencies for a
    spread of their own, and the user's net may be of another family.
    """
    nets, families = unseen_net_errors(samples), unseen_family_errors(samples)
    models = {}
    for setup, model in fit_models(samples).items():
        is_own = partial(eq, setup)
        shares = {
            "unseen_net_share": mean_error_share(nets, is_own),
            "unseen_family_share": mean_error_share(families, is_own),
            "spread_share": spread_share(families, partial(_has_precision, setup.precision)) or UNKNOWN_SPREAD,
        }
        models[setup] = model.model_copy(update=shares)
    return models


def _has_precision(precision: Precision, setup: Setup) -> bool:
    return setup.precision == precision


def _left_out_errors(samples: Sequence[Sample], group: Callable[[Sample], str], fit: Fit) -> Errors:
    errors = {}
    for left_out in dict.fromkeys(map(group, samples)):
        unseen = [sample for sample in samples if group(sample) == left_out]
        kernels = {sample.setup.kernels for sample in unseen}  # those of other kernels would not change the models
        seen = [sample for sample in samples if group(sample) != left_out and sample.setup.kernels in kernels]
        models = fit(seen)
        for sample in unseen:
            if sample.setup in models:
                errors[sample] = models[sample.setup].predict_ms(sample.work) / sample.latency_ms - 1
    return errors
