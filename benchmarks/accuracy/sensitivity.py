"""Ranks EfficientNet-Lite0's layers by their cost in int8, and measures what keeping the worst in float32 changes.

Run: python -m benchmarks.accuracy.sensitivity

It makes two tables. The first ranks the layers, on the 16 crops that the program was calibrated on, by what each costs
alone. The second has programs with none, one, three and six of the worst layers kept in float, evaluated on crops of
other photographs: their distance from the float net, size, partitions, scores that differ from the reference's, and
time. Latencies are medians of interleaved rounds, one thread. It takes some six minutes on two cores.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.core.latency import Run, interleaved_ms
from benchmarks.core.photographs import CALIBRATED, JUDGED, crops
from benchmarks.core.results_file import write_result
from benchmarks.core.user_nets import efficientnet_lite0
from mobile_sdk import runtimes
from mobile_sdk.analysis.sensitivity import LayerSensitivity, layer_sensitivity
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.comparison import compare
from mobile_sdk.contract import Contract
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import Graph
from mobile_sdk.graph.reference import Reference
from mobile_sdk.graph.score_steps import in_steps
from qat.calibration.calibration import quantize
from qat.freezing.freezing import float_twin
from qat.progress import say

RUNTIMES = {"tflite": "LiteRT", "executorch": "ExecuTorch"}
KEPT = (0, 1, 3, 6)  # of the worst layers
SHOWN = 10  # layers of the ranking
CALIBRATION_CROPS, JUDGED_CROPS = 16, 64


def main() -> None:
    """Ranks, keeps, measures."""
    quiet()
    net = efficientnet_lite0().eval()
    contract = Contract(name="efficientnet_lite0", labels=net.labels, image=net.image)
    calibration = crops(CALIBRATED, CALIBRATION_CROPS, seed=1)
    twin = float_twin(net, contract).graph
    graphs: dict[str, Graph] = {}
    ranked: Sequence[LayerSensitivity] = ()
    for count in KEPT:
        kept = tuple(layer.layer for layer in ranked[:count])
        say(f"calibrating with {', '.join(kept) or 'nothing'} kept in float")
        graphs[f"{count} in float" if count else "all int8"] = quantize(
            net, contract, calibration, keep_float=kept
        ).graph
        ranked = ranked or layer_sensitivity(graphs["all int8"], twin, calibration.bytes(net.image)).ranked
    versions = {package: version for name in RUNTIMES for package, version in runtimes.get(name).versions().items()}
    write_result("sensitivity", [_ranking_row(rank, layer) for rank, layer in enumerate(ranked[:SHOWN], 1)], versions)
    pixels = crops(JUDGED, JUDGED_CROPS, seed=2).bytes(net.image)
    write_result("kept_float", _program_rows(graphs, twin, contract, pixels), versions)


def _ranking_row(rank: int, layer: LayerSensitivity) -> dict[str, Any]:
    decibels = {"alone dB": layer.alone_db, "its weights dB": layer.weights_db, "program without dB": layer.kept_db}
    return {
        "rank": rank,
        "layer": layer.layer,
        **{title: "–" if value is None else round(value, 1) for title, value in decibels.items()},
        "% of the noise": round(100 * layer.noise_share, 1),
        "weights KiB": round(layer.weight_bytes / 1024, 1),
    }


def _program_rows(
    graphs: dict[str, Graph], twin: Graph, contract: Contract, pixels: NDArray[np.uint8]
) -> list[dict[str, Any]]:
    wanted = FloatReference(twin).run(pixels)
    rows, contenders = [], dict[str, Run]()
    with tempfile.TemporaryDirectory() as folder:
        for title, graph in graphs.items():
            expected = in_steps(Reference(graph).run(pixels), graph)
            grid = graph.output.quantization
            distance = compare(expected * (grid.scale if grid else 1.0), wanted)
            row: dict[str, Any] = {"program": title, "SQNR dB": round(distance.sqnr_db or 0.0, 2)}
            row["same top-1 %"] = round(100 * distance.top1_agreement, 1)
            for name, runtime_title in RUNTIMES.items():
                runtime = runtimes.get(name)
                model = Path(folder) / f"{len(rows)}.{runtime.model_file}"
                session = runtime.load(model, runtime.export(graph, contract, model), threads=1)
                found = in_steps(np.stack([session.run(picture) for picture in pixels]), graph)
                row[f"{runtime_title} differ"] = compare(found, expected).differing
                row[f"{runtime_title} partitions"] = runtime.structure(model).partitions
                row[f"{runtime_title} MiB"] = round(model.stat().st_size / 2**20, 3)
                contenders[f"{title}, {runtime_title}"] = lambda session=session: session.run(pixels[0])
            rows.append(row)
        times_ms = interleaved_ms(contenders)
    for row in rows:
        row |= {f"{title} ms": round(times_ms[f"{row['program']}, {title}"], 2) for title in RUNTIMES.values()}
    return rows


if __name__ == "__main__":
    main()
