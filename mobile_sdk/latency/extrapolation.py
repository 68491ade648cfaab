"""Scales a model of one device to a device without published latencies, by clock, vector width and dot product.

The result is unverified, and marked so: processors differ in more than that. `data/processors.csv` names the source of
each row of the table.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from mobile_sdk.latency.cross_validation import Errors
from mobile_sdk.latency.fit import Sample, fit_models
from mobile_sdk.latency.model import LatencyModel, Precision
from mobile_sdk.latency.work import AMOUNTS

BASE = "pixel-3"
"""This is the latest phone with latencies of one thread in both precisions; others are scaled from it."""
_INT8_WITHOUT_DOT_PRODUCT = 2.0  # 8-bit products are twice as many a vector as float32 ones, and widened to 16 bit


@dataclass(frozen=True, kw_only=True)
class Processor:
    """Describes one big core of a device and its memory, as far as a latency follows from them."""

    device: str
    clock_ghz: float
    fp32_macs_per_cycle: float
    int8_dot_macs_per_cycle: float  # 0 without dot-product instructions
    memory_gb_per_s: float

    def dense_gmac_per_s(self, precision: Precision) -> float:
        """Returns the peak rate of dense multiply-adds."""
        int8 = self.int8_dot_macs_per_cycle or _INT8_WITHOUT_DOT_PRODUCT * self.fp32_macs_per_cycle
        return self.clock_ghz * (int8 if precision == "int8" else self.fp32_macs_per_cycle)

    @property
    def vector_rate(self) -> float:
        """Returns the rate of elementwise and depthwise work, relative to other processors."""
        return self.clock_ghz * self.fp32_macs_per_cycle


@cache
def processors() -> dict[str, Processor]:
    """Returns every processor of the table, by its device's name."""
    with resources.files("mobile_sdk.latency").joinpath("data", "processors.csv").open(encoding="utf-8") as file:
        return {line["device"]: _processor(line) for line in csv.DictReader(file)}


def extrapolate(model: LatencyModel, to: Processor) -> LatencyModel:
    """Returns `model` for another device; each cost is scaled by the resource that limits it."""
    source = processors()[model.setup.device]
    precision = model.setup.precision
    dense = source.dense_gmac_per_s(precision) / to.dense_gmac_per_s(precision)
    factors = dict.fromkeys(AMOUNTS, source.vector_rate / to.vector_rate) | {
        "pointwise_macs": dense,
        "spatial_macs": dense,
        "grouped_macs": dense,
        "weights": source.memory_gb_per_s / to.memory_gb_per_s,
        "operators": source.clock_ghz / to.clock_ghz,
    }
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
    """Returns the errors of the base's own models, scaled, on other devices' samples: an extrapolation's accuracy."""
    models = fit_models([sample for sample in samples if sample.setup.device == BASE])
    errors = {}
    for sample in samples:
        base = models.get(sample.setup.model_copy(update={"device": BASE}))
        if base is not None and sample.setup.device != BASE:
            scaled = extrapolate(base, processors()[sample.setup.device])
            errors[sample] = scaled.predict_ms(sample.work) / sample.latency_ms - 1
    return errors


def _processor(line: dict[str, str]) -> Processor:
    return Processor(
        device=line["device"],
        clock_ghz=float(line["clock_ghz"]),
        fp32_macs_per_cycle=float(line["fp32_macs_per_cycle"]),
        int8_dot_macs_per_cycle=float(line["int8_dot_macs_per_cycle"]),
        memory_gb_per_s=float(line["memory_gb_per_s"]),
    )
