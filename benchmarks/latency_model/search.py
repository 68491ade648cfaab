"""Compares NetAdapt from MobileNetV3-Small to a predicted Pixel budget with the width multiplier at that latency.

Run: python -m benchmarks.latency_model.search

It takes some forty minutes of a core; after an interruption it resumes in runs/benchmark_search. The budget is the
predicted latency of MobileNetV3-Small 0.35 in int8 on Pixel 1. Every seed draws its own 1,000 held-out digits and
searches only on the other 4,000. Then all nets are trained from scratch by the same plan, with several seeds of weights
and batches, and evaluated on the held-out digits.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.latency.choice import choose_models
from mobile_sdk.system.atomic_files import write_text
from mobile_sdk.system.environment import installed_versions
from qat.data.pictures import Pictures, load_mnist
from qat.nets.architecture import Architecture
from qat.nets.blocks import make_divisible
from qat.nets.classifiers.mobilenet_v3 import architecture_of, build_for
from qat.progress import say
from qat.search.evaluation import CandidateTraining, Parent, held_apart
from qat.search.netadapt import NetAdapt
from qat.search.record import SearchFolder
from qat.search.rounds import search
from qat.search.space.architecture_graph import drawn_graph
from qat.search.workers import ray_workers
from qat.tasks.classification.training import fit
from qat.training.plan import TrainPlan

FOLDER = Path("runs/benchmark_search")
NET, WIDTH, SIZE_PX = "mobilenet_v3_small", 0.35, 32
SEARCH_SEEDS, TRAIN_SEEDS = (0, 1, 2), (0, 1, 2)
EPOCHS = 10  # those of `mobile-sdk run` on the digits
STEP_SHARE, STEPS = 0.02, 20  # δ in start latencies, fine-tuning steps a proposal
START = architecture_of(NET)
(MODEL,) = choose_models("pixel-1", "int8")


def main() -> None:
    """Searches, trains and compares."""
    quiet()
    torch.set_num_threads(1)
    budget_ms = latency_ms(architecture_of(NET, WIDTH))
    nets = {f"width {WIDTH}": [architecture_of(NET, WIDTH)] * len(SEARCH_SEEDS)}
    nets["width, hidden layer too"] = [with_narrow_head(budget_ms)] * len(SEARCH_SEEDS)
    nets["NetAdapt"] = [adapted(seed, budget_ms) for seed in SEARCH_SEEDS]
    percents = {
        name: [list(accuracies(each, seed)) for each, seed in zip(of_seeds, SEARCH_SEEDS, strict=True)]
        for name, of_seeds in nets.items()
    }
    rows = [row(name, nets[name], percents[name]) for name in nets]
    write_result(
        "search",
        rows,
        installed_versions(("mobile-sdk", "torch", "ray")),
        targets(percents, nets["NetAdapt"], budget_ms),
    )


def adapted(seed: int, budget_ms: float) -> Architecture:
    """Returns NetAdapt's result from a start net that is trained only on the training pictures."""
    pictures = load_mnist(seed=seed)
    task = CandidateTraining(
        pictures=held_apart(pictures), contract=contract(pictures), plan=TrainPlan.digits(EPOCHS), steps=STEPS
    )
    torch.manual_seed(seed)
    net = build_for(START, task.contract)
    fit(net, task.pictures, replace(task.plan, seed=seed), out=FOLDER / f"start-{seed}")
    method = NetAdapt(judge=latency_ms, target_ms=budget_ms, step_share=STEP_SHARE)
    folder = SearchFolder(FOLDER / f"search-{seed}", {"budget_ms": budget_ms, "step_share": STEP_SHARE, "steps": STEPS})
    with ray_workers(task, workers=1) as evaluate:
        start = Parent(architecture=START, state=net.state_dict())
        record = search(method, evaluate, folder, start, latency_ms(START), seed=seed)
    found = record.candidates[record.taken[-1]].architecture
    say(f"seed {seed}: {START.differences(found)}")
    return found


def with_narrow_head(budget_ms: float) -> Architecture:
    """Returns the widest multiplier within the budget that also scales the hidden layer, which V3's own does not."""
    widths = (percent / 100 for percent in range(100, 9, -1))
    nets = (architecture_of(NET, width).model_copy(update={"hidden": make_divisible(1024 * width)}) for width in widths)
    return next(net for net in nets if latency_ms(net) <= budget_ms)


def accuracies(architecture: Architecture, seed: int) -> Iterator[float]:
    """Yields the net's accuracies in percent on the seed's held-out digits, trained from scratch; kept once trained."""
    pictures, kept = load_mnist(seed=seed), FOLDER / "trained.json"
    for train_seed in TRAIN_SEEDS:
        known = json.loads(kept.read_text()) if kept.exists() else {}
        key = f"{seed} {train_seed} {EPOCHS} {architecture.model_dump_json()}"
        if key not in known:
            torch.manual_seed(train_seed)
            net = build_for(architecture, contract(pictures))
            learned = fit(net, pictures, replace(TrainPlan.digits(EPOCHS), seed=train_seed), progress=False)
            known[key] = 100 * (learned.epochs[-1].validation_accuracy_share or 0.0)
            write_text(kept, json.dumps(known, indent=1))
            say(f"digits {seed}, weights {train_seed}: {known[key]:.2f} %")
        yield known[key]


def contract(pictures: Pictures) -> Contract:
    """Returns the contract of all nets."""
    return Contract(name="digits", labels=pictures.labels, image=ImageSpec(size_px=SIZE_PX))


def latency_ms(architecture: Architecture) -> float:
    """Returns the predicted latency of the int8 program."""
    return MODEL.predict_graph_ms(drawn_graph(architecture, classes=10, size_px=SIZE_PX))


def row(name: str, nets: list[Architecture], percents: list[list[float]]) -> dict[str, Any]:
    """Returns the row of a kind of net: its predicted latencies, and its accuracy over all seeds."""
    every = [percent for of_seed in percents for percent in of_seed]
    return {
        "net": name,
        "predicted ms": " ".join(dict.fromkeys(f"{latency_ms(net):.3f}" for net in nets)),
        "top-1 %": round(mean(every), 2),
        "spread of seeds": round(stdev(every), 2),
        **{f"digits {seed}": round(mean(of_seed), 2) for seed, of_seed in zip(SEARCH_SEEDS, percents, strict=True)},
    }


def targets(percents: dict[str, list[list[float]]], nets: list[Architecture], budget_ms: float) -> list[Target]:
    """Returns the targets: better accuracy, at a latency within the budget."""
    means = {name: mean(percent for of_seed in of_seeds for percent in of_seed) for name, of_seeds in percents.items()}
    slowest_ms = max(latency_ms(net) for net in nets)
    return [
        Target.gain(
            f"{NET} adapted to the predicted latency of its width {WIDTH} on Pixel 1, digits",
            "% top-1",
            stock=means[f"width {WIDTH}"],
            ours=means["NetAdapt"],
            at_least=0,
        ),
        Target.ratio("the same: predicted latency", "ms", stock=budget_ms, ours=slowest_ms, at_most=1),
    ]


if __name__ == "__main__":
    main()
