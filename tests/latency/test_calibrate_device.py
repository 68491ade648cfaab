"""Calibration of a device on small operators: it finds what the device costs, and predict then works for it."""

import json
from pathlib import Path

import numpy as np
import pytest

from mobile_sdk.cli.app import call
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Conv2d, Graph
from mobile_sdk.latency import calibration
from mobile_sdk.latency.calibration import CHANNEL_TILES, benchmark_graphs, calibrate, fit_operators, measure_graphs
from mobile_sdk.latency.model import LatencyModel, LatencyModels, Setup
from mobile_sdk.latency.operator_graphs import operator_graphs
from mobile_sdk.latency.work import AMOUNTS, count_work
from tests.support.graphs import int8_graph

HOST = Setup(device="host", runtime="tflite", precision="int8")
COSTS = dict.fromkeys(AMOUNTS, 0.6) | {
    "pointwise_macs": 0.05,
    "spatial_macs": 0.1,
    "grouped_macs": 0.15,
    "depthwise_macs": 0.4,
    "weights": 0.3,
    "moved_elements": 0.2,
    "summed_elements": 1.0,
    "gated_elements": 1.5,
    "shuffled_elements": 3.0,
    "decoded_elements": 2.0,
    "moved_pixels": 5.0,
    "padded_pixels": 20.0,
    "operators": 2000.0,
    "runs": 8000.0,
}


def phone(graph: Graph, *, channel_tile: int) -> float:
    """The milliseconds of a phone that is as the model says."""
    return LatencyModel(setup=HOST, costs_ns=COSTS, channel_tile=channel_tile, rows=0).predict_graph_ms(graph)


def test_the_operators_span_all_work_and_are_no_whole_net() -> None:
    works = [count_work(graph) for _, graph in operator_graphs()]
    assert 24 <= len(works) <= 80
    for name in AMOUNTS:
        most = max(getattr(work, name) for work in works)
        assert most > 0, name
    # The dearest kind of each graph differs: otherwise kinds could not be told apart.
    shares = np.array([[getattr(work, name) * COSTS[name] for name in AMOUNTS] for work in works])
    shares /= np.abs(shares).sum(1, keepdims=True)
    assert np.linalg.matrix_rank(shares, tol=0.05) == len(AMOUNTS)


@pytest.mark.parametrize("channel_tile", [1, 16, 32])
def test_the_costs_and_the_tile_of_a_phone_are_found(channel_tile: int) -> None:
    graphs = list(operator_graphs())
    random = np.random.default_rng(0)
    latencies_ms = [phone(graph, channel_tile=channel_tile) * (1 + 0.02 * random.normal()) for _, graph in graphs]
    model = fit_operators(graphs, latencies_ms, HOST)
    assert model.rows == len(graphs) and model.unseen_net_share is None
    assert model.unseen_operator_share is not None and model.unseen_operator_share < 0.05
    assert model.channel_tile in ((1, 8) if channel_tile == 1 else (channel_tile,))  # no graph's channels need 1
    net = int8_graph("mobile block")
    assert model.predict_graph_ms(net) == pytest.approx(phone(net, channel_tile=channel_tile), rel=0.15)


def test_channels_that_do_not_fill_a_tile_are_computed_all_the_same() -> None:
    graph = int8_graph("conv chain")
    for channel_tile in CHANNEL_TILES:
        macs = 0
        for step in graph.operators:
            if isinstance(step, Conv2d):
                groups = 1 if step.is_depthwise else step.groups  # each of which fills its own tiles
                computed = groups * -(-step.output.shape[0] // groups // channel_tile) * channel_tile
                read = step.weight[0].size
                if channel_tile > 1 and not step.is_depthwise:  # channels are read by eight
                    read = read // step.weight.shape[1] * -(-step.weight.shape[1] // 8) * 8
                macs += computed * read * step.output.shape[1] ** 2
        work = count_work(graph, channel_tile=channel_tile)
        dense = work.pointwise_macs + work.spatial_macs + work.grouped_macs
        assert dense + work.depthwise_macs + work.large_depthwise_macs == macs


def test_a_device_that_measures_no_time_is_refused() -> None:
    with pytest.raises(SettingError, match="times mean something"):
        calibrate("emulated:cortex-a76", runtimes=["tflite"])


def test_a_runtime_that_is_not_calibrated_is_refused() -> None:
    with pytest.raises(SettingError, match="found coreml"):
        calibrate("host", runtimes=["coreml"])


def test_both_ways_of_measuring_give_the_order_of_the_operators() -> None:
    graphs = [(name, graph) for name, graph in operator_graphs() if name in {"short_8_16", "pointwise_112_32_64"}]
    for way in (measure_graphs, benchmark_graphs):
        heard: list[str] = []
        large, small = way(graphs, HOST, lambda share, text, heard=heard: heard.append(text))
        assert 0 < small < large and heard


def test_the_command_writes_what_predict_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def measured(graphs: list[tuple[str, Graph]], setup: Setup, progress: object) -> list[float]:
        return [phone(graph, channel_tile=16) for _, graph in graphs]

    monkeypatch.setattr(calibration, "measure_graphs", measured)
    file = tmp_path / "phone.json"
    assert call(["calibrate", "--to", "tflite", "--out", str(file), "--json"]) == 0
    said = LatencyModels.model_validate(json.loads(capfd.readouterr().out))
    assert said == LatencyModels.load(file) and said.models[0].channel_tile == 16
    assert call(["predict", "mobilenet_v1", "--width", "0.25", "--size", "128", "--device", str(file), "--json"]) == 0
    (estimate,) = json.loads(capfd.readouterr().out)["estimates"]
    assert estimate["device"] == "host" and estimate["runtime"] == "tflite" and estimate["latency_ms"] > 0
    assert estimate["error_share"] is None and 0 < estimate["operator_error_share"] < 0.1
