"""Describes devices' processors, as far as latencies follow from them; `data/processors.csv` names the sources."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from mobile_sdk.latency.model import Precision
from mobile_sdk.latency.work import AMOUNTS

DENSE = ("pointwise_macs", "spatial_macs", "grouped_macs")
"""Dot products and products of matrices speed these kinds of work up, and no other."""
_INT8_WITHOUT_DOT_PRODUCT = 2.0  # 8-bit products are twice as many a vector as float32 ones, and widened to 16 bit


@dataclass(frozen=True, kw_only=True)
class Processor:
    """Describes one big core of a device and its memory, as far as a latency follows from them."""

    device: str
    clock_ghz: float
    fp32_macs_per_cycle: float
    int8_dot_macs_per_cycle: float  # of dot products, or of products of matrices (i8mm) where it has them; 0 without
    memory_gb_per_s: float

    @property
    def has_dot_product(self) -> bool:
        """Tells whether the core has dot products of 8-bit integers, as phones since about 2019 have."""
        return self.int8_dot_macs_per_cycle > 0

    def dense_gmac_per_s(self, precision: Precision) -> float:
        """Returns the peak rate of dense multiply-adds of one thread."""
        int8 = self.int8_dot_macs_per_cycle or _INT8_WITHOUT_DOT_PRODUCT * self.fp32_macs_per_cycle
        return self.clock_ghz * (int8 if precision == "int8" else self.fp32_macs_per_cycle)

    @property
    def vector_rate(self) -> float:
        """Returns the rate of elementwise and depthwise work, relative to other processors."""
        return self.clock_ghz * self.fp32_macs_per_cycle

    def costs_beside(self, other: "Processor", precision: Precision) -> Mapping[str, float]:
        """Returns by what factor each kind of work costs more time here than on `other`.

        Each cost follows the resource that limits it: dense multiply-adds the peak of their instructions, weights the
        memory's bandwidth, calls and runs the clock, and all other work the clock and the width of vectors.
        """
        dense = other.dense_gmac_per_s(precision) / self.dense_gmac_per_s(precision)
        return dict.fromkeys(AMOUNTS, other.vector_rate / self.vector_rate) | {
            **dict.fromkeys(DENSE, dense),
            "weights": other.memory_gb_per_s / self.memory_gb_per_s,
            **dict.fromkeys(("operators", "runs"), other.clock_ghz / self.clock_ghz),
        }


@cache
def processors() -> dict[str, Processor]:
    """Returns every processor of the table, by its device's name."""
    with resources.files("mobile_sdk.latency").joinpath("data", "processors.csv").open(encoding="utf-8") as file:
        return {line["device"]: _processor(line) for line in csv.DictReader(file)}


def _processor(line: dict[str, str]) -> Processor:
    return Processor(
        device=line["device"],
        clock_ghz=float(line["clock_ghz"]),
        fp32_macs_per_cycle=float(line["fp32_macs_per_cycle"]),
        int8_dot_macs_per_cycle=float(line["int8_dot_macs_per_cycle"]),
        memory_gb_per_s=float(line["memory_gb_per_s"]),
    )
