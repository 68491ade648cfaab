"""Defines how near a runtime's scores must come: to the reference's, exactly or within a bound, or to the float net's.

An accelerator that rounds ties otherwise than the reference ends as far from it as both are from the float net, though
it computes that net as well. It is judged by its distance from the float net, beside the reference's own.
"""

from dataclasses import dataclass, replace

from mobile_sdk.graph.checks.exactness import order_dependent_paths
from mobile_sdk.graph.operators import Graph, Normalize, Softmax


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """Requires equal codes if `exact`; otherwise the other two hold. `why` names the source of the bound.

    With `max_loss_db` nothing is required of the distance from the reference: the scores' SQNR against the float32 twin
    may be less than the reference's by so many decibels, and the float net's winners be lost no more often than chance
    explains (`verification.scores.float_distance`). With `most_apart`, no float32 output may be further from the
    reference's than that, and every winner is the reference's.
    """

    exact: bool
    min_sqnr_db: float
    min_top1_agreement: float
    golden_steps: float
    why: str
    max_loss_db: float | None = None
    most_apart: float | None = None

    @property
    def is_by_float(self) -> bool:
        """Tells whether scores are judged by their distance from the float32 twin."""
        return self.max_loss_db is not None


MAX_LOSS_DB = 1.0
"""An accelerator may be so much further from the float net than the reference is: orders of summation, and roundings to
float16, moved the distance by up to 0.7 dB."""
MOST_APART = 1e-5
"""Shares of a softmax, and boxes as shares of a picture, may be so far apart; 3e-7 was measured (1,000 labels)."""
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


def near_float(why: str) -> Requirement:
    """Returns the requirement for a file that computes the net's values otherwise than by the graph's integers."""
    return Requirement(
        exact=False,
        min_sqnr_db=float("-inf"),
        min_top1_agreement=0.0,
        golden_steps=0.0,
        why=why,
        max_loss_db=MAX_LOSS_DB,
    )


def of_probabilities(scores: Requirement) -> Requirement:
    """Returns the requirement for a softmax of scores for which `scores` is required."""
    if not scores.exact:
        return scores
    why = "is a softmax of exact scores, whose exponentials differ between processors in their last bits"
    return replace(scores, exact=False, min_sqnr_db=100.0, most_apart=MOST_APART, why=why)


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
