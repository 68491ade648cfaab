"""Finds where the models of phones predict int8 above float32, and compares with published latencies.

Run: python -m benchmarks.latency_model.int8_predictions     two minutes, most of it for building nets

It takes every phone with latencies in both precisions, and nets at three widths and three sizes; then the published
pairs.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

from benchmarks.core.results_file import markdown, write_result
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.graph.operators import Graph
from mobile_sdk.latency.model import LatencyModel
from mobile_sdk.latency.published import published_models, published_samples
from mobile_sdk.system.environment import installed_versions
from qat.freezing.shapes_only import untrained_graph
from qat.nets import build_net

NETS = (
    *("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"),
    *("mobilenet_v3_small_minimalistic", "mnasnet_a1"),
)
WIDTHS, SIZES_PX = (0.25, 0.5, 1.0), (64, 96, 224)

Pair = tuple[LatencyModel, LatencyModel]
"""These are the models of one phone in int8 and in float32."""


def pairs() -> list[Pair]:
    """Returns every phone, runtime and number of threads that has latencies in both."""
    models = {model.setup: model for model in published_models()}
    twins = [(model, models.get(setup.model_copy(update={"precision": "float32"}))) for setup, model in models.items()]
    return [(model, twin) for model, twin in twins if twin is not None and model.setup.precision == "int8"]


def predictions(name: str, width: float, size_px: int) -> Iterator[dict[str, Any]]:
    """Yields a net's predictions on every phone, in both precisions."""
    contract = Contract(name=name, labels=tuple(map(str, range(1000))), image=ImageSpec(size_px=size_px))
    net = build_net(name, contract, width=width)
    int8, float32 = (untrained_graph(net, contract, is_int8=is_int8) for is_int8 in (True, False))
    for models in pairs():
        yield _row(models, f"{name}-{width:g}-{size_px}", int8, float32)


def published() -> Iterator[dict[str, Any]]:
    """Yields int8's share of float32 for every net that one phone has in both."""
    latencies_ms = {(sample.setup, sample.net): sample.latency_ms for sample in published_samples()}
    for (setup, net), int8_ms in latencies_ms.items():
        twin_ms = latencies_ms.get((setup.model_copy(update={"precision": "float32"}), net))
        if setup.precision == "int8" and twin_ms is not None:
            where = f"{setup.device} {setup.runtime}, {setup.threads}"
            yield {"phone": where, "net": net, "int8 / float32": round(int8_ms / twin_ms, 2)}


def _row(models: Pair, net: str, int8: Graph, float32: Graph) -> dict[str, Any]:
    setup = models[0].setup
    int8_ms, float32_ms = models[0].predict_graph_ms(int8), models[1].predict_graph_ms(float32)
    return {
        "phone": f"{setup.device} {setup.runtime}, {setup.threads}",
        "net": net,
        "int8 ms": round(int8_ms, 2),
        "float32 ms": round(float32_ms, 2),
        "int8 / float32": round(int8_ms / float32_ms, 3),
    }


def main() -> None:
    """Counts."""
    quiet()
    rows = [row for net in product(NETS, WIDTHS, SIZES_PX) for row in predictions(*net)]
    above = [row for row in rows if row["int8 / float32"] > 1]
    write_result("int8_predictions", above, installed_versions(["scipy"]))
    print(f"\n{len(above)} of {len(rows)} predictions are above float32. Published pairs, the dearest first:\n")
    print(markdown(sorted(published(), key=lambda row: -row["int8 / float32"])[:12]))


if __name__ == "__main__":
    main()
