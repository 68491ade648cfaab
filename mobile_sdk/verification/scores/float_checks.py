"""Judges scores by their distance from the float net, beside the reference's own distance."""

from collections.abc import Sequence

from mobile_sdk.runtimes.requirement import Requirement
from mobile_sdk.verification.scores.float_distance import FloatDistance
from mobile_sdk.verification.verdict import FLOAT_DISTANCE, Check

WINNERS = "float net's winners"
LEAST_REFERENCE_DB = 6.0
"""A reference that is further from the float net than this is not made from it, or has lost it: beside that, any scores
would do."""
NO_TWIN = "the float32 twin was not given: float.pt2 lies beside the program that `mobile-sdk quantize` writes"


def float_checks(distances: Sequence[FloatDistance], requirement: Requirement) -> list[Check]:
    """Returns the checks of the distance from float of one file, computed in one or more arithmetics.

    All of them must hold: the worst is judged, and the best is told beside it.
    """
    assert requirement.max_loss_db is not None and distances
    furthest = max(distances, key=lambda each: each.loss_db)
    poorest = min(distances, key=lambda each: each.winners - each.reference_winners + each.most_lost)
    reference = furthest.reference_sqnr_db
    is_related = reference is None or reference >= LEAST_REFERENCE_DB
    least = (
        "no noise, as the reference"
        if reference is None
        else (
            f"at least {reference - requirement.max_loss_db:.2f} dB: the reference's {reference:.2f} dB, "
            f"less {requirement.max_loss_db:g}"
        )
    )
    unrelated = f"the reference itself must be {LEAST_REFERENCE_DB:g} dB from its float net: is this its twin?"
    return [
        Check.judged(
            FLOAT_DISTANCE,
            is_related and furthest.loss_db <= requirement.max_loss_db,
            measured=_decibels(furthest),
            required=f"{least}, on {furthest.pictures} pictures",
            reason=_reason(distances, requirement) if is_related else unrelated,
        ),
        Check.judged(
            WINNERS,
            poorest.reference_winners - poorest.winners <= poorest.most_lost,
            measured=poorest.winners,
            required=f"at least the reference's {poorest.reference_winners} of {poorest.pictures} pictures, less "
            f"{poorest.most_lost}, which chance explains",
            reason=requirement.why,
        ),
    ]


def not_judged(requirement: Requirement, reason: str = NO_TWIN) -> list[Check]:
    """Returns the checks that could not run."""
    required = f"no further from the float net than the reference by over {requirement.max_loss_db:g} dB"
    return [
        Check.skipped(FLOAT_DISTANCE, required=required, reason=reason),
        Check.skipped(WINNERS, required="the float net's winners as often as the reference has them", reason=reason),
    ]


def _reason(distances: Sequence[FloatDistance], requirement: Requirement) -> str:
    if len(distances) == 1:
        return requirement.why
    best = _decibels(min(distances, key=lambda each: each.loss_db))
    told = f"{best:.2f} dB" if isinstance(best, float) else best
    return f"the worst of {len(distances)} arithmetics, the best is {told}; {requirement.why}"


def _decibels(distance: FloatDistance) -> float | str:
    if distance.not_finite:
        return f"{distance.not_finite} scores that are no numbers"
    return "no noise" if distance.sqnr_db is None else round(distance.sqnr_db, 2)
