"""Compares the directly written `.pte` with ExecuTorch's own lowering of the same canonical program.

Run: python -m benchmarks.speed.executorch_lowering

MobileNetV3-Small at 224 px; latencies are medians of interleaved rounds in one process, one thread.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.against.stock_lowering import lower_by_stock
from benchmarks.core.latency import interleaved_ms
from benchmarks.core.realistic import crops, with_realistic_numbers
from benchmarks.core.results_file import write_result
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.nets import build_net


def main() -> None:
    """Lowers both ways, checks that the scores are equal, measures both."""
    quiet()
    contract = Contract(name="v3", labels=tuple(map(str, range(1000))), image=ImageSpec.torchvision())
    net = with_realistic_numbers(build_net("mobilenet_v3_small", contract), contract.image)
    graph = quantize(net, contract, crops(16, seed=1), CalibrationPlan.extremes()).graph
    picture = crops(1, seed=2).bytes(contract.image)[0]
    with tempfile.TemporaryDirectory() as folder:
        stock_file, our_file = Path(folder) / "stock.pte", Path(folder) / "ours.pte"
        started = time.perf_counter()
        interface = ExecuTorchRuntime().export(graph, contract, our_file)
        our_s = time.perf_counter() - started
        session = ExecuTorchRuntime().load(our_file, interface, threads=1)
        started = time.perf_counter()
        stock_file.write_bytes(lower_by_stock(graph))
        stock_s = time.perf_counter() - started
        stock = stock_run(stock_file, picture)
        assert np.array_equal(stock(), session.run(picture)), "both files compute the same scores"
        median_ms = interleaved_ms({"ours": lambda: session.run(picture), "stock": stock})
    row = {"net": "mobilenet_v3_small 1", "stock lowering s": round(stock_s, 1), "ours s": round(our_s, 2)}
    row |= {f"{name} ms": round(median, 2) for name, median in median_ms.items()}
    row["ours / stock"] = round(median_ms["ours"] / median_ms["stock"], 2)
    write_result("executorch_lowering", [row], dict(ExecuTorchRuntime().versions()))


def stock_run(path: Path, picture: np.ndarray) -> Callable[[], np.ndarray]:
    """Returns a function that runs the stock file on the picture."""
    from executorch.runtime import Runtime

    program = Runtime.get().load_program(path)
    method = program.load_method("forward")
    codes = torch.from_numpy(picture.transpose(2, 0, 1).astype(np.int16) - 128).to(torch.int8)[None].contiguous()

    def run() -> np.ndarray:
        assert program is not None  # the method needs it alive
        return method.execute([codes])[0].numpy().copy().ravel()

    return run


if __name__ == "__main__":
    main()
