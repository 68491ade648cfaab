"""Whole nets' int8 latencies on this host, predicted by a model that was calibrated on small operators only.

Run: python -m benchmarks.operator_calibration

Operators and nets are measured in the same interleaved rounds, one thread; the fit sees the operators alone.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.results_file import write_result
from benchmarks.targets import Target
from mobile_sdk import runtimes
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.integer_graph import Graph
from mobile_sdk.latency.calibration import RUNTIMES, fit_operators, measure_graphs
from mobile_sdk.latency.model import Setup
from mobile_sdk.latency.operator_graphs import operator_graphs
from qat.nets import build_net
from qat.untrained import untrained_graph

NETS = (  # name, width, picture
    ("mobilenet_v1", 1.0, 224),
    ("mobilenet_v1", 0.75, 192),
    ("mobilenet_v1", 0.5, 160),
    ("mobilenet_v1", 0.25, 128),
    ("mobilenet_v2", 1.4, 224),
    ("mobilenet_v2", 1.0, 224),
    ("mobilenet_v2", 1.0, 128),
    ("mobilenet_v2", 0.5, 160),
    ("mobilenet_v2", 0.35, 224),
    ("mobilenet_v3_large", 1.0, 224),
    ("mobilenet_v3_large", 1.0, 128),
    ("mobilenet_v3_large", 0.75, 192),
    ("mobilenet_v3_small", 1.0, 224),
    ("mobilenet_v3_small", 1.0, 128),
    ("mobilenet_v3_small", 0.75, 160),
)
MEDIAN_BOUND = 10.0  # percent


def net_graphs() -> Iterator[tuple[str, Graph]]:
    """Every net's int8 graph with its title; weights are random, on which a latency does not depend."""
    for name, width, size_px in NETS:
        contract = Contract(name=name, labels=tuple(map(str, range(1000))), image=ImageSpec(size_px=size_px))
        graph = untrained_graph(build_net(name, contract, width=width), contract, is_int8=True)
        yield f"{name}-{width:g}-{size_px}", graph


def measure(runtime: str, nets: list[tuple[str, Graph]]) -> list[dict[str, Any]]:
    """A row for every net in one runtime."""
    operators = list(operator_graphs())
    setup = Setup(device="host", runtime=runtime, precision="int8")
    latencies_ms = measure_graphs([*operators, *nets], setup, lambda done_share, text: None)
    model = fit_operators(operators, latencies_ms[: len(operators)], setup)
    return [
        {
            "runtime": runtime,
            "net": title,
            "measured ms": round(measured_ms, 3),
            "predicted ms": round(model.predict_graph_ms(graph), 3),
            "error %": round(100 * (model.predict_graph_ms(graph) / measured_ms - 1), 1),
            "operators": model.rows,
            "channel tile": model.channel_tile,
            "unseen operator error %": round(100 * (model.unseen_operator_share or 0.0), 1),
        }
        for (title, graph), measured_ms in zip(nets, latencies_ms[len(operators) :], strict=True)
    ]


def target(runtime: str, rows: list[dict[str, Any]]) -> Target:
    """The median over nets of what predictions miss by."""
    median = float(np.median([abs(row["error %"]) for row in rows]))
    return Target(
        work=f"int8 latency of {len(rows)} unseen nets, {runtime}, calibrated on {rows[0]['operators']} operators",
        unit="% median error",
        stock=None,
        ours=median,
        judged="ours",
        figure=median,
        bound=MEDIAN_BOUND,
        sense="at most",
    )


def main() -> None:
    """Measures and predicts; a minute and a half."""
    quiet()
    nets = list(net_graphs())
    by_runtime = {runtime: measure(runtime, nets) for runtime in RUNTIMES}
    versions = {package: version for name in RUNTIMES for package, version in runtimes.get(name).versions().items()}
    write_result(
        "operator_calibration",
        [row for rows in by_runtime.values() for row in rows],
        versions,
        [target(runtime, rows) for runtime, rows in by_runtime.items()],
    )


if __name__ == "__main__":
    main()
