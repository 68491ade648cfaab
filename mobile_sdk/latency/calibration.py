"""Makes a latency model of the user's own device: it measures a few dozen small operators there and fits a model."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mobile_sdk import runtimes as registry
from mobile_sdk.benchmarking.benchmark import benchmark
from mobile_sdk.benchmarking.measurements import Numbers
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.contract import Contract, DetectionSpec, ImageSpec
from mobile_sdk.devices import check_measures_time, open_device
from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.graph.operators import DecodeBoxes, Graph
from mobile_sdk.latency.cross_validation import mean_error_share, spread_share, unseen_net_errors
from mobile_sdk.latency.fit import Sample, check_can_fit, fit_models
from mobile_sdk.latency.host_timing import host_latencies_ms
from mobile_sdk.latency.model import UNKNOWN_SPREAD, LatencyModel, LatencyModels, Setup
from mobile_sdk.latency.operator_graphs import NamedGraph, operator_graphs
from mobile_sdk.latency.work import count_work
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from mobile_sdk.system.temporary_folder import scratch_folder

Progress = Callable[[float, str], None]
"""It takes the share that is done, 0..1, and a description of the current work."""

CHANNEL_TILES = (1, 8, 16, 32)
"""Kernels compute so many output channels at once: 8 or 16 on Arm, 16 or 32 with AVX-512."""


def calibrate(
    device: str,
    *,
    runtimes: Sequence[str] = registry.timed_here(),
    threads: int = 1,
    graphs: Iterable[NamedGraph] | None = None,
    progress: Progress | None = None,
) -> LatencyModels:
    """Measures `graphs` (the operator graphs if None) on `device` in every runtime, and fits a model to each; int8.

    Raises SettingError for a device whose times mean nothing, MachineError if one of the bundles cannot run there.
    """
    check_can_fit()  # not after minutes of measuring
    check_measures_time(open_device(device))
    known = registry.on_devices()
    if not runtimes or set(runtimes) - set(known):
        raise SettingError(
            f"expected runtimes among {', '.join(known)}, found {', '.join(runtimes) or 'none'}",
            hint=f"calibrate {' or '.join(known)}, or all of them",
        )
    measured = list(operator_graphs() if graphs is None else graphs)
    models = []
    for index, runtime in enumerate(runtimes):

        def within(done_share: float, text: str, index: int = index) -> None:
            if progress:
                progress((index + done_share) / len(runtimes), text)

        setup = Setup(device=device, runtime=runtime, precision="int8", threads=threads)
        models.append(fit_operators(measured, measure_graphs(measured, setup, within), setup))
    versions = {package: version for name in runtimes for package, version in registry.get(name).versions().items()}
    return LatencyModels(models=tuple(models), versions=versions)


def fit_operators(graphs: Sequence[NamedGraph], latencies_ms: Sequence[float], setup: Setup) -> LatencyModel:
    """Returns the model with the channel tile that has the smallest error on operators left out of the fit."""
    models = [_fit(graphs, latencies_ms, setup, channel_tile) for channel_tile in CHANNEL_TILES]
    return min(models, key=lambda model: model.unseen_operator_share or 0.0)


def samples_of(
    graphs: Sequence[NamedGraph], latencies_ms: Sequence[float], setup: Setup, channel_tile: int
) -> list[Sample]:
    """Returns every graph's latency with its work, on kernels of that channel tile."""
    return [
        Sample(
            setup=setup,
            net=name,
            family=name,
            work=count_work(graph, channel_tile=channel_tile),
            latency_ms=latency_ms,
        )
        for (name, graph), latency_ms in zip(graphs, latencies_ms, strict=True)
    ]


def _fit(graphs: Sequence[NamedGraph], latencies_ms: Sequence[float], setup: Setup, channel_tile: int) -> LatencyModel:
    samples = samples_of(graphs, latencies_ms, setup, channel_tile)
    errors = unseen_net_errors(samples)
    update = {
        "channel_tile": channel_tile,
        "unseen_operator_share": mean_error_share(errors, lambda other: other == setup),
        "spread_share": spread_share(errors) or UNKNOWN_SPREAD,
    }
    return fit_models(samples)[setup].model_copy(update=update)


def measure_graphs(graphs: Sequence[NamedGraph], setup: Setup, progress: Progress) -> list[float]:
    """Returns the milliseconds of one run of every graph in `setup`."""
    if setup.device == "host":
        progress(0.0, f"{len(graphs)} operators in {setup.runtime}")
        contracts = [(graph, _contract(graph, name)) for name, graph in graphs]
        return host_latencies_ms(contracts, runtime=setup.runtime, threads=setup.threads)
    return benchmark_graphs(graphs, setup, progress)


def benchmark_graphs(graphs: Sequence[NamedGraph], setup: Setup, progress: Progress) -> list[float]:
    """Measures the same with `benchmark`, which reaches every device; one bundle at a time, as phones are full."""
    latencies_ms = []
    with scratch_folder() as folder:
        for index, (name, graph) in enumerate(graphs):
            progress(index / len(graphs), f"{name} in {setup.runtime}")
            bundle = _bundle(graph, name, setup.runtime, folder)
            numbers = benchmark([bundle], device=setup.device, threads=setup.threads, quick=True)
            latencies_ms.append(_median_ms(numbers))
    return latencies_ms


def _contract(graph: Graph, name: str) -> Contract:
    """Makes a contract for a graph.

    The graph's last operator determines the task: boxes, a map of labels, or scores.
    """
    shape, image = graph.output.shape, ImageSpec(size_px=graph.input.shape[1])
    if isinstance(graph.operators[-1], DecodeBoxes):
        return Contract(
            name=name, task="detection", labels=_labels(shape[1] - 5), image=image, detection=DetectionSpec()
        )
    if len(shape) == 3:
        stretched = image.model_copy(update={"fit": "stretch"})
        return Contract(name=name, task="segmentation", labels=_labels(shape[0]), image=stretched)
    return Contract(name=name, labels=_labels(shape[0]), image=image)


def _labels(count: int) -> tuple[str, ...]:
    return tuple(f"label {index}" for index in range(count))


def _bundle(graph: Graph, name: str, runtime: str, folder: Path) -> Bundle:
    record = Record(net=name, quantized="calibrated")
    return lower(Program(graph=graph, contract=_contract(graph, name), record=record), folder, runtimes=[runtime])[0]


def _median_ms(numbers: Numbers) -> float:
    (measurement,) = numbers.measurements
    if measurement.summary is None:
        raise MachineError(
            f"expected {measurement.bundle} to run on {numbers.device}, found that {measurement.not_run}",
            hint="leave that runtime out, or see what mobile-sdk doctor says",
        )
    return measurement.summary.median_ms
