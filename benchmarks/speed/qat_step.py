"""Compares a training step in int8 with the float32 step, in time and in memory: ours, and torchao's PT2E QAT.

Run: python -m benchmarks.speed.qat_step

MobileNets 1.0, and one of width 0.35 with SiLU in place of ReLU6, at 96 px have 1,000 classes, batches of 32 crops of
photographs, channels last, on all cores. Every net takes the steps of `fit`, with the loss and the optimizer of
`TrainPlan.finetune`. "ours" is its first phase, in which ranges and batch norm follow every batch, as stock's do;
"ours, learning" is the phase of `TrainPlan.distil` in which ranges and weights' steps get gradients. Contenders take
turns; a ratio is the median of the rounds' own.

Memory is by how much a process grows over its first steps: Linux's high-water mark of resident memory, reset before
them, in a process of its own for each net. It includes gradients, the optimizer's state, tensors that forward keeps for
backward, kernels' scratch memory, and memory that the allocator cannot give back; a profiler's sum of tensors leaves
the last two out.
"""

import ctypes
import gc
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.against import stock
from benchmarks.core.latency import Run, interleaved_rounds
from benchmarks.core.realistic import crops
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from benchmarks.core.user_nets import silu_mobilenet_v2
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.system.environment import installed_versions
from qat.nets import build_net
from qat.preparation.preparation import prepare
from qat.training.optimization.phases import Phase
from qat.training.plan import TrainPlan

NETS: Mapping[str, Callable[[Contract], nn.Module]] = {
    "mobilenet_v3_small": partial(build_net, "mobilenet_v3_small"),
    "mobilenet_v2": partial(build_net, "mobilenet_v2"),
    "mobilenet_v2 0.35 with SiLU": silu_mobilenet_v2,
}
MOST_TIME = {"mobilenet_v3_small": 1.4, "mobilenet_v2": 1.4, "mobilenet_v2 0.35 with SiLU": 1.5}
LIMITS = {
    ("mobilenet_v3_small", "time"): (
        "three machines gave 1.35, 1.43 and 1.47: 19 h-swishes and their roundings, which float32 has not, cost a "
        "third of a step in passes over memory"
    ),
    ("mobilenet_v2 0.35 with SiLU", "time"): (
        "float32 computes a SiLU in one operator, 0.5 ns an element, in a narrow net that has little else to do. "
        "Rounded, it is eight passes: extremes, scale, ends, rounding, two look-ups of 0.56 ns each, where a gradient "
        "passes, and its product. Fewer take a compiled kernel"
    ),
}
MOST_MEMORY = dict.fromkeys(NETS, 1.3)
IMAGE = ImageSpec(size_px=96)
BATCH, CLASSES = 32, 1000
CONTRACT = Contract(name="classes", labels=tuple(f"class {index}" for index in range(CLASSES)), image=IMAGE)
PLAN = TrainPlan.finetune()
ROUNDS = 20
STEPS = 3  # whose memory is measured: from the second on the optimizer has its state
WORK = f"QAT step of {{}}, {IMAGE.size_px} px, batch {BATCH}, {{}} in float32 steps"
Row = dict[str, Any]


def float_net(name: str) -> nn.Module:
    """Returns the net as it is trained in float32."""
    torch.manual_seed(0)
    return NETS[name](CONTRACT).train()


def stock_net(name: str) -> nn.Module:
    """Returns torchao's fake-quantized net, observers on."""
    return stock.prepare_qat(float_net(name), torch.zeros(2, 3, IMAGE.size_px, IMAGE.size_px))


def our_net(name: str, phase: Phase) -> nn.Module:
    """Returns our fake-quantized net in a phase of its training, with the ranges of two pictures."""
    net = prepare(float_net(name), CONTRACT)
    with torch.no_grad():
        net(pictures()[:2])
    if phase.learns_steps:
        net.learn_steps()
    net.set_phase(
        freeze_observers=not phase.observes,
        freeze_batch_norm=not phase.batch_norm_follows,
        learn_steps=phase.learns_steps,
    )
    return net


CONTENDERS: Mapping[str, Callable[[str], nn.Module]] = {
    "float32": float_net,
    "stock": stock_net,
    "ours": partial(our_net, phase=PLAN.phases[0]),
    "ours, learning": partial(our_net, phase=TrainPlan.distil().phases[0]),
}


def training_step(net: nn.Module) -> Run:
    """Returns a step of `fit` on the same batch again and again."""
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = PLAN.optimizer_for(net)
    rgb, targets = pictures(), torch.arange(BATCH)

    def step() -> None:
        loss = cross_entropy(net(rgb), targets, label_smoothing=PLAN.smoothing)
        loss.item()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def peak_mib(name: str, contender: str) -> float:
    """Returns by how much a process of its own grows over the contender's first steps."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_growth_mib, name, contender).result()


def rows(name: str) -> Iterator[Row]:
    """Yields the measurements of every contender on one net."""
    peaks = {contender: peak_mib(name, contender) for contender in CONTENDERS}
    steps = {contender: training_step(build(name)) for contender, build in CONTENDERS.items()}
    rounds = interleaved_rounds(steps, rounds=ROUNDS, runs=1)
    for contender, taken in rounds.items():
        yield {
            "net": name,
            "step": contender,
            "ms": float(np.median(taken)),
            "ms / float32": float(np.median(taken / rounds["float32"])),
            "peak MiB": peaks[contender],
            "MiB / float32": peaks[contender] / peaks["float32"],
        }


def targets(measured: list[Row]) -> list[Target]:
    """Returns the time and memory of every net's step."""
    by_step = {(row["net"], row["step"]): row for row in measured}
    return [
        Target(
            work=WORK.format(name, what),
            unit="×",
            stock=by_step[name, "stock"][key],
            ours=by_step[name, "ours"][key],
            judged="ours",
            figure=by_step[name, "ours"][key],
            bound=bounds[name],
            sense="at most",
            limit=LIMITS.get((name, what), ""),
        )
        for what, key, bounds in (("time", "ms / float32", MOST_TIME), ("peak memory", "MiB / float32", MOST_MEMORY))
        for name in NETS
    ]


def main() -> None:
    """Measures every net; some six minutes."""
    quiet()
    measured = [row for name in NETS for row in rows(name)]
    versions = installed_versions(("mobile-sdk", "torch", "torchao", "executorch"))
    write_result("qat_step", [_rounded(row) for row in measured], versions, targets(measured))


def pictures() -> torch.Tensor:
    """Returns a batch as nets read it."""
    return crops(BATCH, seed=1).tensors(IMAGE).contiguous(memory_format=torch.channels_last)


def _growth_mib(name: str, contender: str) -> float:
    quiet()
    step = training_step(CONTENDERS[contender](name))
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # memory freed by preparing the net must not serve its steps
    before = _resident_mib("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets the high-water mark to the present
    for _ in range(STEPS):
        step()
    return _resident_mib("VmHWM") - before


def _resident_mib(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024


def _rounded(row: Row) -> Row:
    digits = {"ms": 1, "ms / float32": 2, "peak MiB": 0, "MiB / float32": 2}
    return {key: round(value, digits[key]) if key in digits else value for key, value in row.items()}


if __name__ == "__main__":
    main()
