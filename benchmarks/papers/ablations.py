"""Repeats MobileNetV2's ablations (section 6.4, Figure 6) on the built-in digits: linear bottlenecks and shortcuts.

Run: python -m benchmarks.papers.ablations

It uses a narrow net and few epochs, so that a variant's cost shows beside the spread of seeds; every seed draws its own
1,000 held-out digits, weights and batches, the same for all variants. It takes some five minutes of a core.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import mean, stdev
from typing import Any

import torch

from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.system.environment import installed_versions
from qat.data.pictures import load_mnist
from qat.nets import build_net
from qat.progress import say
from qat.tasks.classification.training import fit
from qat.training.plan import TrainPlan

VARIANTS: dict[str, dict[str, Any]] = {
    "the paper's: linear, shortcuts between bottlenecks": {},
    "ReLU6 in bottlenecks": {"linear": False},
    "shortcuts between expansions": {"shortcut": "expansions"},
    "no shortcuts": {"shortcut": "none"},
}
ORDER = (
    # better, worse: the curves of Figure 6a and 6b
    ("the paper's: linear, shortcuts between bottlenecks", "ReLU6 in bottlenecks"),
    ("the paper's: linear, shortcuts between bottlenecks", "shortcuts between expansions"),
    ("shortcuts between expansions", "no shortcuts"),
)
SEEDS = (0, 1, 2)
WIDTH, EPOCHS = 0.35, 5


def main() -> None:
    """Trains every variant with every seed."""
    quiet()
    found = {variant: [accuracy(settings, seed) for seed in SEEDS] for variant, settings in VARIANTS.items()}
    rows = [row(variant, shares) for variant, shares in found.items()]
    write_result("ablations", rows, installed_versions(("mobile-sdk", "torch")), targets(found))


def accuracy(settings: dict[str, Any], seed: int) -> float:
    """Returns the trained variant's accuracy on 1,000 held-out digits, in percent."""
    pictures = load_mnist(seed=seed)
    contract = Contract(name="digits", labels=pictures.labels, image=ImageSpec(size_px=32))
    torch.manual_seed(seed)
    net = build_net("mobilenet_v2", contract, width=WIDTH, **settings)
    learned = fit(net, pictures, replace(TrainPlan.digits(epochs=EPOCHS), seed=seed), progress=False)
    percent = 100 * learned.epochs[-1].validation_accuracy_share
    say(f"{settings}, seed {seed}: {percent:.2f} %")
    return percent


def row(variant: str, percents: Sequence[float]) -> dict[str, Any]:
    """Returns a variant's mean and spread."""
    return {"variant": variant, "top-1 %": round(mean(percents), 2), "spread of seeds": round(stdev(percents), 2)}


def targets(found: dict[str, list[float]]) -> list[Target]:
    """Compares the variants in Figure 6's order, pair by pair; the worse variant takes the place of the stock."""
    return [
        Target.gain(
            f"{better}, beside {worse}", "% top-1", stock=mean(found[worse]), ours=mean(found[better]), at_least=0
        )
        for better, worse in ORDER
    ]


if __name__ == "__main__":
    main()
