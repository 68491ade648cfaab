"""Compares published parameters and multiply-adds with our counts: each is within 2 %, or explained by a check.

Run: python -m benchmarks.papers.published_counts     (seconds: only shapes are computed)

`published_counts.csv` has a line for each figure: the net, the kind of count, the printed figure, its source, and its
explanation if it is more than 2 % from our count:

- `rounded`, `cut`: our count, rounded or cut where the figure ends, is the figure.
- a name of `DEFINITIONS`: a count by this definition agrees, within 2 % or where the figure ends.
- `slip`: the figure contradicts another source, which agrees with us, or the same source's figures at other sizes.
"""

import csv
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.system.environment import installed_versions
from qat.nets import Cost, build_net, count_cost, reparameterised
from qat.nets.blocks import ConvNormActivation, ImageClassifier
from qat.nets.classifiers.mnasnet import A1, MobileBottleneck

FILE = Path(__file__).with_suffix(".csv")
NEAR = 0.02
_conv = functools.partial(ConvNormActivation, norm=nn.BatchNorm2d, activation=nn.ReLU)
_UNITS = {"M": 1e6, "G": 1e9}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Holds a line of the table; `groups` are a ShuffleNet's, `printed` is in millions (M) or milliards (G)."""

    net: str
    width: float
    groups: int | None
    size_px: int
    precision: str
    what: str  # "parameters" or "multiply-adds"
    printed: str
    unit: str
    source: str
    explanation: str

    @property
    def value(self) -> float:
        """Returns the figure, in ones."""
        return float(self.printed) * _UNITS[self.unit]

    @property
    def step(self) -> float:
        """Returns the value of its last digit, in ones."""
        return 10.0 ** -len(self.printed.partition(".")[2]) * _UNITS[self.unit]

    @property
    def title(self) -> str:
        """Returns the net and its settings."""
        groups = f", {self.groups} groups" if self.groups else ""
        return f"{self.net} {self.width:g}, {self.size_px} px{groups}"

    def is_near(self, count: float) -> bool:
        """Tells whether the count is within 2 % of the figure."""
        return abs(count / self.value - 1) <= NEAR

    def is_rounded(self, count: float) -> bool:
        """Tells whether the count, rounded where the figure ends, is the figure."""
        return math.floor(count / self.step + 0.5) == round(self.value / self.step)

    def is_cut(self, count: float) -> bool:
        """Tells whether the count, cut where the figure ends, is the figure."""
        return math.floor(count / self.step) == round(self.value / self.step)


def figures() -> tuple[Figure, ...]:
    """Returns all lines of the table."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(_figure(row) for row in csv.DictReader(file))


def _figure(row: dict[str, str]) -> Figure:
    numbers = {"width": float(row["width"]), "size_px": int(row["size_px"]), "groups": int(row["groups"] or 0) or None}
    return Figure(**{**row, **numbers})  # type: ignore[arg-type]


@functools.cache
def built(net: str, width: float, **settings: Any) -> ImageClassifier:
    """Returns the net with ImageNet's classes, in the form that phones run, without numbers in its tensors."""
    contract = Contract(name=net, labels=tuple(map(str, range(1000))), image=ImageSpec())
    with torch.device("meta"):
        return reparameterised(build_net(net, contract, width=width, **settings))


@functools.cache
def cost(net: str, width: float, size_px: int, **settings: Any) -> Cost:
    """Returns its parameters and multiply-adds."""
    return count_cost(built(net, width, **settings), size_px)


def _cost(figure: Figure, **settings: Any) -> Cost:
    own = {"groups": figure.groups} if figure.groups else {}
    return cost(figure.net, figure.width, figure.size_px, **own | settings)


def ours(figure: Figure, **settings: Any) -> int:
    """Returns our count for the figure."""
    counted = _cost(figure, **settings)
    return counted.parameters if figure.what == "parameters" else counted.multiply_adds


def _without_norms(figure: Figure) -> int:
    return _cost(figure).parameters - _cost(figure).batch_norm_parameters


