"""A model for a device that nobody published latencies of: scaled from another by clock, vector width and dot product.

Unverified, and marked so: processors differ in more than that. What each row of the table rests on is in
`data/processors.csv`.
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
"""The latest phone with latencies of one thread in both precisions: what others are scaled from."""
_INT8_WITHOUT_DOT_PRODUCT = 2.0  # 8-bit products are twice as many a vector as float32 ones, and widened to 16 bit


@dataclass(frozen=True, kw_only=True)
class Processor:
    """One big core of a device and its memory, as far as a latency follows from them."""

    device: str
    clock_ghz: float
    fp32_macs_per_cycle: float
    int8_dot_macs_per_cycle: float  # 0 without dot-product instructions
    memory_gb_per_s: float

    def dense_gmac_per_s(self, precision: Precision) -> float:
        """The peak of dense multiply-adds."""
        int8 = self.int8_dot_macs_per_cycle or _INT8_WITHOUT_DOT_PRODUCT * self.fp32_macs_per_cycle
        return self.clock_ghz * (int8 if precision == "int8" else self.fp32_macs_per_cycle)

    @property
    def vector_rate(self) -> float:
        """What elementwise and depthwise work is done with, relative to other processors."""
        return self.clock_ghz * self.fp32_macs_per_cycle


@cache
def processors() -> dict[str, Processor]:
    """Every processor of the table, by its device's name."""
    with resources.files("mobile_sdk.latency").joinpath("data", "processors.csv").open(encoding="utf-8") as file:
        return {line["device"]: _processor(line) for line in csv.DictReader(file)}


def extrapolate(model: LatencyModel, to: Processor) -> LatencyModel:
    """`model` for another device: each cost by what sets its pace."""
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
    """The errors on other devices' samples of the base's own models, scaled: what an extrapolation is worth."""
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
