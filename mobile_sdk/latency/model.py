"""Models the latency of one device, runtime and precision in nanoseconds for every amount of work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from mobile_sdk.document import Document
from mobile_sdk.errors import DataError
from mobile_sdk.graph.operators import Graph, Operator, Weighted
from mobile_sdk.latency.work import AMOUNTS, WORDS, Work, count_work, work_of
from mobile_sdk.system.seal import read_sealed, write_sealed

Precision = Literal["int8", "float32"]

UNMEASURED_FACTOR = 4.0
"""The cost of a kind of work that was not measured may be off by this factor, either way: see `unseen_kind_factors`."""
UNKNOWN_SPREAD = 0.5
"""A model has this spread if its data allow no cross-validation."""
MOST_NS = 1e9
"""No unit of work takes longer."""
FOUR_BIT_FACTOR = 2.0
"""Products with 4-bit weights may take so many times as long as those with 8-bit ones: XNNPACK has no i8mm kernels for
them, where processors with i8mm (phones since about 2022) do twice as many products as with dot products."""
_FIRST_I8MM = 2023  # kernels for it in XNNPACK
_NAMED_SHARE = 0.01  # of a latency: smaller unmeasured shares are not named


class Setup(Document):
    """Names the device, runtime, precision and threads of latencies; they are comparable within one setup only.

    `runtime` is a runtime's name, for published figures with its generation: "tflite-2019", "xnnpack-2020",
    "xnnpack-2024" (with dot products, and products of matrices where a core has them). Users' own runs of a runtime on
    a known phone are "xnnpack-tflite" and "xnnpack-executorch", as both compute in XNNPACK today.
    """

    device: str
    runtime: str
    precision: Precision
    threads: Annotated[int, Field(ge=1)] = 1

    @property
    def kernels(self) -> tuple[str, Precision]:
        """Returns the kernels that ran: the relative costs of work are much the same wherever they run."""
        return self.runtime.partition("-")[0], self.precision


class LatencyModel(Document):
    """Holds the cost of each amount of work in one setup, and the errors on latencies that were left out of the fit.

    The errors are mean absolute shares of the measured latency: `unseen_net_share` where the net was left out of the
    fit, on every device; `unseen_family_share` where all nets of its family were; `unseen_operator_share` of a
    calibration, where an operator's graph was. They are None where nothing could be left out. Nine of ten predictions
    of what was left out are within `spread_share` of the latency. `measured` are the kinds of work that occur in the
    latencies; the others keep their prior costs.
    """

    setup: Setup
    costs_ns: dict[str, Annotated[float, Field(ge=0, le=MOST_NS)]]  # for one unit of each of AMOUNTS
    channel_tile: Annotated[int, Field(ge=1)] = 1  # output channels that the kernels compute at once
    rows: int  # latencies that it was fitted to
    unseen_net_share: float | None = None
    unseen_family_share: float | None = None
    unseen_operator_share: float | None = None
    spread_share: Annotated[float, Field(ge=0, lt=1)] = UNKNOWN_SPREAD
    measured: tuple[str, ...] = AMOUNTS
    scaled_from: str | None = None  # another device, as nothing was measured on this one
    is_contributed: Annotated[bool, Field(exclude_if=lambda is_so: not is_so)] = False  # fitted to users' own runs

    @property
    def may_have_i8mm(self) -> bool:
        """Tells whether the device may have products of matrices: users' devices, and published ones of late."""
        _, _, year = self.setup.runtime.partition("-")
        is_late = year.isdigit() and int(year) >= _FIRST_I8MM
        return self.unseen_operator_share is not None or self.is_contributed or is_late

    @property
    def rests_on(self) -> str:
        """Returns the data that it was fitted to, and its errors on data that were left out."""
        if self.scaled_from:
            return f"unverified, scaled from {self.scaled_from}"
        if self.unseen_operator_share is not None:
            return f"{self.rows} operators, {100 * self.unseen_operator_share:.1f} % off unseen ones"
        unseen = "" if self.unseen_net_share is None else f", {100 * self.unseen_net_share:.1f} % off unseen nets"
        return f"{self.rows} {'measured' if self.is_contributed else 'published'}{unseen}"

    def predict_graph_ms(self, graph: Graph) -> float:
        """Returns the predicted latency of one run of `graph`."""
        return self.predict_ms(count_work(graph, channel_tile=self.channel_tile))

    def predict_ms(self, work: Work) -> float:
        """Returns the predicted latency of work that was counted for the model's channel tile."""
        return float(self._parts_ms(work).sum())

    def expected_us(self, operators: Sequence[Operator]) -> float:
        """Returns the time in a run that the model expects of some of a graph's operators."""
        return 1000 * self.predict_ms(sum((work_of(each, self.channel_tile) for each in operators), Work()))

    def estimate(self, graph: Graph) -> "Estimate":
        """Returns the predicted latency with its interval, and the parts of it that rest on no measurement."""
        parts_ms = self._parts_ms(count_work(graph, channel_tile=self.channel_tile))
        total_ms = float(parts_ms.sum())
        if total_ms == 0:
            raise DataError(
                "expected a latency above 0, found costs of other kinds of work alone", hint="calibrate again"
            )
        shares = {name: float(part) / total_ms for name, part in zip(AMOUNTS, parts_ms, strict=True)}
        unmeasured = {name: share for name, share in shares.items() if share and name not in self.measured}
        guessed_ms = total_ms * sum(unmeasured.values())
        four_bit_ms = self._four_bit_ms(graph)
        slower_ms = four_bit_ms * (FOUR_BIT_FACTOR - 1) if self.may_have_i8mm else 0.0
        return Estimate(
            latency_ms=total_ms,
            low_ms=(total_ms - guessed_ms) / (1 + self.spread_share) + guessed_ms / UNMEASURED_FACTOR,
            high_ms=(total_ms + slower_ms - guessed_ms) / (1 - self.spread_share) + guessed_ms * UNMEASURED_FACTOR,
            unmeasured=unmeasured,
            four_bit_share=four_bit_ms / total_ms,
        )

    def _four_bit_ms(self, graph: Graph) -> float:
        """Returns the time of products with 4-bit weights, at the cost of those with 8-bit ones."""
        four = [each for each in graph.operators if isinstance(each, Weighted) and each.weight_bits == 4]
        work = sum((work_of(each, self.channel_tile) for each in four), Work())
        return work.pointwise_macs * self.costs_ns["pointwise_macs"] / 1e6

    def _parts_ms(self, work: Work) -> NDArray[np.float64]:
        costs = np.array([self.costs_ns[name] for name in AMOUNTS])
        return costs * work.amounts() / 1e6

    @model_validator(mode="after")
    def _check(self) -> "LatencyModel":
        if missing := [name for name in AMOUNTS if name not in self.costs_ns]:
            raise ValueError(f"no cost of {', '.join(WORDS[name] for name in missing)}: an older calibration")
        if unknown := [name for name in (*self.costs_ns, *self.measured) if name not in AMOUNTS]:
            raise ValueError(f"kinds of work that are not known here: {', '.join(unknown)}")
        if not any(self.costs_ns.values()):
            raise ValueError("no cost above 0")
        return self


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Holds a predicted latency. It is between `low_ms` and `high_ms` in nine of ten cases, as far as that is known.

    `unmeasured` are the shares of the latency of those kinds of work that the model was not fitted to;
    `four_bit_share` is that of products with 4-bit weights.
    """

    latency_ms: float
    low_ms: float
    high_ms: float
    unmeasured: Mapping[str, float]
    four_bit_share: float = 0.0

    @property
    def not_measured(self) -> str:
        """Returns the unmeasured kinds in words; may be empty."""
        return line_of_shares(self.unmeasured)


def line_of_shares(shares: Mapping[str, float]) -> str:
    """Returns kinds of work and their shares of a latency in words, the largest first, none below a percent."""
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    return ", ".join(f"{WORDS[name]} {100 * share:.0f} %" for name, share in ranked if share >= _NAMED_SHARE)


class LatencyModels(Document):
    """Holds the content of the file that `mobile-sdk calibrate` writes: a device's models, one for every runtime."""

    schema_number: Literal[1] = 1
    models: Annotated[tuple[LatencyModel, ...], Field(min_length=1)]
    versions: Mapping[str, str] = {}

    def save(self, path: Path) -> None:
        """Writes the file `path`, whole or not at all."""
        write_sealed(path, self.model_dump_json(indent=1))

    @classmethod
    def load(cls, path: Path) -> "LatencyModels":
        """Reads the file `path`; raises DataError if it is no such file."""
        try:
            return cls.model_validate_json(read_sealed(path))
        except OSError as error:
            raise DataError(
                f"expected a device's latency models in {path.name}, found: {error.strerror}",
                hint="calibrate the device, or name one that `predict` knows",
            ) from error
        except ValidationError as error:
            problem = error.errors()[0]
            reason = f"{'.'.join(map(str, problem['loc']))}: {problem['msg'].removeprefix('Value error, ')}"
            raise DataError(
                f"expected a device's latency models in {path.name}, found {reason}", hint="calibrate the device again"
            ) from error
