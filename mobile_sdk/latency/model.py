"""A latency model of one device, runtime and precision: nanoseconds for every amount of work."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError

from mobile_sdk.atomic import write_text
from mobile_sdk.contract import Model
from mobile_sdk.errors import DataError
from mobile_sdk.integer_graph import Graph
from mobile_sdk.latency.work import AMOUNTS, Work, count_work
from mobile_sdk.regular_file import read_regular

Precision = Literal["int8", "float32"]


class Setup(Model):
    """Where and with what latencies were measured: they are comparable within one setup only.

    `runtime` is a runtime's name, for published figures with its generation: "tflite-2019", "xnnpack-2020".
    """

    device: str
    runtime: str
    precision: Precision
    threads: Annotated[int, Field(ge=1)] = 1

    @property
    def kernels(self) -> tuple[str, Precision]:
        """The kernels that ran: what an amount of work costs relative to others is much the same wherever they run."""
        return self.runtime.partition("-")[0], self.precision


class LatencyModel(Model):
    """What one setup spends on each amount of work, and how far its predictions were from latencies not fitted to.

    The errors are mean absolute shares of the measured latency: `unseen_net_share` where the net was left out of the
    fit, on every device; `unseen_family_share` where all nets of its family were; `unseen_operator_share` of a
    calibration, where an operator's graph was. None where nothing could be left out.
    """

    setup: Setup
    costs_ns: dict[str, Annotated[float, Field(ge=0)]]  # for one unit of each of AMOUNTS
    channel_tile: Annotated[int, Field(ge=1)] = 1  # output channels that the kernels compute at once
    rows: int  # latencies that it was fitted to
    unseen_net_share: float | None = None
    unseen_family_share: float | None = None
    unseen_operator_share: float | None = None
    scaled_from: str | None = None  # another device: nothing was measured on this one

    @property
    def rests_on(self) -> str:
        """What it was fitted to, and how far it was off on what it was not."""
        if self.scaled_from:
            return f"unverified, scaled from {self.scaled_from}"
        if self.unseen_operator_share is not None:
            return f"{self.rows} operators, {100 * self.unseen_operator_share:.1f} % off unseen ones"
        unseen = "" if self.unseen_net_share is None else f", {100 * self.unseen_net_share:.1f} % off unseen nets"
        return f"{self.rows} published{unseen}"

    def predict_graph_ms(self, graph: Graph) -> float:
        """The predicted latency of one run of `graph`."""
        return self.predict_ms(count_work(graph, channel_tile=self.channel_tile))

    def predict_ms(self, work: Work) -> float:
        """The same for work that was counted for the model's channel tile."""
        costs = np.array([self.costs_ns[name] for name in AMOUNTS])
        return float(costs @ work.amounts()) / 1e6


class LatencyModels(Model):
    """What `mobile-sdk calibrate` writes: the models of one device, one for every runtime."""

    schema_number: Literal[1] = 1
    models: Annotated[tuple[LatencyModel, ...], Field(min_length=1)]
    versions: Mapping[str, str] = {}

    def save(self, path: Path) -> None:
        """Writes the file `path`, whole or not at all."""
        write_text(path, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "LatencyModels":
        """Reads the file `path`; raises DataError where it is no such file."""
        try:
            return cls.model_validate_json(read_regular(path))
        except OSError as error:
            raise DataError(
                f"expected a device's latency models in {path.name}, found: {error.strerror}",
                hint="calibrate the device, or name one that `predict` knows",
            ) from error
        except ValidationError as error:
            problem = error.errors()[0]
            reason = f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            raise DataError(
                f"expected a device's latency models in {path.name}, found {reason}", hint="calibrate the device again"
            ) from error
