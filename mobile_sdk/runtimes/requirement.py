"""Defines how near a runtime's scores must come to the expected ones: exactly, or within a measured bound."""

from dataclasses import dataclass, replace

from mobile_sdk.graph.checks.exactness import order_dependent_paths
from mobile_sdk.graph.operators import Graph, Normalize, Softmax


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """Requires equal codes if `exact`; otherwise the other two hold. `why` names the source of the bound."""

    exact: bool
    min_sqnr_db: float
    min_top1_agreement: float
    golden_steps: float
    why: str


MOST_GOLDEN_STEPS = 12.0
"""No requirement of codes allows more steps; a bundle that allows more is refused, whatever made it."""

_EXACT = Requirement(
    exact=True, min_sqnr_db=float("inf"), min_top1_agreement=1.0, golden_steps=0.0, why="computes these integers"
)
_FLOAT32 = Requirement(
    exact=False,
    min_sqnr_db=60.0,
    min_top1_agreement=0.99,
    golden_steps=0.0,
    why="float32 sums depend on their order, which costs some 120 dB; 60 dB leaves room for fused kernels",
)
_ORDER = Requirement(
    exact=False,
    min_sqnr_db=25.0,
    min_top1_agreement=0.9,
    golden_steps=MOST_GOLDEN_STEPS,
    # Measured on EfficientNet-Lite0, 32 crops of photographs, 1,000 classes: early layers as plain float32 came to
    # 28.3 dB and 6 steps, later ones to 38 dB and more. The bound is 3 dB, twice the noise, below the worst.
    why="is float32 whose sums depend on their order, and the net spreads each tie; the worst of 9 came to 28 dB",
)
_ISLANDS = Requirement(
    exact=False,
    min_sqnr_db=30.0,
    min_top1_agreement=0.9,
    golden_steps=8.0,
    # Measured on 8 blocks of attention (64 tokens) and 8 of ConvNeXt, 40 pictures, 26 classes, LiteRT and ExecuTorch:
    # 46.7 dB, 2 steps and equal winners at worst. One operator alone is a step off in 1 of 100,000 codes, at ties.
    why="is float32, as no integers compute it, and the net spreads each tie; the worst of 4 came to 47 dB and 2 steps",
)


def usual_requirement(graph: Graph) -> Requirement:
    """Returns the requirement for a runtime that computes a graph's integers: exactness, unless that means nothing.

    A program with layers kept in float32 is exact too, if its numbers prove that no order of summation matters. One
    whose only other float32 steps are softmax and norms has a bound of its own.
    """
    if graph.precision == "float32":
        return _FLOAT32
    paths = order_dependent_paths(graph)
    if not paths:
        return _EXACT
    islands = {operator.path for operator in graph.operators if isinstance(operator, Softmax | Normalize)}
    bound = _ISLANDS if islands.issuperset(paths) else _ORDER
    return replace(bound, why=f"{', '.join(paths[:3])} {bound.why}")
