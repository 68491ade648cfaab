"""Gives a search the latencies of its candidates: predicted for a phone or a calibrated device, or measured on one."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from mobile_sdk import runtimes
from mobile_sdk.devices import check_measures_time, open_device
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.latency.calibration import measure_graphs
from mobile_sdk.latency.choice import choose_models
from mobile_sdk.latency.model import LatencyModel, Setup

MEASURING = ("host", "adb", "ssh", "app", "emulated")  # names of devices that `bench` takes begin so


@dataclass(frozen=True, kw_only=True)
class LatencyJudge:
    """Returns the milliseconds of an int8 graph; `said` names their source, differently for every judge.

    If `is_measured`, they scatter: the fastest of many are partly those that were measured too fast.
    """

    latency_ms: Callable[[Graph], float]
    said: str
    is_measured: bool = False


def choose_judge(device: str, runtime: str | None) -> LatencyJudge:
    """Returns the judge of that name; raises SettingError for an unknown one, MachineError for a missing one."""
    if device.partition(":")[0] in MEASURING:
        return _measuring(device, runtime or runtimes.MEASURED_IN)
    model = _one_of(choose_models(device, "int8", runtime=runtime))
    digest = hashlib.sha256(model.model_dump_json().encode()).hexdigest()[:12]
    setup = model.setup
    said = f"{setup.device}, {setup.runtime}, {setup.threads} thread(s), predicted by model {digest}"
    return LatencyJudge(latency_ms=model.predict_graph_ms, said=said)


def _one_of(models: list[LatencyModel]) -> LatencyModel:
    """Returns the one with fewest threads; raises SettingError if there are several runtimes."""
    found = dict.fromkeys(model.setup.runtime for model in models)
    if len(found) > 1:
        raise SettingError(
            f"expected one latency model, found those of {', '.join(found)}",
            hint=f"add --runtime {next(iter(found))}",
        )
    return min(models, key=lambda model: model.setup.threads)


def _measuring(device: str, runtime: str) -> LatencyJudge:
    if runtime not in (known := runtimes.on_devices()):
        raise SettingError(
            f"expected a runtime to measure in ({', '.join(known)}), found {runtime}",
            hint=f"leave it out for {runtimes.MEASURED_IN}",
        )
    check_measures_time(open_device(device))
    setup = Setup(device=device, runtime=runtime, precision="int8")

    def measured_ms(graph: Graph) -> float:
        return measure_graphs([("candidate", graph)], setup, lambda done_share, text: None)[0]

    return LatencyJudge(latency_ms=measured_ms, said=f"{device}, {runtime}, 1 thread, measured", is_measured=True)