def _without_stem(figure: Figure) -> int:
    """Leaves out the first convolution's 27 products for each of its outputs."""
    stem = next(each for each in built(figure.net, figure.width).modules() if isinstance(each, nn.Conv2d))
    return ours(figure) - 27 * stem.out_channels * (figure.size_px // 2) ** 2


def _with_norms(figure: Figure, each: int = 2) -> int:
    """Adds a product and a sum, or `each`, for each output of a batch norm, which deployed nets have folded away."""
    net = built(figure.net, figure.width)
    sizes: list[int] = []
    hooks = [
        module.register_forward_hook(lambda _, __, given: sizes.append(given.numel()))
        for module in net.modules()
        if isinstance(module, nn.BatchNorm2d)
    ]
    with torch.no_grad():
        net.eval()(torch.empty(1, 3, figure.size_px, figure.size_px, device="meta"))
    for hook in hooks:
        hook.remove()
    return ours(figure) + each * sum(sizes)


def _in_whole_channels(figure: Figure) -> int:
    """Counts MnasNet with `width` times the paper's channels, as whole numbers, after a first convolution of 32."""
    channels = 32
    with torch.device("meta"):
        layers: list[nn.Module] = [_conv(3, channels, kernel=3, stride=2)]
        for stage in A1:
            row = stage._replace(channels=round(stage.channels * figure.width))
            for repeat in range(stage.repeats):
                layers.append(MobileBottleneck(channels, row, 1 if repeat else stage.stride))
                channels = row.channels
        layers.append(_conv(channels, 1280, kernel=1))
        net = ImageClassifier(nn.Sequential(*layers), nn.Sequential(nn.Linear(1280, 1000)))
    return count_cost(net, figure.size_px).multiply_adds


DEFINITIONS: dict[str, tuple[Callable[[Figure], float], str]] = {
    "without batch norms": (_without_norms, "it is the count without batch norms, cut"),
    "with batch norms": (_with_norms, "it is the count with two operations for each number that a batch norm gives"),
    "three a batch norm": (
        lambda figure: _with_norms(figure, 3),
        "it is the count with three operations for each number that a batch norm gives",
    ),
    "hidden 1280": (
        lambda figure: ours(figure, hidden=1280),
        "the paper's Table 2 has a hidden layer of 1280, published code and checkpoints one of 1024",
    ),
    "without the first convolution": (_without_stem, "it is the count without the first convolution"),
    "both halves": (lambda figure: 2 * ours(figure), "it counts products and sums, rounded"),
    "groups 3": (
        lambda figure: ours(figure, groups=3),
        "it is the count of 3 groups, which the paper gives for any number of them",
    ),
    "whole channels": (
        _in_whole_channels,
        "it is the count with channels rounded to whole ones behind a first convolution of 32",
    ),
}


_ENDS: dict[str, Callable[[Figure, float], bool]] = {"rounded": Figure.is_rounded, "cut": Figure.is_cut}


def reason(figure: Figure, table: tuple[Figure, ...]) -> str | None:
    """Returns the reason for the figure in words; None if no checked explanation fits."""
    count = ours(figure)
    if figure.is_near(count):
        return "within 2 %"
    if figure.explanation in _ENDS:
        return f"{figure.explanation} where it ends" if _ENDS[figure.explanation](figure, count) else None
    if figure.explanation in DEFINITIONS:
        define, words = DEFINITIONS[figure.explanation]
        recounted = define(figure)
        ends = figure.is_cut if words.endswith("cut") else figure.is_rounded
        return words if figure.is_near(recounted) or ends(recounted) else None
    return _contradiction(figure, table) if figure.explanation == "slip" else None


def _contradiction(figure: Figure, table: tuple[Figure, ...]) -> str | None:
    """Returns the figure that contradicts this one: of another source, or of the same at another size."""
    for other in table:
        if (other.net, other.width, other.groups, other.what) != (
            figure.net,
            figure.width,
            figure.groups,
            figure.what,
        ):
            continue
        is_same = other.size_px == figure.size_px
        if is_same and other.source != figure.source and other.explanation != "slip" and _differs(figure, other):
            return f"{other.source} has {other.printed} {other.unit}, which our count gives"
        if not is_same and other.source == figure.source and figure.what == "multiply-adds":
            expected = other.value * (figure.size_px / other.size_px) ** 2
            if abs(expected / ours(figure) - 1) <= NEAR and not figure.is_near(expected):
                return f"its own {other.printed} {other.unit} at {other.size_px} px gives {expected / 1e6:.1f} M"
    return None


def _differs(figure: Figure, other: Figure) -> bool:
    """Tells whether `other` agrees with our count by its own definition, and would not with `figure`."""
    define = DEFINITIONS[other.explanation][0] if other.explanation in DEFINITIONS else ours
    count = define(other)
    instead = count * figure.value / ours(figure)

    def agrees(counted: float) -> bool:
        return other.is_near(counted) or other.is_rounded(counted)

    return agrees(count) and not agrees(instead)


def rows(table: tuple[Figure, ...]) -> Iterator[dict[str, Any]]:
    """Yields each figure that is more than 2 % from our count, once for all sources that print it, and its reason."""
    found: dict[tuple[str, str, str], list[Figure]] = {}
    for figure in table:
        if not figure.is_near(ours(figure)):
            found.setdefault((figure.title, figure.what, f"{figure.printed} {figure.unit}"), []).append(figure)
    for (title, what, printed), group in found.items():
        yield {
            "net": title,
            "count": what,
            "published": printed,
            "ours, M": round(ours(group[0]) / 1e6, 3 if what == "parameters" else 1),
            "source": "; ".join(dict.fromkeys(figure.source for figure in group)),
            "why": reason(group[0], table) or "**not explained**",
        }


def main() -> None:
    """Writes and prints the explanations, and how many figures have none."""
    table = figures()
    unexplained = sum(reason(figure, table) is None for figure in table)
    work = f"of {len(table)} published counts those neither within 2 % nor explained"
    target = Target.most(work, "figures", ours=unexplained, at_most=0)
    write_result("published_counts", [*rows(table)], installed_versions(("torch",)), [target])


if __name__ == "__main__":
    main()
