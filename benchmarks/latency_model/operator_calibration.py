"""Predicts whole nets' int8 latencies on this host by a model that was calibrated only on small operators.

Run: python -m benchmarks.latency_model.operator_calibration     two minutes; the machine must be quiet

Operators and nets are measured in the same interleaved rounds, one thread; only the operators are fitted. A second
table has the kinds of work: the fitted cost of each, and its error when the kind is left out of the calibration and
priced by the prior, as a phone's model prices a kind that no published net has.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.core.results_file import markdown, write_result
from benchmarks.core.targets import Target
from mobile_sdk import runtimes
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, DetectionSpec, ImageSpec
from mobile_sdk.latency.calibration import fit_operators, measure_graphs, samples_of
from mobile_sdk.latency.cross_validation import unseen_kind_factors
from mobile_sdk.latency.model import UNMEASURED_FACTOR, LatencyModel, Setup
from mobile_sdk.latency.operator_graphs import NamedGraph, operator_graphs
from mobile_sdk.latency.work import WORDS
from qat.freezing.shapes_only import untrained_graph
from qat.nets import build_net
from qat.nets.segmenters import build_segmenter
from qat.nets.ssd import build_detector

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
OTHER_NETS = (  # with operators that MobileNets do not have
    ("mnasnet_a1", 1.0, 224),
    ("shufflenet_v1", 1.0, 224),
    ("shufflenet_v1", 0.5, 160),
    ("shufflenet_v2", 1.0, 224),
    ("shufflenet_v2", 0.5, 128),
    ("squeezenet", 1.0, 224),
)
SEGMENTERS = (("mobilenet_v3_small", 128), ("mobilenet_v3_large", 128))  # LR-ASPP
JUDGED = ("shufflenet_v1-1-224", "shufflenet_v2-1-224", "lr-aspp-mobilenet_v3_small-128")
MEDIAN_BOUND, JUDGED_BOUND = 10.0, 10.0  # percent


def net_graphs() -> Iterator[NamedGraph]:
    """Yields every net's int8 graph with its title; weights are random, as latency does not depend on them."""
    for name, width, size_px in (*NETS, *OTHER_NETS):
        contract = Contract(name=name, labels=_labels(1000), image=ImageSpec(size_px=size_px))
        graph = untrained_graph(build_net(name, contract, width=width), contract, is_int8=True)
        yield f"{name}-{width:g}-{size_px}", graph
    for name, size_px in SEGMENTERS:
        image = ImageSpec(size_px=size_px, fit="stretch")
        contract = Contract(name=name, task="segmentation", labels=_labels(21), image=image)
        graph = untrained_graph(build_segmenter(name, contract), contract, is_int8=True)
        yield f"lr-aspp-{name}-{size_px}", graph
    image = ImageSpec(size_px=160, fit="stretch")
    contract = Contract(name="ssd", task="detection", labels=_labels(20), image=image, detection=DetectionSpec())
    detector = build_detector("mobilenet_v2", contract, width=0.5)
    yield "ssdlite-mobilenet_v2-0.5-160", untrained_graph(detector, contract, is_int8=True)


def _labels(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


def measure(runtime: str, nets: list[NamedGraph]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns a row for every net in one runtime, and one for every kind of work."""
    operators = list(operator_graphs())
    setup = Setup(device="host", runtime=runtime, precision="int8")
    latencies_ms = measure_graphs([*operators, *nets], setup, lambda done_share, text: None)
    operators_ms, nets_ms = latencies_ms[: len(operators)], latencies_ms[len(operators) :]
    model = fit_operators(operators, operators_ms, setup)
    rows = [_row(model, *pair) for pair in zip(nets, nets_ms, strict=True)]
    factors = unseen_kind_factors(samples_of(operators, operators_ms, setup, model.channel_tile))
    kinds = [
        {
            "runtime": runtime,
            "kind of work": WORDS[name],
            "ns": float(f"{cost:.3g}"),
            "left out, times": float(f"{factors[name]:.2g}") if name in factors else "–",
        }
        for name, cost in model.costs_ns.items()
    ]
    return rows, kinds


def _row(model: LatencyModel, net: NamedGraph, measured_ms: float) -> dict[str, Any]:
    estimate = model.estimate(net[1])
    return {
        "runtime": model.setup.runtime,
        "net": net[0],
        "measured ms": round(measured_ms, 3),
        "predicted ms": round(estimate.latency_ms, 3),
        "error %": round(100 * (estimate.latency_ms / measured_ms - 1), 1),
        "inside": "yes" if estimate.low_ms <= measured_ms <= estimate.high_ms else "no",
        "operators": model.rows,
        "channel tile": model.channel_tile,
        "unseen operator error %": round(100 * (model.unseen_operator_share or 0.0), 1),
    }


def targets(runtime: str, rows: Sequence[dict[str, Any]]) -> Iterator[Target]:
    """Yields the median error over nets, and the largest over nets with operators that MobileNets lack."""
    errors = {row["net"]: abs(row["error %"]) for row in rows}
    operators = rows[0]["operators"]
    yield Target.most(
        f"int8 latency of {len(rows)} unseen nets, {runtime}, calibrated on {operators} operators",
        "% median error",
        ours=float(np.median(list(errors.values()))),
        at_most=MEDIAN_BOUND,
    )
    yield Target.most(
        f"the same, ShuffleNets V1 and V2 and LR-ASPP, {runtime}",
        "% largest error",
        ours=max(errors[name] for name in JUDGED),
        at_most=JUDGED_BOUND,
    )


def main() -> None:
    """Measures and predicts."""
    quiet()
    nets = list(net_graphs())
    found = {runtime: measure(runtime, nets) for runtime in runtimes.on_devices()}
    rows = [row for rows, _ in found.values() for row in rows]
    write_result(
        "operator_calibration",
        rows,
        {
            package: version
            for name in runtimes.on_devices()
            for package, version in runtimes.get(name).versions().items()
        },
        [target for runtime, (rows, _) in found.items() for target in targets(runtime, rows)],
    )
    kinds = [kind for _, kinds in found.values() for kind in kinds]
    print(f"\n{markdown(kinds)}")
    inside = sum(row["inside"] == "yes" for row in rows)
    left_out = [kind["left out, times"] for kind in kinds if kind["left out, times"] != "–"]
    within = sum(1 / UNMEASURED_FACTOR <= factor <= UNMEASURED_FACTOR for factor in left_out)
    print(f"\n{inside} of {len(rows)} nets lie within their intervals; of {len(left_out)} kinds of work that were left")
    print(f"out, {within} are priced within a factor of {UNMEASURED_FACTOR:g}.")


if __name__ == "__main__":
    main()
